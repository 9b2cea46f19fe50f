// SPDX-License-Identifier: Apache-2.0
//
// Two parts behind a look at the bare bytes (yaml_text.h): a stream buffer that bounds how far the library
// reads ahead, and a handler that builds the tree from its events. Facts about yaml-cpp 0.7.0 they rest on:
//
// - Mark::pos and Mark::column count bytes. At the end of the text the column is reset to 0, so places are
//   made from `pos` alone.
// - A mark is that of the node's first token, which is its tag or anchor if it has one.
// - A value that is not there is an OnNull at the mark of whatever comes next, or of the key.
// - The scanner queues tokens until it knows whether the first of them is a key. For `[` and `{` that is at
//   the closing bracket, and a token weighs 80 to 350 bytes: hence the bound on reading ahead.
// - A word alone in the last line (`plugin echo`) is a key without a value to it.
// - A quote that is never closed goes unnoticed when a line end is the last byte, as it always is here.
// - Its escapes \N and \_ give bytes that are not UTF-8.
// - Two values side by side at the top (`'a' 'b'`) are two documents to it.
#include "xsd/config/yaml_reader.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <exception>
#include <istream>
#include <numeric>
#include <streambuf>

#include "xsd/base/text.h"
#include "xsd/config/source_file.h"
#include "xsd/config/yaml_text.h"

namespace xsd::config {
namespace {

// Sum of weigh() over what the library reads between two events.
constexpr std::size_t kMaxLookahead = 32768;
constexpr std::size_t kShownText = 60;

constexpr const char* kNoAliases = "aliases are not allowed; quote a value that begins with '*'";
constexpr const char* kNoAnchors = "anchors are not allowed; quote a value that begins with '&'";
constexpr const char* kNoTags = "tags are not allowed; quote a value that begins with '!'";

/// Ends a parse; the reason is with whoever threw it. Never leaves read_yaml().
struct Stop {};
/// The same, from the stream: too much text without an event.
struct LookaheadExceeded {
  bool is_nesting = false;
};

// ---- while the library reads ----

/// Serves the text in small pieces, adds the last line end if it is missing, and gives up when too many
/// possible tokens were read since the last event.
class GuardedText final : public std::streambuf {
 public:
  explicit GuardedText(std::string_view text) noexcept : text_(text) {}
  void note_event() noexcept { weight_ = open_ = 0; }

 protected:
  int_type underflow() override {
    if (gptr() < egptr()) return traits_type::to_int_type(*gptr());
    std::string_view piece = text_.substr(served_, kPiece);
    served_ += piece.size();
    // The end is put behind the last piece, not served alone: the library looks at four bytes, then puts them
    // back.
    if (served_ == text_.size() && !piece.empty() && piece.back() != '\n') {
      *std::copy(piece.begin(), piece.end(), last_piece_) = '\n';
      piece = {last_piece_, piece.size() + 1};
    }
    if (piece.empty()) return traits_type::eof();
    for (const char c : piece) {
      weight_ += weigh(c);
    }
    if (weight_ > kMaxLookahead) throw LookaheadExceeded{open_ > static_cast<std::ptrdiff_t>(kMaxNesting)};
    // Never written to: putting back another character than the one there fails.
    char* const begin = const_cast<char*>(piece.data());
    setg(begin, begin, begin + piece.size());
    return traits_type::to_int_type(*gptr());
  }

 private:
  static constexpr std::size_t kPiece = 2048;

  std::size_t weigh(char c) noexcept {
    switch (c) {
      case '[':
      case '{':
        ++open_;
        return 2;
      case ']':
      case '}':
        --open_;
        return 1;
      case ',':
      case '?':
        return 2;
      case ':':
      case '&':
      case '*':
      case '!':
      case '\'':
      case '"':
        return 1;
      default:
        return 0;  // ends no token, or ends at most one a line
    }
  }

  std::string_view text_;
  char last_piece_[kPiece + 1] = {};
  std::size_t served_ = 0;
  std::size_t weight_ = 0;
  std::ptrdiff_t open_ = 0;
};

/// Builds the tree. Its faults are collected: equal keys are found when their map ends, after faults further
/// down.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(std::string_view text, GuardedText& guard) : text_(text), finder_(text), guard_(guard) {
    root_.where = {1, 1};
  }

  YamlNode take_root() { return std::move(root_); }
  /// In file order. `fatal`: the tree is not complete.
  std::vector<Fault> take_faults();
  bool is_fatal() const noexcept { return fatal_; }

