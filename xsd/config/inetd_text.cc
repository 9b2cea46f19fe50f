// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/inetd_text.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "xsd/base/text.h"
#include "xsd/config/loader.h"
#include "xsd/config/yaml_text.h"

namespace xsd::config {
namespace {

constexpr std::string_view kOff = "#<off>#";
constexpr std::string_view kPolicy = "#@";
constexpr std::string_view kSocketTypes[] = {"stream", "dgram", "raw", "rdm", "seqpacket"};

bool is_blank(char c) noexcept {
  return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

bool is_quote(char c) noexcept {
  return c == '"' || c == '\'';
}

std::size_t blanks_at(std::string_view line) noexcept {
  return static_cast<std::size_t>(std::find_if_not(line.begin(), line.end(), is_blank) - line.begin());
}

class Reader {
 public:
  explicit Reader(DiagnosticSink& sink) : sink_(sink) {}

  void read_line(std::string_view line, std::uint32_t number) {
    const std::size_t indent = blanks_at(line);
    const bool continues = std::exchange(continues_, false);
    if (indent == line.size()) return;
    if (line[indent] == '#') return read_comment(line.substr(indent), {number, column(line, indent)});
    InetdLine words = split(line, number);
    take_backslash(words);
    if (words.empty()) return;
    if (!lines_.empty() && (continues || (indent > 0 && belongs_to_last(words))))
      return append(std::move(words));
    if (lines_.size() > kMaxServices) return;
    lines_.push_back(std::move(words));
    if (lines_.size() == kMaxServices + 1) {
      sink_.error(lines_.back().front().where, "more than " + std::to_string(kMaxServices) + " entries");
    }
  }

  std::vector<InetdLine> finish() { return std::move(lines_); }

 private:
  static std::uint32_t column(std::string_view line, std::size_t offset) noexcept {
    return characters(line.substr(0, offset)) + 1;
  }

  void read_comment(std::string_view comment, Position where) {
    if (comment.starts_with(kPolicy)) {
      comment.remove_prefix(kPolicy.size());
      const std::string_view policy = trim(comment);
      if (policy.empty()) return;
      sink_.warning(where, "the IPsec policy " + quoted(policy) +
                               " has no equivalent: without it anybody reaches the services that follow");
    } else if (comment.starts_with(kOff)) {
      comment.remove_prefix(kOff.size());
      const std::string_view entry = trim(comment);
      const std::string_view name = entry.substr(0, entry.find_first_of(" \t"));
      if (name.size() == entry.size()) return;
      sink_.note(where, "the entry of " + quoted(name) + " is switched off, it is left out");
    }
  }

  /// The words up to a comment; columns count characters.
  InetdLine split(std::string_view line, std::uint32_t number) {
    InetdLine words;
    std::uint32_t column = 1;
    for (std::size_t i = 0; i < line.size();) {
      if (is_blank(line[i])) {
        ++column;
        ++i;
        continue;
      }
      InetdWord word{{}, {number, column}};
      if (line[i] == '#') {
        sink_.warning(word.where,
                      "taken for a comment: many inetds take a word that begins with # for an argument");
        break;
      }
      std::size_t end = i;
      const std::size_t close = is_quote(line[i]) ? line.find(line[i], i + 1) : std::string_view::npos;
      if (close != std::string_view::npos && (close + 1 == line.size() || is_blank(line[close + 1]))) {
        sink_.note(
            word.where,
            "quotes hold a word together, as with the inetds of FreeBSD and NetBSD; others pass them on");
        word.text = line.substr(i + 1, close - i - 1);
        end = close + 1;
      } else {
        while (end < line.size() && !is_blank(line[end]))
          ++end;
        word.text = line.substr(i, end - i);
      }
      column += characters(line.substr(i, end - i));
      i = end;
      words.push_back(std::move(word));
    }
    return words;
  }

  void take_backslash(InetdLine& words) {
    if (words.empty() || !words.back().text.ends_with('\\')) return;
    sink_.note(words.back().where,
               "the backslash continues the entry in the next line, which most inetds do not know");
    words.back().text.pop_back();
    if (words.back().text.empty()) words.pop_back();
    continues_ = true;
  }

  // Whether an indented line goes on with what stands before it.
  bool belongs_to_last(const InetdLine& words) {
    const bool is_entry = words.size() > 1 && std::find(std::begin(kSocketTypes), std::end(kSocketTypes),
                                                        words[1].text) != std::end(kSocketTypes);
    if (is_entry) {
      sink_.warning(words.front().where,
                    "the indented line is taken for an entry, which it is for busybox; other inetds take it "
                    "for more arguments of the entry before it");
      return false;
    }
    sink_.note(words.front().where, "the indented line is taken for the rest of the entry before it");
    return true;
  }

  void append(InetdLine words) {
    InetdLine& last = lines_.back();
    last.insert(last.end(), std::make_move_iterator(words.begin()), std::make_move_iterator(words.end()));
  }

  DiagnosticSink& sink_;
  std::vector<InetdLine> lines_;
  bool continues_ = false;  ///< the line before ended in a backslash
};

}  // namespace

std::vector<InetdLine> read_inetd(std::string_view text, DiagnosticSink& sink) {
  skip_byte_order_mark(text);
  Reader reader(sink);
  std::uint32_t number = 0;
  while (!text.empty())
    reader.read_line(next_line(text), ++number);
  return reader.finish();
}

}  // namespace xsd::config
