// SPDX-License-Identifier: Apache-2.0
#include "xsd/daemon/options.h"

#include <algorithm>
#include <boost/program_options.hpp>
#include <filesystem>
#include <sstream>

#include "xsd/base/number.h"
#include "xsd/base/text.h"
#include "xsd/daemon/exit_status.h"

namespace xsd::daemon {
namespace {

namespace po = boost::program_options;

constexpr const char* kUsage =
    "usage: xsd [options]\n       xsd --import xinetd|inetd PATH...\n\nxsd listens on TCP, UDP and unix "
    "sockets so that programs need not: a "
    "super-server.\n\n";

po::options_description describe_options() {
  po::options_description options("options", 100, 60);
  const auto text = [](const char* name) { return po::value<std::string>()->value_name(name); };
  auto add = options.add_options();
  add("config,c", text("PATH"),
      "main configuration file, or a folder of service files (default: /etc/xsd/xsd.yaml)");
  add("xinetd", text("FILE"), "run from a configuration of xinetd, in place of --config");
  add("inetd", text("FILE"), "the same from an inetd.conf");
  add("check", "load and validate the configuration, print every problem, exit with 0 or 78");
  add("dump-config", "print the effective configuration with the origin of each value");
  add("plugins", "list the plugins that services can use");
  add("import", text("FORMAT"),
      "print what files of another super-server, xinetd or inetd, are as a service file; what changes by "
      "that is reported on the standard error");
  add("foreground,f", "stay in the foreground (this is the default)");
  add("daemon,d", "detach once everything is up; the exit status tells whether it is");
  add("pid-file", text("FILE"), "where to write the process id");
  add("control-socket", text("PATH"), "where xsdctl will reach the daemon (no effect yet)");
  add("port-offset", text("N"), "add N to every port, to run without root (default: 0)");
  add("poller", text("NAME"), "epoll, poll or select (default: epoll)");
  add("workers", text("MODE"),
      "auto, or 0: the daemon hosts plugins and writes its log itself (default: auto)");
  add("log-level", text("LEVEL"), "error, warning, info or debug (default: info)");
  add("log-format", text("FORMAT"), "text or json (default: text)");
  add("log-file", text("PATH"), "log to a file, or - for the standard error");
  add("version", "print the version");
  add("help,h", "print this");
  return options;
}

Farewell usage_error(const std::string& what) {
  return {kExitUsage, "xsd: " + what + "\ntry 'xsd --help'\n"};
}

std::string bad_value(const char* option, const std::string& value, const char* wanted) {
  return "--" + std::string(option) + ": " + xsd::quoted(value) + " is not " + wanted;
}

std::string make_absolute(const std::string& path) {
  std::error_code
      ignored;  // without a current folder the path stays relative, and opening it says why it fails
  const std::filesystem::path whole = std::filesystem::absolute(path, ignored);
  // Behind a link `..` is where the kernel goes, not what the text says.
  const bool goes_back = std::find(whole.begin(), whole.end(), "..") != whole.end();
  std::string absolute = (goes_back ? whole : whole.lexically_normal()).string();
  if (absolute.size() > 1 && absolute.ends_with('/')) absolute.pop_back();
  return absolute.empty() ? path : absolute;
}

/// Not shown among the options: what stands behind them.
constexpr const char* kPaths = "paths";

std::optional<Farewell> interpret_import(const po::variables_map& given, Options& options) {
  if (given.contains(kPaths)) options.import_paths = given[kPaths].as<std::vector<std::string>>();
  if (!given.contains("import")) {
    if (options.import_paths.empty()) return std::nullopt;
    return usage_error("only options are understood; a configuration is named with --config");
  }
  options.mode = Mode::Import;
  const auto& format = given["import"].as<std::string>();
  if (format == "systemd") return usage_error("--import: socket units of systemd are not read yet");
  if (format != "xinetd" && format != "inetd")
    return usage_error(bad_value("import", format, "xinetd or inetd"));
  options.import_format = format == "inetd" ? config::SourceFormat::Inetd : config::SourceFormat::Xinetd;
  if (options.import_paths.empty())
    return usage_error("--import: a file is missing, for example 'xsd --import " + format + " /etc/" +
                       format + ".conf'");
  return std::nullopt;
}

std::variant<Options, Farewell> interpret(const po::variables_map& given) {
  const auto value = [&](const char* name) -> std::optional<std::string> {
    if (!given.contains(name)) return std::nullopt;
    return given[name].as<std::string>();
  };
  Options options;
  const int modes = (given.contains("check") ? 1 : 0) + (given.contains("dump-config") ? 1 : 0) +
                    (given.contains("plugins") ? 1 : 0) + (given.contains("import") ? 1 : 0);
  if (modes > 1) return usage_error("--check, --dump-config, --plugins and --import exclude each other");
  if (auto farewell = interpret_import(given, options)) return std::move(*farewell);
  if (given.contains("check")) options.mode = Mode::Check;
  if (given.contains("dump-config")) options.mode = Mode::DumpConfig;
  if (given.contains("plugins")) options.mode = Mode::Plugins;
  if (given.contains("foreground") && given.contains("daemon"))
    return usage_error("--foreground and --daemon exclude each other");
  options.detach = given.contains("daemon");
  for (const char* const name : {"config", "xinetd", "inetd", "pid-file", "control-socket", "log-file"}) {
    if (const auto path = value(name); path && path->empty())
      return usage_error(bad_value(name, *path, "a path"));
  }
  const auto sources = given.count("config") + given.count("xinetd") + given.count("inetd");
  if (sources > 1) return usage_error("--config, --xinetd and --inetd exclude each other");
  options.config_given = sources > 0;
  if (const auto path = value("config")) options.config = make_absolute(*path);
  if (const auto path = value("xinetd")) {
    options.config = make_absolute(*path);
    options.format = config::SourceFormat::Xinetd;
  }
  if (const auto path = value("inetd")) {
    options.config = make_absolute(*path);
    options.format = config::SourceFormat::Inetd;
  }
  if (const auto path = value("pid-file")) options.pid_file = make_absolute(*path);
  if (const auto path = value("control-socket")) options.control_socket = make_absolute(*path);
  if (const auto path = value("log-file")) options.log_file = *path == "-" ? *path : make_absolute(*path);
  if (const auto text = value("port-offset")) {
    const auto number = parse_unsigned(*text);
    if (!number || *number > 65534)
      return usage_error(bad_value("port-offset", *text, "a number from 0 to 65534"));
    options.port_offset = static_cast<unsigned>(*number);
  }
  if (const auto text = value("poller")) {
    const auto poller = reactor::parse_poller(*text);
    if (!poller) return usage_error(bad_value("poller", *text, "epoll, poll or select"));
    options.poller = *poller;
  }
  if (const auto text = value("workers")) {
    if (*text != "auto" && *text != "0") return usage_error(bad_value("workers", *text, "auto or 0"));
    options.workers = *text == "0" ? config::WorkersMode::Zero : config::WorkersMode::Auto;
  }
  if (const auto text = value("log-level")) {
    options.log_level = log::parse_level(*text);
    if (!options.log_level)
      return usage_error(bad_value("log-level", *text, "error, warning, info or debug"));
  }
  if (const auto text = value("log-format")) {
    if (*text != "text" && *text != "json")
      return usage_error(bad_value("log-format", *text, "text or json"));
    options.log_json = *text == "json";
  }
  return options;
}

}  // namespace

std::variant<Options, Farewell> parse_options(int argc, const char* const* argv) {
  const po::options_description known = describe_options();
  po::variables_map given;
  try {
    const int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
    po::options_description all = known;
    all.add_options()(kPaths, po::value<std::vector<std::string>>());
    const auto parsed = po::command_line_parser(argc, argv)
                            .options(all)
                            .positional(po::positional_options_description().add(kPaths, -1))
                            .style(style)
                            .run();
    for (const auto& option : parsed.options) {
      if (option.string_key == kPaths && option.position_key < 0)
        return usage_error("unrecognised option '--" + option.string_key + "'");
    }
    po::store(parsed, given);
    po::notify(given);
  } catch (const po::error& error) {
    return usage_error(error.what());
  }
  if (given.contains("help")) {
    std::ostringstream text;
    text << kUsage << known
         << "\nexit status: 0 clean stop, 1 failed at run time, 2 usage, 78 configuration\nmanual: xsd(8), "
            "xsd.yaml(5)\n";
    return Farewell{kExitSuccess, text.str()};
  }
  if (given.contains("version")) return Farewell{kExitSuccess, "xsd " XSD_VERSION "\n"};
  return interpret(given);
}

}  // namespace xsd::daemon
