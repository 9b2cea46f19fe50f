// SPDX-License-Identifier: Apache-2.0
#include "xsd/inquirer/libwrap.h"

#include <cstring>

#include <netinet/in.h>
#include <sys/socket.h>
#include <syslog.h>
#include <tcpd.h>

// What the library says of a client is logged with these; `severity` in its files changes them.
int allow_severity = LOG_INFO;
int deny_severity = LOG_WARNING;

namespace xsd::inquirer {

Answer ask_libwrap(const Question& question, int socket) {
  // The library keeps pointers to them.
  sockaddr_storage peer{};
  sockaddr_storage local{};
  std::memcpy(&peer, question.peer.raw(), question.peer.raw_length());
  request_info request;
  request_init(&request, RQ_DAEMON, question.daemon.c_str(), RQ_CLIENT_SIN, &peer, RQ_FILE, socket, 0);
  if (question.local.is_ip()) {
    std::memcpy(&local, question.local.raw(), question.local.raw_length());
    request_set(&request, RQ_SERVER_SIN, &local, 0);
  }
  sock_methods(&request);
  return {hosts_access(&request) != 0 ? Answer::State::Yes : Answer::State::No, {}};
}

}  // namespace xsd::inquirer
