// SPDX-License-Identifier: Apache-2.0
#include "xsd/inquirer/peer_names.h"

#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <sys/socket.h>

namespace xsd::inquirer {
namespace {

// Two tries of a second for each server: the time is up after three.
constexpr int kServerSeconds = 1;
constexpr int kServerTries = 2;

/// What the library says without an answer is no statement about the name.
Answer::State state_of(int error) noexcept {
  if (error == 0) return Answer::State::Yes;
  const bool is_none = error == EAI_NONAME || error == EAI_NODATA || error == EAI_ADDRFAMILY;
  return is_none ? Answer::State::No : Answer::State::Unknown;
}

bool leads_to(const addrinfo* list, const net::SocketAddress& peer) {
  for (; list != nullptr; list = list->ai_next) {
    if (net::SocketAddress(list->ai_addr, list->ai_addrlen).same_host(peer)) return true;
  }
  return false;
}

}  // namespace

Answer find_names(const net::SocketAddress& peer) {
  (void)res_init();  // without it the defaults of resolv.conf(5) hold
  _res.retrans = kServerSeconds;
  _res.retry = kServerTries;
  char name[NI_MAXHOST];
  Answer answer;
  answer.state =
      state_of(getnameinfo(peer.raw(), peer.raw_length(), name, sizeof name, nullptr, 0, NI_NAMEREQD));
  if (answer.state != Answer::State::Yes) return answer;
  addrinfo hints{};
  hints.ai_family = peer.family();
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  answer.state = state_of(getaddrinfo(name, nullptr, &hints, &list));
  if (answer.state != Answer::State::Yes) return answer;
  if (leads_to(list, peer)) {
    answer.texts.emplace_back(name);
  } else {
    answer.state = Answer::State::No;
  }
  freeaddrinfo(list);
  return answer;
}

}  // namespace xsd::inquirer
