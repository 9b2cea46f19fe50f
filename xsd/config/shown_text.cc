// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/shown_text.h"

#include <utility>

namespace xsd::config {

Diagnostic ShownText::diagnose(Severity severity, const std::string& file, const std::string& path,
                               const TextMark* mark, Position where, std::string message) {
  if (where.line > 0 && file_ != file) {
    file_ = file;
    text_.clear();
    FolderViews folders;
    const auto source = read_source_file(path, "", TrustRules{}, folders);
    if (source && mark != nullptr && mark->has_text(source->text)) text_ = source->text;
  }
  DiagnosticSink sink(file, where.line > 0 ? std::string_view(text_) : std::string_view{});
  sink.add(severity, where, std::move(message));
  return std::move(sink.take().front());
}

void ShownText::forget() {
  file_.clear();
  text_.clear();
  text_.shrink_to_fit();
}

}  // namespace xsd::config
