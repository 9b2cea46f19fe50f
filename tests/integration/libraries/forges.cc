// SPDX-License-Identifier: Apache-2.0
//
// forges: a plugin that has taken its worker over. It finds the sockets that its process has with the master
// and with the logger, and says on all of them what its client's line wants:
//   bytes                  what is no message
//   large                  a message that is larger than any may be
//   ended NUMBER           that the service of this number is gone
//   program NUMBER NAME    a program for that service
//   without NUMBER NAME    the same without the descriptor that belongs to it
//   over NUMBER NAME       a connection of that service for another one
//   names                  a look-up of somebody's names
//   drop NUMBER            that nobody waits for a program of that service any more, which is no lie
//   flood NUMBER           the same for ever, from a thread
//   close                  nothing: they are closed
// Other lines are echoed.
#include <cstring>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

#include "xsd/plugin.h"
#include "xsd/worker/protocol.h"

namespace {

constexpr int kHighestFd = 4096;
constexpr std::size_t kTooLarge = std::size_t{61} * 1024;

const xsd_host* host;

/// The channel to the master, and the pair to the logger.
std::vector<int> find_channels() {
  std::vector<int> found;
  for (int fd = 0; fd < kHighestFd; ++fd) {
    int type = 0;
    socklen_t length = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_SEQPACKET)
      found.push_back(fd);
  }
  return found;
}

void send_to(int channel, const std::string& bytes, int descriptor = -1) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof descriptor)] = {};
  iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr head{};
  head.msg_iov = &piece;
  head.msg_iovlen = 1;
  if (descriptor >= 0) {
    head.msg_control = control;
    head.msg_controllen = sizeof control;
    cmsghdr* const rights = CMSG_FIRSTHDR(&head);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof descriptor);
    std::memcpy(CMSG_DATA(rights), &descriptor, sizeof descriptor);
  }
  (void)sendmsg(channel, &head, MSG_NOSIGNAL);
}

void say(const std::string& bytes, int descriptor = -1) {
  for (const int channel : find_channels())
    send_to(channel, bytes, descriptor);
}

void say(const xsd::worker::FromWorker& command, int descriptor = -1) {
  std::string message;
  append(message, command);
  say(message, descriptor);
}

/// One that somebody is connected to, as a client's would be.
int make_socket() {
  int pair[2] = {-1, -1};
  (void)socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
  return pair[0];
}

void flood(std::uint64_t number) {
  std::string message;
  while (message.size() < 1000)
    append(message, xsd::worker::FromWorker(xsd::worker::DropProgram{number, 1}));
  std::thread([message, channels = find_channels()] {
    for (;;) {
      for (const int channel : channels)
        send_to(channel, message);
    }
  }).detach();
}

/// False if it is nothing that is known here.
bool obey(const std::string& line) {
  std::istringstream words(line);
  std::string what;
  std::uint64_t number = 0;
  std::string name;
  words >> what >> number >> name;
  const xsd::net::SocketAddress somewhere = *xsd::net::SocketAddress::parse("127.0.0.1", 7);
  if (what == "bytes") {
    say(std::string(100, '\xee'));
  } else if (what == "large") {
    say(std::string(kTooLarge, '\0'));
  } else if (what == "ended") {
    say(xsd::worker::Ended{number});
  } else if (what == "program") {
    say(xsd::worker::StartProgram{number, 1, name, {}, ""}, make_socket());
  } else if (what == "without") {
    say(xsd::worker::StartProgram{number, 1, name, {}, ""});
  } else if (what == "over") {
    say(xsd::worker::HandOver{number, 1, somewhere, somewhere, name}, make_socket());
  } else if (what == "names") {
    say(xsd::worker::AskNames{somewhere});
  } else if (what == "drop") {
    say(xsd::worker::DropProgram{number, 1});
  } else if (what == "flood") {
    flood(number);
  } else if (what == "close") {
    for (const int channel : find_channels())
      (void)close(channel);
  } else {
    return false;
  }
  return true;
}

int start(const xsd_host* given, xsd_service* /*service*/, void** /*state*/) {
  host = given;
  return 0;
}

void on_data(void* /*state*/, xsd_connection* connection, const void* data, std::size_t length) {
  const std::string line(static_cast<const char*>(data), length);
  if (!obey(line)) (void)host->write(connection, data, length);
}

xsd_plugin make_plugin() {
  xsd_plugin made{};
  made.size = sizeof made;
  made.api_version = XSD_PLUGIN_API_VERSION;
  made.name = "forges";
  made.description = "a plugin that speaks for its worker";
  made.start = start;
  made.on_data = on_data;
  return made;
}

const xsd_plugin plugin = make_plugin();

}  // namespace

extern "C" {
XSD_PLUGIN_REGISTER(forges, plugin)
}
