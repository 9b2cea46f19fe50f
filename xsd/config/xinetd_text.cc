// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/xinetd_text.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "xsd/base/text.h"
#include "xsd/config/foreign_tree.h"
#include "xsd/config/loader.h"
#include "xsd/config/yaml_text.h"

namespace xsd::config {
namespace {

using Edit = XinetdAttribute::Edit;
using Kind = XinetdItem::Kind;

bool is_blank(char c) noexcept {
  return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/// The words of a line; columns count characters.
std::vector<XinetdWord> split(std::string_view line, std::uint32_t number) {
  std::vector<XinetdWord> words;
  std::uint32_t column = 1;
  for (std::size_t i = 0; i < line.size();) {
    if (is_blank(line[i])) {
      ++column;
      ++i;
      continue;
    }
    XinetdWord word{{}, {number, column}};
    for (; i < line.size() && !is_blank(line[i]); ++i)
      word.text += line[i];
    column += characters(word.text);
    words.push_back(std::move(word));
  }
  return words;
}

/// Splits the first `count` bytes off a word.
XinetdWord take_front(XinetdWord& word, std::size_t count) {
  XinetdWord front{word.text.substr(0, count), word.where};
  word.text.erase(0, count);
  word.where.column += characters(front.text);
  return front;
}

std::optional<Edit> operator_of(std::string_view text) noexcept {
  if (text == "=") return Edit::Set;
  if (text == "+=") return Edit::Add;
  if (text == "-=") return Edit::Remove;
  return std::nullopt;
}

/// The offset of the operator in a word that has one, npos otherwise.
std::size_t find_operator(std::string_view text) noexcept {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) return equals;
  return text[equals - 1] == '+' || text[equals - 1] == '-' ? equals - 1 : equals;
}

bool is_comment(std::string_view text) noexcept {
  return text.starts_with('#') || text.starts_with("//");
}

bool is_word(const XinetdWord& word, std::string_view text) noexcept {
  return equals_ignoring_case(word.text, text);
}

class Reader {
 public:
  explicit Reader(DiagnosticSink& sink) : sink_(sink) {}

  void read_line(std::string_view line, std::uint32_t number) {
    std::vector<XinetdWord> words = split(line, number);
    if (words.empty() || words.front().text.starts_with('#')) return;
    if (ends_item(words)) {
      // Only a new item can be what was meant.
      if (state_ == State::Inside) missing_end(words.front().where);
      if (state_ == State::Brace) missing_brace(words.front().where);
      return begin_item(std::move(words));
    }
    switch (state_) {
      case State::Outside:
        return read_outside(std::move(words));
      case State::Brace:
        if (words.front().text == "{") return open(std::move(words));
        missing_brace(words.front().where);
        state_ = State::Inside;  // so that what follows is not taken for lines of no block
        [[fallthrough]];
      case State::Inside:
        return read_inside(std::move(words));
    }
  }

  std::vector<XinetdItem> finish(std::uint32_t last_line) {
    if (state_ == State::Inside) missing_end({last_line, 1});
    if (state_ == State::Brace) missing_brace({last_line, 1});
    tell_of_stray();
    return std::move(items_);
  }

 private:
  enum class State : std::uint8_t {
    Outside,
    Brace,  ///< after the head of a block
    Inside,
  };

  /// A line that can only be the head of an item, inside a block too: there are no attributes of these names,
  /// and an attribute has an operator.
  static bool ends_item(const std::vector<XinetdWord>& words) noexcept {
    const XinetdWord& first = words.front();
    const bool has_operator = words.size() > 1 && find_operator(words[1].text) == 0;
    if (has_operator) return false;
    return is_word(first, "service") || is_word(first, "defaults") || is_word(first, "include") ||
           is_word(first, "includedir");
  }

  void begin_item(std::vector<XinetdWord> words) {
    tell_of_stray();
    state_ = State::Outside;
    const XinetdWord first = words.front();
    XinetdItem item;
    item.where = first.where;
    item.kind = is_word(first, "service")    ? Kind::Service
                : is_word(first, "defaults") ? Kind::Defaults
                : is_word(first, "include")  ? Kind::Include
                                             : Kind::IncludeFolder;
    std::size_t used = 1;
    if (item.kind != Kind::Defaults) {
      if (words.size() < 2 || words[1].text == "{") {
        sink_.error(first.where, std::string("the name of the ") +
                                     (item.kind == Kind::Service   ? "service"
                                      : item.kind == Kind::Include ? "file"
                                                                   : "folder") +
                                     " is missing");
        item.faulty = true;
      } else {
        item.argument = std::move(words[used++]);
        if (std::string why = fault_of_word(item.argument.text); !why.empty()) {
          sink_.error(item.argument.where, std::move(why));
          item.faulty = true;
          item.argument.text.clear();
        }
      }
    }
    const bool is_block = item.kind == Kind::Service || item.kind == Kind::Defaults;
    if (items_.size() == kMaxServices) {
      if (!std::exchange(is_full_, true))
        sink_.error(first.where, "more than " + std::to_string(kMaxServices) + " items");
      state_ = is_block ? State::Brace : State::Outside;
      is_dropped_ = is_block;
      return;
    }
    items_.push_back(std::move(item));
    if (is_block) state_ = State::Brace;
    is_dropped_ = false;
    words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(used));
    if (is_block && !words.empty() && words.front().text == "{") {
      sink_.warning(words.front().where, "'{' wants a line of its own: xinetd does not take this block");
      return open(std::move(words));
    }
    if (!words.empty() && !is_comment(words.front().text))
      sink_.warning(words.front().where, quoted(words.front().text) + " and what follows has no effect");
  }

