// SPDX-License-Identifier: Apache-2.0
#include "xsd/plugin/stream_set.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace xsd::plugin {

StreamSet::StreamSet(PluginInstance& instance) : instance_(instance) {}

StreamSet::~StreamSet() = default;

StreamConnection& StreamSet::add(StreamKind kind, UniqueFd socket, std::uint64_t id,
                                 const net::SocketAddress& remote, const net::SocketAddress& local) {
  StreamConnection& connection = live_.emplace_back(*this, kind, std::move(socket), id, remote, local);
  connection.place_ = std::prev(live_.end());
  if (kind != StreamKind::Client) ++others_;
  return connection;
}

/// It has ended: from here on it is only reported.
void StreamSet::drop(StreamConnection& connection) noexcept {
  ended_.splice(ended_.end(), live_, connection.place_);
  if (connection.kind_ != StreamKind::Client) --others_;
  if (!connection.extras_) return;
  connection.part(*connection.forced_);
  if (connection.kind_ != StreamKind::Program) return;
  programs_.erase(connection.extras_->program_id);
  if (connection.waits_for_program() && instance_.options.on_drop_program)
    instance_.options.on_drop_program(connection.extras_->program_id);
}

OpenOutcome StreamSet::open(UniqueFd socket, std::uint64_t id, const net::SocketAddress& remote,
                            const net::SocketAddress& local) noexcept {
  // A number that select cannot hold is found out before the plugin hears of the connection.
  if (!instance_.loop.can_watch(socket.get())) return OpenOutcome::NoRoom;
  const Entry entry(*this);
  StreamConnection& connection = add(StreamKind::Client, std::move(socket), id, remote, local);

  OpenOutcome outcome = OpenOutcome::Open;
  const xsd_plugin& calls = instance_.calls;
  if (calls.on_open != nullptr && calls.on_open(instance_.state, &connection) != 0)
    outcome = OpenOutcome::Refused;
  if (outcome == OpenOutcome::Open) {
    connection.settle();
    if (!connection.ended_ && !connection.watch()) {
      connection.end(EndCause::Peer);
      outcome = OpenOutcome::NoRoom;
    }
  }
  if (outcome == OpenOutcome::Open) {
    if (connection.ended_) defer_reports();
    return outcome;
  }
  // It may have been joined all the same.
  if (connection.extras_) connection.part(EndCause::Finished);
  std::erase(touched_, &connection);
  (connection.ended_ ? ended_ : live_).erase(connection.place_);
  return outcome;
}

void StreamSet::close_all(EndCause cause) noexcept {
  const Entry entry(*this);
  for (StreamConnection& connection : live_) {
    connection.forced_ = cause;
    connection.touch();
  }
}

void StreamSet::end_all(EndCause cause) noexcept {
  const Entry entry(*this);
  while (!live_.empty()) {
    live_.front().end(cause);
  }
  settle_touched();  // ended ones only: nothing points to them any more
  while (!ended_.empty()) {
    report_first();
  }
}

void StreamSet::forget_all() noexcept {
  for (const auto& [id, connection] : programs_) {
    if (connection->waits_for_program() && instance_.options.on_drop_program)
      instance_.options.on_drop_program(id);
  }
  programs_.clear();
  touched_.clear();
  live_.clear();
  others_ = 0;
}

void StreamSet::settle_touched() noexcept {
  // A callback of one may touch others.
  for (std::size_t i = 0; i < touched_.size(); ++i) {
    touched_[i]->touched_ = false;
    touched_[i]->settle();
  }
  touched_.clear();
}

void StreamSet::report_first() noexcept {
  const StreamConnection& first = ended_.front();
  const StreamEnd end{
      first.id_,     *first.forced_, first.bytes_in_, first.bytes_out_, instance_.loop.now() - first.opened_,
      first.remote_, first.local_};
  const bool reported = first.kind_ == StreamKind::Client && instance_.options.on_stream_end;
  ended_.pop_front();
  if (reported) instance_.options.on_stream_end(end);
}

void StreamSet::defer_reports() {
  if (reports_deferred_) return;
  reports_deferred_ = true;
  if (!self_) self_ = std::make_shared<StreamSet*>(this);
  instance_.loop.defer([weak = std::weak_ptr<StreamSet*>(self_)] {
    const std::shared_ptr<StreamSet*> self = weak.lock();
    if (!self) return;
    StreamSet& set = **self;
    set.reports_deferred_ = false;
    const Entry entry(set);
  });
}

void StreamSet::enter() noexcept {
  if (depth_++ == 0 && instance_.options.busy_with != nullptr)
    *instance_.options.busy_with = instance_.options.number;
}

void StreamSet::leave() noexcept {
  if (depth_ == 1) {
    settle_touched();
    // What `on_stream_end` does may end others, or retire this set.
    while (!ended_.empty() && !reports_deferred_) {
      report_first();
      settle_touched();
    }
  }
  if (--depth_ > 0) return;
  if (instance_.options.busy_with != nullptr) *instance_.options.busy_with = 0;
  if (retired_) delete this;
}

void StreamSet::retire(std::unique_ptr<StreamSet> set) noexcept {
  set->retired_ = true;
  if (set->depth_ > 0) (void)set.release();  // `leave` deletes it
}

}  // namespace xsd::plugin
