// SPDX-License-Identifier: Apache-2.0
//
// Notifier: tells a service manager how far we are (sd_notify(3), the NOTIFY_SOCKET protocol): one datagram
// each, no library. Says nothing where nobody asked.
#pragma once

#include <string>
#include <string_view>

#include "xsd/base/clock.h"

namespace xsd::daemon {

class Notifier {
 public:
  /// Reads NOTIFY_SOCKET.
  Notifier();
  void ready(std::string_view status);
  void reloading(MonotonicTime now);
  void stopping();

 private:
  void send(std::string_view message);
  std::string path_;
};

}  // namespace xsd::daemon
