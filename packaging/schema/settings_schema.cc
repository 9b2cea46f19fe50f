// SPDX-License-Identifier: Apache-2.0
//
// Writes the JSON Schemas (draft-07, which editors read) of a service file or, with the argument `main`, of
// the main file, from the settings table. A row whose kind of value is not known here ends it with 1.
//
// The daemon reads scalars as texts, editors as YAML has them: so `umask: 022` is a number to these, and
// wherever a text may look like one a schema has to take both; a truth value is taken where any text is, but
// not for an address, where editors would offer it. Words are compared without case by the daemon,
// and listed here as they are usually written; the pattern beside takes the others.
#include <algorithm>
#include <cctype>
#include <iostream>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "xsd/base/number.h"
#include "xsd/config/settings_table.h"
#include "xsd/config/value_decoders.h"
#include "xsd/config/yaml_reader.h"

namespace {

using xsd::config::AppliesTo;
using xsd::config::Availability;
using xsd::config::Scope;
using xsd::config::SettingsRow;
using xsd::config::YamlNode;

using Words = std::vector<std::string_view>;

std::string quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string object(const std::string& members) {
  return "{" + members + "}";
}

/// What a text in any case matches.
std::string any_case(std::string_view word) {
  std::string out;
  for (const char c : word) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalpha(byte) != 0) {
      out += {'[', static_cast<char>(std::toupper(byte)), static_cast<char>(std::tolower(byte)), ']'};
    } else {
      out += c;
    }
  }
  return out;
}

std::string any_case(const Words& words) {
  std::string out;
  for (const std::string_view word : words)
    out += (out.empty() ? "" : "|") + any_case(word);
  return out;
}

// The values below are the members of a schema without the braces.

std::string typed(std::string_view types, const std::string& pattern) {
  std::string out = "\"type\": " + std::string(types);
  if (!pattern.empty()) out += ", \"pattern\": " + quote("^(" + pattern + ")$");
  return out;
}

constexpr std::string_view kString = "\"string\"";
constexpr std::string_view kText = R"(["string", "number", "boolean"])";
constexpr std::string_view kIntegerOrString = R"(["integer", "string"])";
constexpr std::string_view kNumberOrString = R"(["number", "string"])";
constexpr std::string_view kWholeNumber = "0|[1-9][0-9]*";
constexpr std::string_view kDuration = "(0|[1-9][0-9]*)(ms|s|m|h|d)";
constexpr std::string_view kSize = "(0|[1-9][0-9]*)([KMGTkmgt]([Ii][Bb])?)?";
constexpr std::string_view kAbsolute = "/.*";
constexpr std::string_view kName = "[A-Za-z0-9._+@:/-]{1,64}";
constexpr std::string_view kHostPort = R"((\[[^\]]+\]|[^:]+):[^:]+)";

std::string text(std::string_view pattern) {
  return typed(kString, std::string(pattern));
}
std::string scalar(std::string_view pattern = ".+") {
  return typed(kNumberOrString, std::string(pattern));
}

std::string number(long lowest, long highest, std::string_view pattern = kWholeNumber) {
  return typed(kIntegerOrString, std::string(pattern)) + ", \"minimum\": " + std::to_string(lowest) +
         ", \"maximum\": " + std::to_string(highest);
}

std::string words(const Words& known) {
  std::string listed;
  for (const std::string_view word : known)
    listed += (listed.empty() ? "" : ", ") + quote(word);
  return "\"anyOf\": [{\"enum\": [" + listed + "]}, {" + text(any_case(known)) + "}]";
}

/// The value, or the word.
std::string or_word(const std::string& value, std::string_view word) {
  return "\"anyOf\": [{" + value + "}, {" + words({word}) + "}]";
}

std::string list(const std::string& items) {
  return "\"type\": \"array\", \"maxItems\": " + std::to_string(xsd::config::kMaxEntries) +
         ", \"items\": " + object(items);
}
std::string one_or_list(const std::string& item) {
  return "\"anyOf\": [{" + item + "}, {" + list(item) + "}]";
}