  void explain(const YAML::Exception& exception);
  void explain(const LookaheadExceeded& exceeded);
  void fail(std::size_t offset, std::string message);

  void OnDocumentStart(const YAML::Mark& mark) override;
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override;
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override;
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override;
  void OnMapEnd() override { close(); }
  void OnAnchor(const YAML::Mark& mark, const std::string& name) override;

 private:
  struct Frame {
    YamlNode node;
    std::size_t offset = 0;
    bool is_flow = false;
    bool has_key = false;  ///< of a map: `key` waits for its value
    std::string key;
    Position key_where;
    std::size_t key_offset = 0;
  };

  [[noreturn]] void stop(std::size_t offset, std::string message) {
    fail(offset, std::move(message));
    throw Stop{};
  }
  std::size_t offset_of(const YAML::Mark& mark) const noexcept {
    return mark.pos < 0 ? last_event_ : std::min(static_cast<std::size_t>(mark.pos), text_.size());
  }
  bool wants_key() const noexcept {
    return !frames_.empty() && frames_.back().node.is_map() && !frames_.back().has_key;
  }

  std::size_t begin_node(const YAML::Mark& mark);
  void open(const YAML::Mark& mark, YamlNode::Kind kind, YAML::EmitterStyle::value style);
  void close();
  void add(YamlNode node, std::size_t offset);
  bool has_colon(const Frame& frame) const noexcept;
  void check_indent(Position where, std::size_t offset);
  void drop_equal_keys(YamlNode& map);
  Position where_of_missing(std::size_t offset);
  std::string bracket_fault(std::size_t& offset);

  std::string_view text_;
  PositionFinder finder_;
  GuardedText& guard_;
  YamlNode root_;
  std::vector<Frame> frames_;
  std::vector<Fault> faults_;
  std::size_t nodes_ = 0;
  std::size_t documents_ = 0;
  std::size_t last_event_ = 0;
  bool fatal_ = false;
};

std::vector<Fault> TreeBuilder::take_faults() {
  for (Frame& frame : frames_) {
    drop_equal_keys(frame.node);
  }
  std::stable_sort(faults_.begin(), faults_.end(), [](const Fault& a, const Fault& b) {
    return a.where.line != b.where.line ? a.where.line < b.where.line : a.where.column < b.where.column;
  });
  return std::move(faults_);
}

void TreeBuilder::fail(std::size_t offset, std::string message) {
  fatal_ = true;
  if (has_bare_brackets(line_around(text_, offset)))
    message += "; quote an address in brackets: \"tcp://[::1]:7\"";
  faults_.push_back({finder_.at(offset), std::move(message)});
}

std::size_t TreeBuilder::begin_node(const YAML::Mark& mark) {
  guard_.note_event();
  const std::size_t offset = last_event_ = offset_of(mark);
  if (++nodes_ > kMaxNodes) stop(offset, "more than " + std::to_string(kMaxNodes) + " keys and values");
  if (char_at(text_, offset) == '&') stop(offset, kNoAnchors);
  if (char_at(text_, offset) == '!') stop(offset, kNoTags);
  return offset;
}

void TreeBuilder::OnDocumentStart(const YAML::Mark& mark) {
  if (++documents_ == 1) return;
  const std::size_t offset = offset_of(mark);
  const bool marked = text_.substr(offset).starts_with("---");
  stop(offset, marked ? "a second document is not allowed"
                      : "unexpected text after the end; is it indented like the lines above?");
}

void TreeBuilder::OnAnchor(const YAML::Mark& mark, const std::string& /*name*/) {
  stop(offset_of(mark), kNoAnchors);
}

void TreeBuilder::OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) {
  stop(offset_of(mark), kNoAliases);
}

void TreeBuilder::OnNull(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) {
  const std::size_t offset = begin_node(mark);
  YamlNode node;
  const bool is_value = !frames_.empty() && frames_.back().has_key;
  const bool is_at_key = is_value && offset == frames_.back().key_offset;  // so it is not there
  if (!is_at_key) node.scalar = null_word_at(text_, offset, !wants_key());
  if (!node.scalar.empty()) {
    node.where = finder_.at(offset);
    check_indent(node.where, offset);
  } else if (wants_key()) {
    stop(offset, "a key is missing here");
  } else if (is_value && !frames_.back().is_flow && !has_colon(frames_.back())) {
    stop(frames_.back().key_offset, "expected 'key: value'");
  } else {
    node.where = where_of_missing(offset);
  }
  add(std::move(node), offset);
}

