// SPDX-License-Identifier: Apache-2.0
#include "cgi_environment.h"

#include <algorithm>

namespace httpd {
namespace {

constexpr std::string_view kNotTold[] = {
    "Authorization",     "Proxy-Authorization", "Proxy",  "Content-Length", "Content-Type", "Connection",
    "Transfer-Encoding", "Keep-Alive",          "Expect", "Host",           "Upgrade",      "TE"};

bool is_told(std::string_view name) noexcept {
  for (const std::string_view other : kNotTold) {
    if (same_word(other, name)) return false;
  }
  return true;
}

/// "Accept-Language" to "HTTP_ACCEPT_LANGUAGE"; empty if the name has other characters.
std::string variable_of(std::string_view name) {
  std::string variable = "HTTP_";
  for (const char c : name) {
    if (c >= 'a' && c <= 'z') {
      variable += static_cast<char>(c - 'a' + 'A');
    } else if ((c >= 'A' && c <= 'Z') || is_digit(c)) {
      variable += c;
    } else if (c == '-') {
      variable += '_';
    } else {
      return {};
    }
  }
  return variable;
}

void add(std::vector<std::string>& texts, std::string_view name, std::string_view value) {
  std::string text;
  text.reserve(name.size() + 1 + value.size());
  text += name;
  text += '=';
  text += value;
  texts.push_back(std::move(text));
}

void add_fields(std::vector<std::string>& texts, const Request& request) {
  const std::size_t first = texts.size();
  for (const Field& field : request.fields) {
    if (!is_told(field.name)) continue;
    const std::string variable = variable_of(field.name);
    if (variable.empty()) continue;
    // Several fields of a name are one list (RFC 9110 5.2); that of cookies has a mark of its own.
    const auto before = std::find_if(texts.begin() + static_cast<std::ptrdiff_t>(first), texts.end(),
                                     [&](const std::string& text) {
                                       return text.size() > variable.size() && text[variable.size()] == '=' &&
                                              text.compare(0, variable.size(), variable) == 0;
                                     });
    if (before == texts.end()) {
      add(texts, variable, field.value);
    } else {
      *before += same_word(field.name, "Cookie") ? "; " : ", ";
      *before += field.value;
    }
  }
}

}  // namespace

std::vector<std::string> cgi_environment(const CgiRequest& cgi) {
  const Request& request = *cgi.request;
  const Target& target = *cgi.target;
  const std::string_view host = target.authority.empty() ? request.host : target.authority;
  const std::string_view name = without_port(host);
  const std::string_view path_info = std::string_view(target.path).substr(cgi.script_name.size());

  std::vector<std::string> texts;
  texts.reserve(20 + request.fields.size());
  add(texts, "GATEWAY_INTERFACE", "CGI/1.1");
  add(texts, "SERVER_SOFTWARE", "xsd-httpd");
  add(texts, "SERVER_PROTOCOL", request.minor == 0 ? "HTTP/1.0" : "HTTP/1.1");
  add(texts, "SERVER_NAME", name.empty() ? cgi.local_address : name);
  add(texts, "SERVER_PORT", std::to_string(cgi.local_port));
  add(texts, "REQUEST_METHOD", request.method_text);
  add(texts, "SCRIPT_NAME", cgi.script_name);
  add(texts, "QUERY_STRING", target.query);
  add(texts, "REMOTE_ADDR", cgi.remote_address);
  add(texts, "REMOTE_HOST", cgi.remote_address);  // RFC 3875 4.1.9: if no name is known
  if (!path_info.empty()) {
    add(texts, "PATH_INFO", path_info);
    std::string translated(cgi.root);
    translated += path_info;
    add(texts, "PATH_TRANSLATED", translated);
  }
  if (request.has_body()) {
    add(texts, "CONTENT_LENGTH", std::to_string(cgi.body_length));
    if (const Field* const type = request.find("Content-Type")) add(texts, "CONTENT_TYPE", type->value);
  }
  if (!host.empty()) add(texts, "HTTP_HOST", host);
  add_fields(texts, request);
  return texts;
}

}  // namespace httpd