  void open(std::vector<XinetdWord> words) {
    state_ = State::Inside;
    words.erase(words.begin());
    // Whatever follows in the line: often the whole of a short block.
    if (words.empty() || is_comment(words.front().text)) return;
    const bool closes = words.back().text == "}";
    if (closes) words.pop_back();
    if (!words.empty()) {
      sink_.warning(words.front().where,
                    "an attribute wants a line of its own: xinetd does not take this one");
      read_attribute(std::move(words));
    }
    if (closes) state_ = State::Outside;
  }

  void read_outside(std::vector<XinetdWord> words) {
    if (words.front().text == "{") {
      tell_of_stray();
      sink_.warning(words.front().where,
                    "a block without 'service' or 'defaults' before it: what stands in it has no effect");
      nameless_ = true;
      return;
    }
    if (nameless_ && words.front().text == "}") {
      nameless_ = false;
      return;
    }
    if (nameless_) return;
    if (stray_.line == 0) stray_ = words.front().where;
    ++stray_lines_;
  }

  /// Lines that belong to nothing, told of once for all that stand together.
  void tell_of_stray() {
    nameless_ = false;
    if (stray_.line == 0) return;
    sink_.warning(stray_, stray_lines_ == 1 ? std::string("this line stands in no block and has no effect")
                                            : "these " + std::to_string(stray_lines_) +
                                                  " lines stand in no block and have no effect");
    stray_ = {};
    stray_lines_ = 0;
  }

  void read_inside(std::vector<XinetdWord> words) {
    if (words.front().text == "}") {
      state_ = State::Outside;
      if (words.size() > 1 && !is_comment(words[1].text))
        sink_.warning(words[1].where, quoted(words[1].text) + " and what follows has no effect");
      return;
    }
    if (words.front().text == "{") {
      sink_.warning(words.front().where, "a second '{' has no effect");
      return;
    }
    if (is_comment(words.front().text)) return;  // begins with two slashes
    read_attribute(std::move(words));
  }

  void read_attribute(std::vector<XinetdWord> words) {
    XinetdAttribute attribute;
    attribute.where = words.front().where;
    // name=value, name= value and name =value: xinetd wants blanks around the operator.
    if (const std::size_t place = find_operator(words.front().text);
        place != std::string_view::npos && place > 0) {
      sink_.warning(attribute.where,
                    "a blank is missing before the operator: xinetd does not take this block");
      const XinetdWord name = take_front(words.front(), place);
      words.insert(words.begin(), name);
    }
    if (words.size() > 1) {
      XinetdWord& second = words[1];
      const std::size_t length = second.text.starts_with('=') ? 1 : 2;
      if (!operator_of(second.text) && second.text.size() > length &&
          operator_of(std::string_view(second.text).substr(0, length))) {
        const XinetdWord sign = take_front(second, length);
        words.insert(words.begin() + 1, sign);
      }
    }
    const auto edit = words.size() > 1 ? operator_of(words[1].text) : std::nullopt;
    if (!edit) {
      fault(words.front().where,
            "an attribute is written 'name = value', and " + quoted(words.front().text) + " has no operator");
      return;
    }
    attribute.name = to_lower(words.front().text);
    attribute.edit = *edit;
    attribute.values.assign(std::make_move_iterator(words.begin() + 2), std::make_move_iterator(words.end()));
    if (attribute.name.empty()) return fault(attribute.where, "the name of the attribute is missing");
    if (!is_dropped_) items_.back().attributes.push_back(std::move(attribute));
  }

  void fault(Position where, std::string message) {
    sink_.error(where, std::move(message));
    if (!is_dropped_) items_.back().faulty = true;
  }

  std::string block_name() const {
    if (is_dropped_) return "a block";
    const XinetdItem& item = items_.back();
    return item.kind == Kind::Defaults ? "'defaults'" : "service " + quoted(item.argument.text);
  }

  // What the block has is complete; xinetd would take the next one for a part of it.
  void missing_end(Position where) {
    sink_.warning(where, "'}' is missing before this line: taken as the end of " + block_name() +
                             ", where xinetd goes on to the next '}'");
    state_ = State::Outside;
  }

  void missing_brace(Position where) {
    fault(where, "'{' is missing after the head of " + block_name());
    state_ = State::Outside;
  }

  DiagnosticSink& sink_;
  State state_ = State::Outside;
  std::vector<XinetdItem> items_;
  Position stray_;  ///< the first of the lines that belong to nothing
  std::size_t stray_lines_ = 0;
  bool nameless_ = false;    ///< in a block without a head
  bool is_dropped_ = false;  ///< the block under way is one too many
  bool is_full_ = false;
};

}  // namespace

std::vector<XinetdItem> read_xinetd(std::string_view text, DiagnosticSink& sink) {
  skip_byte_order_mark(text);
  Reader reader(sink);
  std::uint32_t number = 0;
  while (!text.empty())
    reader.read_line(next_line(text), ++number);
  return reader.finish(std::max(number, 1U));
}

}  // namespace xsd::config
