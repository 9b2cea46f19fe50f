// SPDX-License-Identifier: Apache-2.0
//
// SenderNames: the names of those who send datagrams to a plugin or a SENSOR, for lists with names. A
// datagram is not kept while somebody is asked: the first one of a sender whose names are not known is
// refused, and those that come once they are known are decided by them. They are known as long as a NameCache
// has them; where there are some they are asked for again at half that time, so that a sender who goes on
// loses no other datagram. An answer that could not be found out does not take the place of one that holds.
//
// A sender may be forged, so only so many are asked about at a time, and so many a second; datagrams of the
// others are refused. Owned by the process (the daemon, or a worker), borrowed by services.
#pragma once

#include <cstddef>
#include <functional>
#include <utility>

#include "xsd/base/clock.h"
#include "xsd/inquirer/inquirer_process.h"
#include "xsd/net/address.h"
#include "xsd/policy/name_cache.h"
#include "xsd/policy/source_map.h"
#include "xsd/policy/token_bucket.h"

namespace xsd::service {

class SenderNames {
 public:
  /// Of one process: fewer than the inquirer asks about at once, so that others have their turn.
  static constexpr std::size_t kMostAsked = 32;
  static constexpr config::RateLimit kPace{{100, std::chrono::seconds(1)}, 100};
  /// Asks for the names of a peer: `learn` is called once with them, never from here, unless what is returned
  /// has gone by then.
  using Ask = std::function<inquirer::Asked(const net::SocketAddress& peer)>;

  SenderNames(policy::HashSeed seed, Ask ask)
      : names_(seed), failures_(seed), asked_(seed), ask_(std::move(ask)) {}
  SenderNames(const SenderNames&) = delete;
  SenderNames& operator=(const SenderNames&) = delete;

  /// What is known; valid until the next call. nullptr: nothing yet.
  const policy::NameCache::Names* find(const net::SocketAddress& peer, MonotonicTime now);
  void learn(const net::SocketAddress& peer, policy::NameCache::Names names, MonotonicTime now);

 private:
  void ask_about(const net::SocketAddress& peer, MonotonicTime now);

  policy::NameCache names_;
  policy::NameCache failures_;  ///< of those whose names hold yet
  policy::SourceMap<inquirer::Asked> asked_;
  policy::TokenBucket bucket_;
  Ask ask_;
};

}  // namespace xsd::service
