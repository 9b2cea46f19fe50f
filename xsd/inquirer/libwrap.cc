// SPDX-License-Identifier: Apache-2.0
#include "xsd/inquirer/libwrap.h"

#include <cstring>

#include <dlfcn.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <tcpd.h>

#include "xsd/base/log.h"

namespace xsd::inquirer {
namespace {

// What of the library is used, with the types of its header.
struct Library {
  decltype(&::request_init) init = nullptr;
  decltype(&::request_set) set = nullptr;
  decltype(&::hosts_access) access = nullptr;
  decltype(&::sock_hostname) host_name = nullptr;
  decltype(&::sock_hostaddr) host_address = nullptr;

  bool is_whole() const noexcept { return init && set && access && host_name && host_address; }
};

template <class Function>
void find(void* library, const char* name, Function& function) noexcept {
  function = reinterpret_cast<Function>(dlsym(library, name));
}

Library load() {
  Library found;
  void* const library = dlopen("libwrap.so.0", RTLD_NOW | RTLD_LOCAL);
  if (library != nullptr) {
    find(library, "request_init", found.init);
    find(library, "request_set", found.set);
    find(library, "hosts_access", found.access);
    find(library, "sock_hostname", found.host_name);
    find(library, "sock_hostaddr", found.host_address);
  }
  if (!found.is_whole()) {
    const char* const why = dlerror();
    log::error("libwrap: {}; it lets nobody in", why != nullptr ? why : "the library lacks something");
  }
  return found;
}

const Library& library() {
  static const Library kLibrary = load();
  return kLibrary;
}

}  // namespace

void load_libwrap() {
  (void)library();
}

Answer ask_libwrap(const Question& question, int socket) {
  const Library& wrap = library();
  if (!wrap.is_whole()) return {Answer::State::No, {}};
  // The library keeps pointers to them.
  sockaddr_storage peer{};
  sockaddr_storage local{};
  std::memcpy(&peer, question.peer.raw(), question.peer.raw_length());
  request_info request;
  wrap.init(&request, RQ_DAEMON, question.daemon.c_str(), RQ_CLIENT_SIN, &peer, RQ_FILE, socket, 0);
  if (question.local.is_ip()) {
    std::memcpy(&local, question.local.raw(), question.local.raw_length());
    wrap.set(&request, RQ_SERVER_SIN, &local, 0);
  }
  request.hostname = wrap.host_name;
  request.hostaddr = wrap.host_address;
  return {wrap.access(&request) != 0 ? Answer::State::Yes : Answer::State::No, {}};
}

}  // namespace xsd::inquirer