void TreeBuilder::OnScalar(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                           const std::string& value) {
  const std::size_t offset = begin_node(mark);
  const char first = char_at(text_, offset);
  YamlNode node;
  node.kind = YamlNode::Kind::Scalar;
  node.quoted = first == '\'' || first == '"' || first == '|' || first == '>';
  node.scalar = value;
  node.where = finder_.at(offset);
  const bool in_quotes = first == '"' || first == '\'';
  if (in_quotes && find_closing_quote(text_, offset) == text_.size())
    stop(offset, "this quote is not closed");
  if (first == '"' && has_forbidden_character(value)) {
    stop(offset, "an escape in this text gives what is not allowed: a control character, '\\N' or '\\_'");
  }
  check_indent(node.where, offset);
  if (wants_key() && !node.quoted && value == "<<") stop(offset, "merge keys are not allowed");
  add(std::move(node), offset);
}

void TreeBuilder::OnSequenceStart(const YAML::Mark& mark, const std::string& /*tag*/,
                                  YAML::anchor_t /*anchor*/, YAML::EmitterStyle::value style) {
  open(mark, YamlNode::Kind::List, style);
}

void TreeBuilder::OnMapStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                             YAML::EmitterStyle::value style) {
  open(mark, YamlNode::Kind::Map, style);
}

void TreeBuilder::open(const YAML::Mark& mark, YamlNode::Kind kind, YAML::EmitterStyle::value style) {
  const std::size_t offset = begin_node(mark);
  if (frames_.size() >= kMaxNesting) stop(offset, "nested deeper than " + std::to_string(kMaxNesting));
  if (wants_key()) {
    const char bracket = char_at(text_, offset);
    // At the end of the text the library takes what it still holds for a key.
    if ((bracket == '[' || bracket == '{') && !is_closed_in_line(text_, offset)) {
      stop(offset, bracket == '[' ? "'[' is not closed" : "'{' is not closed");
    }
    stop(offset, kind == YamlNode::Kind::List ? "a key must be plain text, not a list"
                                              : "a key must be plain text, not a map");
  }
  Frame frame;
  frame.node.kind = kind;
  frame.node.where = finder_.at(offset);
  if (kind == YamlNode::Kind::Map || style == YAML::EmitterStyle::Flow)
    check_indent(frame.node.where, offset);
  frame.offset = offset;
  frame.is_flow = style == YAML::EmitterStyle::Flow;
  frames_.push_back(std::move(frame));
}

void TreeBuilder::close() {
  guard_.note_event();
  Frame frame = std::move(frames_.back());
  frames_.pop_back();
  drop_equal_keys(frame.node);
  add(std::move(frame.node), frame.offset);
}

void TreeBuilder::add(YamlNode node, std::size_t offset) {
  if (frames_.empty()) {
    root_ = std::move(node);
    return;
  }
  Frame& parent = frames_.back();
  if (parent.node.is_list()) {
    parent.node.items.push_back(std::move(node));
  } else if (parent.has_key) {
    parent.has_key = false;
    parent.node.members.push_back({std::move(parent.key), parent.key_where, std::move(node)});
  } else {
    parent.has_key = true;
    parent.key = std::move(node.scalar);
    parent.key_where = finder_.at(offset);
    parent.key_offset = offset;
  }
}

void TreeBuilder::drop_equal_keys(YamlNode& map) {
  std::vector<YamlNode::Member>& members = map.members;
  if (members.size() < 2) return;
  std::vector<std::uint32_t> order(members.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    const int difference = members[a].key.compare(members[b].key);
    return difference != 0 ? difference < 0 : a < b;
  });
  std::vector<std::uint32_t> surplus;
  std::uint32_t first = order.front();
  for (std::size_t i = 1; i < order.size(); ++i) {
    const YamlNode::Member& member = members[order[i]];
    if (member.key != members[first].key) {
      first = order[i];
      continue;
    }
    faults_.push_back({member.where, quoted(member.key, kShownText) +
                                         " is given twice; the first is in line " +
                                         std::to_string(members[first].where.line)});
    surplus.push_back(order[i]);
  }
  if (surplus.empty()) return;
  std::sort(surplus.begin(), surplus.end());
  std::size_t kept = 0;
  for (std::size_t i = 0, next = 0; i < members.size(); ++i) {
    if (next < surplus.size() && surplus[next] == i) {
      ++next;
    } else if (kept++ != i) {
      members[kept - 1] = std::move(members[i]);
    }
  }
  members.resize(kept);
}

