// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/finish_vetting.h"

#include "xsd/base/text.h"
#include "xsd/config/settings_table.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace xsd::config {
namespace {

std::string usual_libwrap_name(const Draft& draft) {
  if (draft.kind != ServiceKind::Program) return draft.service;
  const bool is_named = (draft.flags & kFlagNameInArgs) != 0 && !draft.server_args.empty();
  const std::string& path = is_named ? draft.server_args.front() : draft.server;
  const std::string name = path.substr(path.rfind('/') + 1);
  return name.empty() ? draft.service : name;
}

void refuse_vetting(const Draft& draft, DiagnosticSink& sink, std::string_view key, std::string_view what) {
  const ValueOrigin* const origin = own_origin_of(draft.origins, key);
  sink.error(origin != nullptr ? origin->where : draft.where,
             std::string(what) +
                 (draft.kind != ServiceKind::Program
                      ? " is for connections only, and this service takes datagrams: let those be another "
                        "service's"
                      : " is for connections that xsd accepts ('wait: false')") +
                 (origin != nullptr ? "" : "; it stands in 'defaults'"));
}

// It is only for the records, which do without where there is no connection.
void drop_user_id(Draft& draft, DiagnosticSink& sink) {
  for (const auto& [key, bits] : {std::pair{std::string_view("log_on_success"), &draft.log_on_success},
                                  std::pair{std::string_view("log_on_failure"), &draft.log_on_failure}}) {
    if ((*bits & kLogUserId) == 0) continue;
    if (const ValueOrigin* const origin = own_origin_of(draft.origins, key)) {
      sink.warning(origin->where, "'USERID' in " + quoted(key) +
                                      " has no effect: it is for connections that xsd accepts, of services "
                                      "without datagrams");
    }
    const bool is_alone = *bits == kLogUserId;
    *bits &= ~unsigned{kLogUserId};
    if (is_alone) *bits |= kLogHost;  // without any the records would be off
  }
}

}  // namespace

void decide_vetting(Draft& draft, DiagnosticSink& sink) {
  if ((draft.flags & kFlagNoLibwrap) != 0 && !draft.clients->libwrap.empty())
    draft.clients.edit().libwrap.clear();
  if (draft.clients->libwrap == kUsualLibwrapName) draft.clients.edit().libwrap = usual_libwrap_name(draft);
  const bool has_datagrams = std::any_of(draft.listen.begin(), draft.listen.end(), [](const auto& spec) {
    return spec.transport == net::Transport::Datagram;
  });
  const bool is_program = draft.kind == ServiceKind::Program;
  if (!draft.clients->libwrap.empty() && (is_program ? draft.wait && !has_datagrams : has_datagrams))
    refuse_vetting(draft, sink, "libwrap", "'libwrap'");
  const bool takes_all = !draft.wait && !has_datagrams;
  if ((draft.flags & kFlagIdOnly) != 0 && !takes_all)
    refuse_vetting(draft, sink, "flags", "the flag 'IDONLY'");
  if (!takes_all) drop_user_id(draft, sink);
}

}  // namespace xsd::config