std::string bucket(bool has_action) {
  std::string members =
      "\"limit\": " + object(text("[1-9][0-9]*/[smhd]")) + ", \"burst\": " + object(number(1, 1'000'000'000));
  if (has_action) members += ", \"action\": " + object(words({"delay", "refuse"}));
  return or_word(
      "\"type\": \"object\", \"required\": [\"limit\"], \"additionalProperties\": false, "
      "\"properties\": {" +
          members + "}",
      "unlimited");
}

std::string resource_limit(std::string_view one) {
  const std::string soft = "(" + std::string(one) + "|" + any_case("unlimited") + ")";
  return typed(kIntegerOrString, soft + "(:" + soft + ")?|" + any_case("hard")) + ", \"minimum\": 0";
}

std::string log_type() {
  const std::string limit = object(typed(kIntegerOrString, std::string(kSize)) + ", \"minimum\": 1");
  return "\"anyOf\": [{" + words({"daemon"}) +
         "}, {\"type\": \"object\", \"required\": [\"syslog\"], \"additionalProperties\": false, "
         "\"properties\": {\"syslog\": " +
         object(scalar()) + ", \"level\": " + object(scalar()) +
         "}}, {\"type\": \"object\", \"required\": [\"file\"], \"additionalProperties\": false, "
         "\"properties\": {\"file\": " +
         object(text(kAbsolute)) + ", \"soft_limit\": " + limit + ", \"hard_limit\": " + limit +
         "}}, {\"type\": \"array\", \"minItems\": 2, \"maxItems\": 4, \"items\": " + object(scalar()) + "}]";
}

std::string log_target() {
  const auto one = [](std::string_view key, const std::string& value) {
    return "{\"type\": \"object\", \"required\": [" + quote(key) +
           "], \"additionalProperties\": false, \"properties\": {" + quote(key) + ": " + object(value) + "}}";
  };
  return "\"anyOf\": [{" + words({"stderr", "syslog", "journal"}) + "}, " + one("file", scalar()) + ", " +
         one("udp", text(kHostPort)) + "]";
}

Words usable(std::span<const xsd::config::Word> known) {
  Words out;
  for (const xsd::config::Word& word : known) {
    if (word.availability == Availability::Now) out.push_back(word.text);
  }
  return out;
}

/// The members of the schema of the row's value; nullopt if its kind is not known here.
std::optional<std::string> value_of(const SettingsRow& row) {
  const std::string_view key = row.name;
  const std::string_view kind = row.kind;
  // Keys that say more than their kind does.
  if (key == "type") return one_or_list(words(usable(xsd::config::kTypeWords)));
  if (key == "flags") return list(words(usable(xsd::config::kFlagWords)));
  if (key == "log_on_success") return list(words(usable(xsd::config::kSuccessWords)));
  if (key == "log_on_failure") return list(words(usable(xsd::config::kFailureWords)));
  if (key == "plugin") return scalar("[A-Za-z0-9._+@-]{1,64}");
  if (key == "backlog") return number(1, 65535);
  if (key == "max_processes") return or_word(number(1, 1'000'000'000), "unlimited");
  if (key == "max_load")
    return or_word(typed(kNumberOrString, "[0-9]+([.][0-9]+)?") + ", \"exclusiveMinimum\": 0", "unlimited");
  if (key == "workers") return R"("anyOf": [{"enum": [0]}, {)" + words({"auto", "0"}) + "}]";
  if (key == "stderr") return R"("anyOf": [{"type": "null"}, {)" + words({"socket", "log", "null"}) + "}]";
  if (key == "rate" || key == "source_rate") return bucket(key == "rate");
  if (key == "log_type") return log_type();
  if (key == "log.target") return log_target();
  if (key == "passenv") return list(scalar("[^=]+"));
  if (key == "server_args") return list(typed(kText, ""));
  // Kinds of values.
  if (kind == "name") return typed(kText, std::string(kName));
  if (kind == "text") return typed(kText, "");
  if (kind == "boolean")
    return typed(R"(["boolean", "string"])", any_case(Words{"true", "false", "yes", "no"}));
  if (kind == "duration") return text(kDuration);
  if (kind == "duration or unlimited") return or_word(text(kDuration), "unlimited");
  if (kind == "minutes, duration, FOREVER or NEVER")
    return "\"anyOf\": [{" + words({"FOREVER", "NEVER"}) + "}, {" +
           number(0, 14'400'000, std::string(kWholeNumber) + "|" + std::string(kDuration)) + "}]";
  if (kind == "number or unlimited") return or_word(number(0, 1'000'000'000), "unlimited");
  if (kind == "number from 1 to 64") return number(1, xsd::config::kMaxShards);
  if (kind == "number from -20 to 19") return number(-20, 19, "-?[0-9]+");
  if (kind == "octal number") return number(0, 777, "[0-7]+");
  if (kind == "size, SOFT:HARD, hard or unlimited") return resource_limit(kSize);
  if (kind == "number, SOFT:HARD, hard or unlimited") return resource_limit("0|[1-9][0-9]*");
  if (kind == "seconds or duration, SOFT:HARD, hard or unlimited")
    return resource_limit("(0|[1-9][0-9]*)(ms|s|m|h|d)?");
  if (kind == "name or number") return scalar("[^ :/,]+");
  if (kind == "name or local" || kind == "address or host name" || kind == "port" || kind == "path")
    return scalar();
  if (kind == "true, false or name") return typed(kText, R"([^ :,@#\\]+)");
  if (kind == "absolute path") return text(kAbsolute);
  if (kind == "absolute path, or empty") return text("(/.*)?");
  if (kind == "HOST:PORT or unix:/PATH") return text("unix:(//)?[/@].+|" + std::string(kHostPort));
  if (kind == "endpoint or list of endpoints") {
    const std::string endpoint = text("(tcp|udp)[46]?://.+|unix(-dgram|-seqpacket)?://[/@].+");
    return "\"anyOf\": [{" + endpoint + "}, {\"minItems\": 1, " + list(endpoint) + "}]";
  }
  if (kind == "[NUMBER, PAUSE] or unlimited") {
    const std::string pause = number(0, 86400, std::string(kWholeNumber) + "|" + std::string(kDuration));
    return or_word("\"type\": \"array\", \"minItems\": 2, \"maxItems\": 2, \"items\": [{" +
                       number(0, 1'000'000) + "}, {" + pause + "}]",
                   "unlimited");
  }
  if (kind == "map of v4 and v6 to numbers") {
    return "\"type\": \"object\", \"additionalProperties\": false, \"properties\": {\"v4\": " +
           object(number(0, 32)) + ", \"v6\": " + object(number(0, 128)) + "}";
  }
  if (kind == "map of texts") {
    return R"("anyOf": [{"type": "object", "maxProperties": )" + std::to_string(xsd::config::kMaxVariables) +
           R"(, "additionalProperties": )" + object(typed(kText, "")) +
           R"(}, {"type": "array", "maxItems": 0}])";
  }
  if (kind == "map of names to paths or lists") {
    return R"("type": "object", "minProperties": 1, "maxProperties": )" +
           std::to_string(xsd::config::kMaxPrograms) +
           R"(, "propertyNames": {"pattern": "^[a-z0-9_-]{1,32}$"}, "additionalProperties": {"anyOf": [{)" +
           text(kAbsolute) + R"(}, {"type": "array", "items": [{)" + text(kAbsolute) +
           R"(}], "minItems": 1, "additionalItems": )" + object(typed(kText, "")) + "}]}";
  }
  if (kind == "map") return R"("type": ["object", "null"])";
  if (kind == "list of addresses, networks and names" || kind == "list of times")
    return one_or_list(scalar());
  if (kind == "list of services" || kind == "list of folders") return list(scalar());
  static constexpr std::string_view kListsOfWords[] = {"stream or dgram",    "tcp or udp",
                                                       "terminate or drain", "terminate or leave",
                                                       "text or json",       "error, warning, info or debug"};
  if (std::find(std::begin(kListsOfWords), std::end(kListsOfWords), kind) == std::end(kListsOfWords))
    return std::nullopt;
  Words known;
  for (std::size_t at = 0; at < kind.size();) {
    const std::size_t end = std::min(kind.find_first_of(", ", at), kind.size());
    if (const auto word = kind.substr(at, end - at); !word.empty() && word != "or") known.push_back(word);
    at = end + 1;
  }
  return words(known);
}

std::string to_json(const YamlNode& node) {
  std::string out;
  switch (node.kind) {
    case YamlNode::Kind::Null:
      return "null";
    case YamlNode::Kind::Scalar:
      if (!node.quoted &&
          (node.scalar == "true" || node.scalar == "false" || xsd::parse_unsigned(node.scalar)))
        return node.scalar;
      return quote(node.scalar);
    case YamlNode::Kind::List:
      for (const YamlNode& item : node.items)
        out += (out.empty() ? "" : ", ") + to_json(item);
      return "[" + out + "]";
    case YamlNode::Kind::Map:
      for (const YamlNode::Member& member : node.members)
        out += (out.empty() ? "" : ", ") + quote(member.key) + ": " + to_json(member.value);
      return object(out);
  }
  return out;
}

/// A value that stands in the table as YAML has it; nullopt if it is none.
std::optional<std::string> to_json(std::string_view written) {
  xsd::config::DiagnosticSink sink("", "");
  const auto tree = xsd::config::read_yaml("value: " + std::string(written), sink);
  if (!tree || sink.has_errors()) return std::nullopt;
  return to_json(tree->members.front().value);
}

std::string describe(const SettingsRow& row) {
  std::string out(row.help.substr(0, row.help.find(". ")));
  if (!out.ends_with('.')) out += '.';
  if (row.no_effect_yet) out += " No effect yet in this version.";
  if (row.applies_to == AppliesTo::Programs) out += " For programs.";
  if (row.applies_to == AppliesTo::Started) out += " For programs, and plugin services with 'programs'.";
  if (row.applies_to == AppliesTo::Plugins) out += " For plugin services.";
  if (row.example.starts_with('{')) out += " Example: " + std::string(row.example);
  return out;
}

class Writer {
 public:
  int service_file() {
    open("{");
    line("\"$schema\": \"http://json-schema.org/draft-07/schema#\",");
    line("\"title\": \"service file of xsd\",");
    line("\"description\": \"One service, or several below 'services': xsd.yaml(5).\",");
    line(R"("type": ["object", "null"],)");
    line(R"("if": {"required": ["services"]},)");
    open("\"then\": {");
    line("\"additionalProperties\": false,");
    open("\"properties\": {");
    services("#/definitions/service");
    close("}");
    close("},");
    line(R"("else": {"if": {"type": "object"}, "then": {"$ref": "#/definitions/service"}},)");
    open("\"definitions\": {");
    open("\"service\": {");
    line("\"type\": \"object\",");
    line(R"("required": ["service"],)");
    line("\"additionalProperties\": false,");
    keys(is_of_service, "},");
    open("\"patternProperties\": {");
    for (const SettingsRow& row : xsd::config::settings_table()) {
      if (!is_of_service(row) || !row.is_list) continue;
      const bool is_map = row.kind.starts_with("map");
      item("^" + std::string(row.name) + (is_map ? "[+]$" : "[+-]$"),
           "\"description\": " +
               quote("added to (+), or removed from (-), '" + std::string(row.name) + "' of 'defaults'.") +
               ", " + known_value(row));
      if (is_map) {
        item(
            "^" + std::string(row.name) + "-$",
            "\"description\": " + quote("names removed from '" + std::string(row.name) + "' of 'defaults'.") +
                ", " + list(scalar()));
      }
    }
    end_items();
    close("}");
    close("}");
    close("}");
    close("}");
    return print();
  }

  int main_file() {
    open("{");
    line("\"$schema\": \"http://json-schema.org/draft-07/schema#\",");
    line("\"title\": \"main file of xsd\",");
    line(R"("description": "/etc/xsd/xsd.yaml: xsd.yaml(5).",)");
    line(R"("type": ["object", "null"],)");
    line("\"additionalProperties\": false,");
    open("\"properties\": {");
    open("\"daemon\": {");
    line("\"description\": \"The daemon itself.\",");
    line(R"("type": ["object", "null"],)");
    line("\"additionalProperties\": false,");
    keys(
        [](const SettingsRow& row) {
          return row.scope == Scope::Daemon && row.name.find('.') == std::string_view::npos;
        },
        "}");
    close("},");
    open("\"defaults\": {");
    line("\"description\": \"Keys of services, for all that do not say otherwise.\",");
    line(R"("type": ["object", "null"],)");
    line("\"additionalProperties\": false,");
    open("\"properties\": {");
    for (const SettingsRow& row : xsd::config::settings_table()) {
      if (row.availability != Availability::Now) continue;
      if (row.scope == Scope::Both) {
        item(row.name, R"("$ref": )" + quote("service.schema.json#/definitions/service/properties/" +
                                             std::string(row.name)));
      } else if (row.scope == Scope::Defaults) {
        item(row.name, members_of(row));
      }
    }
    end_items();
    close("}");
    close("},");
    line(
        "\"include\": {\"description\": \"Patterns of service files, relative to this file.\", \"default\": "
        "[\"conf.d/*.yaml\"], " +
        one_or_list(text(R"(([^*?\[]*/)?[^/]*([.]yaml|[*?\]]))")) + "},");
    services("service.schema.json#/definitions/service");
    close("}");
    close("}");
    return print();
  }

 private:
  static bool is_of_service(const SettingsRow& row) {
    return row.availability == Availability::Now && (row.scope == Scope::Service || row.scope == Scope::Both);
  }

  std::string known_value(const SettingsRow& row) {
    const auto value = value_of(row);
    if (!value) {
      std::cerr << "settings_schema: '" << row.name << "' is of an unknown kind: " << row.kind << "\n";
      faulty_ = true;
    }
    return value.value_or("");
  }

  std::string members_of(const SettingsRow& row) {
    std::string out = "\"description\": " + quote(describe(row));
    // What depends on something is said in words.
    const bool is_value = row.default_text.find(' ') == std::string_view::npos ||
                          row.default_text.starts_with('[') || row.default_text.starts_with('{');
    if (!row.default_text.empty() && is_value) {
      if (const auto value = to_json(row.default_text)) out += ", \"default\": " + *value;
    }
    // Editors show a map that they offer as "[object Object]": one stands in the description.
    if (const auto value = to_json(row.example); value && !row.example.empty() && !value->starts_with('{'))
      out += ", \"examples\": [" + *value + "]";
    return out + ", " + (row.name == "log" ? log_map() : known_value(row));
  }

  std::string log_map() {
    std::string members;
    for (const SettingsRow& row : xsd::config::settings_table()) {
      constexpr std::string_view kPrefix = "log.";
      if (row.scope != Scope::Daemon || !row.name.starts_with(kPrefix)) continue;
      members += (members.empty() ? "" : ", ") + quote(row.name.substr(kPrefix.size())) + ": " +
                 object(members_of(row));
    }
    return R"("type": ["object", "null"], "additionalProperties": false, "properties": )" + object(members);
  }

  void keys(bool (*wanted)(const SettingsRow&), const std::string& end) {
    open("\"properties\": {");
    for (const SettingsRow& row : xsd::config::settings_table()) {
      if (wanted(row)) item(row.name, members_of(row));
    }
    end_items();
    close(end);
  }

  void services(std::string_view definition) {
    line(
        R"("services": {"description": "Several services in one file.", "type": ["array", "null"], "items": {"$ref": )" +
        quote(definition) + "}}");
  }

  void line(const std::string& content) { out_ += std::string(depth_, ' ') + content + "\n"; }
  void open(const std::string& content) {
    line(content);
    depth_ += 2;
  }
  void close(const std::string& content) {
    depth_ -= 2;
    line(content);
  }
  void item(std::string_view key, const std::string& members) {
    line(quote(key) + ": " + object(members) + ",");
  }
  /// Takes the comma of the last item away.
  void end_items() { out_.erase(out_.size() - 2, 1); }

  int print() {
    std::cout << out_;
    return faulty_ || !std::cout.flush() ? 1 : 0;
  }

  std::string out_;
  std::size_t depth_ = 0;
  bool faulty_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  const bool is_main = argc == 2 && std::string_view(argv[1]) == "main";
  if (argc != 2 || (!is_main && std::string_view(argv[1]) != "service")) {
    std::cerr << "usage: settings_schema service|main\n";
    return 2;
  }
  return is_main ? Writer().main_file() : Writer().service_file();
}