/// A value in a line of its own stands further in than its key; only the dashes of a list need not. The
/// library does not care.
void TreeBuilder::check_indent(Position where, std::size_t offset) {
  if (frames_.empty() || !frames_.back().has_key || frames_.back().is_flow) return;
  const Frame& map = frames_.back();
  if (where.line > map.key_where.line && where.column <= map.node.where.column) {
    stop(offset, "expected 'key: value'; a value must be indented more than its key");
  }
}

/// True if a colon follows the frame's key. The library takes a word alone in the last line for a key as
/// well.
bool TreeBuilder::has_colon(const Frame& frame) const noexcept {
  const char first = char_at(text_, frame.key_offset);
  std::size_t end = frame.key_offset + frame.key.size();
  if (first == '"' || first == '\'') end = find_closing_quote(text_, frame.key_offset) + 1;
  while (char_at(text_, end) == ' ' || char_at(text_, end) == '\t')
    ++end;
  return char_at(text_, end) == ':';
}

/// Where to show that a value is missing: at its key, or at the dash of its list entry, which is the last one
/// above `offset`.
Position TreeBuilder::where_of_missing(std::size_t offset) {
  if (!frames_.empty() && frames_.back().has_key) return frames_.back().key_where;
  if (!frames_.empty() && char_at(text_, frames_.back().offset) != '[') {
    for (std::size_t begin = line_begin(text_, offset); begin > frames_.back().offset;) {
      begin = line_begin(text_, begin - 1);
      const std::string_view line = line_around(text_, begin);
      const std::size_t content = line.find_first_not_of(" \t\r");
      if (content == std::string_view::npos || line[content] == '#') continue;
      if (line[content] == '-') return finder_.at(begin + content);
      break;
    }
  }
  return finder_.at(offset);
}

// ---- what the library does not like, in our words ----

/// A list or map in brackets that does not go on as it must.
std::string TreeBuilder::bracket_fault(std::size_t& offset) {
  const auto is_bracket = [&](const Frame& frame) {
    return char_at(text_, frame.offset) == '[' || char_at(text_, frame.offset) == '{';
  };
  const auto frame = std::find_if(frames_.rbegin(), frames_.rend(), is_bracket);
  if (frame == frames_.rend()) return "unexpected text";
  const bool is_list = text_[frame->offset] == '[';
  if (offset >= text_.size()) {
    offset = frame->offset;
    return is_list ? "'[' is not closed" : "'{' is not closed";
  }
  std::string message = is_list ? "expected ',' or ']'" : "expected ',' or '}'";
  if (finder_.at(offset).line != frame->node.where.line) {
    message += is_list ? "; the list begins in line " : "; the map begins in line ";
    message += std::to_string(frame->node.where.line);
  }
  return message;
}

