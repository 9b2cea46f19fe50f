// SPDX-License-Identifier: Apache-2.0
//
// A plugin service's definition and resolution on their way from the master to a worker (base/wire.h): what
// the worker's Service needs of them: of programs the names only. Where things stand in files stays with the
// master.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "xsd/config/definitions.h"

namespace xsd::config {

struct WiredDefinition {
  std::shared_ptr<const ServiceDefinition> definition;
  std::shared_ptr<const Resolution> resolution;
};

std::string encode_definition(const ServiceDefinition& definition, const Resolution& resolution);
/// Nothing if the bytes make no sense. `known`: texts that are shared if they come again, as those from
/// `defaults` do with every service.
std::optional<WiredDefinition> decode_definition(std::string_view bytes, const ClientFiles& known = {});

}  // namespace xsd::config
