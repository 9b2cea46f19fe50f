// SPDX-License-Identifier: Apache-2.0
#include "xsd/base/error.h"

#include <cstring>
#include <utility>

namespace xsd {

std::string errno_text(int number) {
  char buffer[128];
  return strerror_r(number, buffer, sizeof buffer);
}

Error Error::from_errno(int number, std::string_view what) {
  Error error(std::string(what) + ": " + errno_text(number));
  error.number_ = number;
  return error;
}

Error Error::with_number(int number, std::string text) {
  Error error(std::move(text));
  error.number_ = number;
  return error;
}

Error Error::within(std::string_view noun) && {
  text_.insert(0, ": ").insert(0, noun);
  return std::move(*this);
}

Error Error::within(std::string_view noun) const& {
  return Error(*this).within(noun);
}

}  // namespace xsd