void TreeBuilder::explain(const YAML::Exception& exception) {
  namespace Library = YAML::ErrorMsg;
  std::size_t offset = offset_of(exception.mark);
  const std::string_view said = exception.msg;
  const auto is = [&](auto... texts) { return ((said == texts) || ...); };
  const std::size_t begin = line_begin(text_, offset);
  const std::string_view line = line_around(text_, offset);
  const std::string_view indent = line.substr(0, line.find_first_not_of(" \t"));
  const bool begins_line = offset - begin <= indent.size();

  const auto go_back_to = [&](char c) {  // some marks are behind what they mean
    const std::size_t found = text_.rfind(c, offset);
    return found == std::string_view::npos || found < begin ? offset : found;
  };

  std::string message;
  if (is(Library::TAB_IN_INDENTATION, Library::MAP_VALUE, Library::MAP_KEY, Library::BLOCK_ENTRY,
         Library::END_OF_MAP, Library::END_OF_SEQ) &&
      indent.find('\t') != std::string_view::npos) {
    offset = begin + indent.find('\t');
    message = "a tab cannot indent; use spaces";
  } else if (is(Library::DOC_IN_SCALAR)) {
    message = "a document marker inside of quotes; is a quote above not closed?";
  } else if (is(Library::END_OF_SEQ_FLOW, Library::END_OF_MAP_FLOW)) {
    message = bracket_fault(offset);
  } else if (is(Library::END_OF_MAP)) {
    message = begins_line ? "expected 'key: value'; is it indented like the lines above?"
                          : "unexpected text after the value";
  } else if (is(Library::END_OF_SEQ)) {
    message = begins_line ? "expected '- entry'; is it indented like the lines above?"
                          : "unexpected text after the value";
  } else if (is(Library::MAP_VALUE)) {
    message = begin > 0 && line.substr(0, offset - begin).find(':') == std::string_view::npos
                  ? "unexpected ':'; is a blank missing behind the ':' of the line above, or is this line "
                    "indented otherwise?"
                  : "unexpected ':'; quote a value that contains ': '";
  } else if (is(Library::MAP_KEY)) {
    message = "unexpected '?'";
  } else if (is(Library::BLOCK_ENTRY)) {
    message = "unexpected '-'; each entry of such a list begins on a line of its own";
  } else if (is(Library::FLOW_END, Library::UNKNOWN_TOKEN)) {
    const std::string_view rest = text_.substr(offset);
    message = "unexpected " + quoted(rest.substr(0, utf8_sequence_length(rest)));
    if (is(Library::UNKNOWN_TOKEN)) message += "; quote a value that begins with it";
  } else if (is(Library::CHAR_IN_BLOCK)) {
    message = "text behind '|' or '>' begins in the next line; quote a value that begins with one of them";
  } else if (is(Library::UNKNOWN_ANCHOR, Library::ALIAS_NOT_FOUND, Library::CHAR_IN_ALIAS)) {
    offset = go_back_to('*');
    message = kNoAliases;
  } else if (is(Library::ANCHOR_NOT_FOUND, Library::CHAR_IN_ANCHOR, Library::MULTIPLE_ANCHORS)) {
    offset = go_back_to('&');
    message = kNoAnchors;
  } else if (is(Library::CHAR_IN_TAG_HANDLE, Library::TAG_WITH_NO_SUFFIX, Library::END_OF_VERBATIM_TAG,
                Library::MULTIPLE_TAGS)) {
    offset = go_back_to('!');
    message = kNoTags;
  } else if (said.starts_with(Library::INVALID_ESCAPE)) {
    offset -= std::min<std::size_t>(offset, 2);  // the mark is behind the backslash and one byte
    const std::string_view rest = text_.substr(std::min(offset + 1, text_.size()));
    message = "a backslash cannot stand before " + quoted(rest.substr(0, utf8_sequence_length(rest))) +
              "; text in single quotes has no escapes";
  } else if (is(Library::INVALID_HEX) || said.starts_with(Library::INVALID_UNICODE)) {
    offset = go_back_to('\\');
    message = "this escape gives no character";
  } else {
    message = "not YAML: " + to_lower(said);
    while (message.ends_with('.'))
      message.pop_back();
  }
  fail(offset, std::move(message));
}

void TreeBuilder::explain(const LookaheadExceeded& exceeded) {
  if (exceeded.is_nesting)
    return fail(last_event_, "nested deeper than " + std::to_string(kMaxNesting) + " behind this");
  fail(last_event_, "too much behind this for one value; write a long list with one '- entry' a line");
}

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const noexcept {
  const auto found =
      std::find_if(members.begin(), members.end(), [&](const Member& member) { return member.key == key; });
  return found == members.end() ? nullptr : &found->value;
}

std::optional<YamlNode> read_yaml(std::string_view text, DiagnosticSink& sink) {
  if (text.size() > kMaxFileSize) {
    sink.error({}, "larger than 1 MiB");
    return std::nullopt;
  }
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (std::optional<Fault> fault = check_bytes(text)) {
    sink.error(fault->where, std::move(fault->message));
    return std::nullopt;
  }

  GuardedText guard(text);
  TreeBuilder builder(text, guard);
  try {
    std::istream stream(&guard);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Stop&) {
  } catch (const LookaheadExceeded& exceeded) {
    builder.explain(exceeded);
  } catch (const YAML::Exception& exception) {
    builder.explain(exception);
  } catch (const std::exception& exception) {  // the library has a few of its own faults
    builder.fail(0, "the YAML library failed: " + quoted(exception.what()));
  }
  for (Fault& fault : builder.take_faults()) {
    sink.error(fault.where, std::move(fault.message));
  }
  if (builder.is_fatal()) return std::nullopt;
  return builder.take_root();
}

std::string describe(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::Null:
      return "nothing";
    case YamlNode::Kind::Scalar:
      return quoted(node.scalar, kShownText);
    case YamlNode::Kind::List:
      return "a list";
    case YamlNode::Kind::Map:
      return "a map";
  }
  return {};
}

}  // namespace xsd::config
