// SPDX-License-Identifier: Apache-2.0
#include "xsd/plugin/plugin_instance.h"

#include <cerrno>
#include <utility>

#include "xsd/plugin/blocking_pool.h"
#include "xsd/plugin/stream_set.h"

namespace xsd::plugin {

int PluginInstance::run_blocking(void (*work)(void*), void (*done)(void*), void* argument) noexcept {
  if (options.pool == nullptr) return -ENOSYS;
  if (ending) return -ESHUTDOWN;
  const int error = options.pool->run(work, argument, [this, done, argument] {
    {
      const StreamSet::Entry entry(streams);
      done(argument);
    }
    if (--works > 0 || !on_last_work) return;
    // It destroys this object, and would destroy itself.
    const std::function<void()> last = std::move(on_last_work);
    last();
  });
  if (error == 0) ++works;
  return -error;
}

void PluginInstance::end() noexcept {
  ending = true;
  timers.stop();
  metrics.detach();
}

}  // namespace xsd::plugin
