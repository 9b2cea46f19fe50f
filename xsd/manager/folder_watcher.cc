// SPDX-License-Identifier: Apache-2.0
#include "xsd/manager/folder_watcher.h"

#include <algorithm>
#include <cerrno>

#include <sys/inotify.h>
#include <unistd.h>

#include "xsd/base/log.h"
#include "xsd/config/file_list.h"

namespace xsd::manager {
namespace {

constexpr std::uint32_t kWholeMask = IN_CREATE | IN_DELETE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_FROM |
                                     IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;
constexpr std::uint32_t kNameMask =
    IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF;
constexpr int kReadsPerTurn = 16;

}  // namespace

FolderWatcher::FolderWatcher(reactor::EventLoop& loop, UniqueFd fd, std::function<void()> on_change)
    : loop_(loop), fd_(std::move(fd)), on_change_(std::move(on_change)), debounce_(loop, [this] {
        first_event_ = {};
        place_watches();
        on_change_();
      }) {}

Result<std::unique_ptr<FolderWatcher>> FolderWatcher::create(reactor::EventLoop& loop,
                                                             std::function<void()> on_change) {
  UniqueFd fd(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!fd) return Error::from_errno(errno, "inotify");
  std::unique_ptr<FolderWatcher> made(new FolderWatcher(loop, raise_fd(std::move(fd)), std::move(on_change)));
  FolderWatcher* const self = made.get();
  auto watch =
      loop.watch(self->fd_.get(), reactor::kReadable, [self](reactor::Events) { self->on_readable(); });
  if (!watch) return std::move(watch.error()).within("inotify");
  made->watch_ = std::move(*watch);
  return made;
}

void FolderWatcher::set_folders(std::vector<std::string> folders, std::string main_name) {
  std::sort(folders.begin(), folders.end());
  main_name_ = std::move(main_name);
  if (folders == folders_ && !places_.empty()) return;
  for (const auto& [descriptor, place] : places_)
    (void)inotify_rm_watch(fd_.get(), descriptor);
  places_.clear();
  folders_ = std::move(folders);
  place_watches();
}

// Done anew after each change: watching a folder again that is watched already costs nothing and changes
// nothing.
void FolderWatcher::place_watches() {
  std::map<int, Place> places;
  const auto add = [&](const std::string& path, bool whole, const std::string& name) {
    const int descriptor = inotify_add_watch(fd_.get(), path.c_str(),
                                             (whole ? kWholeMask : kNameMask) | IN_MASK_ADD | IN_ONLYDIR);
    if (descriptor < 0) {
      if (errno != ENOENT && errno != ENOTDIR) log::warning("watching {}: {}", path, errno_text(errno));
      return false;
    }
    Place& place = places[descriptor];
    place.whole = place.whole || whole;
    if (!name.empty()) place.names.insert(name);
    return true;
  };
  for (const std::string& folder : folders_) {
    (void)add(folder, true, {});
    for (std::string path = folder; path != "/"; path = config::folder_of(path)) {
      if (add(config::folder_of(path), false, path.substr(path.rfind('/') + 1))) break;
    }
  }
  for (const auto& [descriptor, place] : places_) {
    if (!places.contains(descriptor))
      (void)inotify_rm_watch(fd_.get(), descriptor);  // gone already if its folder is
  }
  places_ = std::move(places);
}

void FolderWatcher::on_readable() {
  alignas(inotify_event) char buffer[4096];
  for (int reads = 0; reads < kReadsPerTurn; ++reads) {
    const ssize_t length = read(fd_.get(), buffer, sizeof buffer);
    if (length <= 0) return;
    for (const char* at = buffer; at < buffer + length;) {
      const auto* const event = reinterpret_cast<const inotify_event*>(at);
      at += sizeof *event + event->len;
      if ((event->mask & IN_Q_OVERFLOW) != 0) {
        note_change();
        continue;
      }
      const auto place = places_.find(event->wd);
      if (place == places_.end()) continue;
      const std::string name = event->len > 0 ? event->name : "";
      const bool matters =
          name.empty() || place->second.names.contains(name) || (place->second.whole && counts(name));
      if (matters) note_change();
    }
  }
}

bool FolderWatcher::counts(const std::string& name) const {
  return name.ends_with(".yaml") || name.starts_with("..") || name == main_name_;
}

void FolderWatcher::note_change() {
  const MonotonicTime now = loop_.now();
  if (!debounce_.armed()) first_event_ = now;
  debounce_.arm(
      std::min<Duration>(kQuiet, std::max<Duration>(first_event_ + kLongest - now, Duration::zero())));
}

}  // namespace xsd::manager
