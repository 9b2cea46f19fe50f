// SPDX-License-Identifier: Apache-2.0
//
// What the tests of the loadable plugins share: the library as it is installed, hosted on the loop of the
// test, with settings, threads for what blocks, and listeners of its own.
#pragma once

#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <dlfcn.h>
#include <sys/un.h>

#include "datagram_peer.h"
#include "xsd/config/definitions.h"
#include "xsd/plugin/blocking_pool.h"
#include "xsd/plugin/settings_nodes.h"

namespace xsd::plugin {

class LoadedPluginTest : public DatagramPluginTest {
 protected:
  LoadedPluginTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "xsd-plugin-XXXXXX").string();
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    folder = pattern;
  }
  ~LoadedPluginTest() override {
    end_service();
    std::filesystem::remove_all(folder);
  }

  /// NAME.so stays loaded, as in the daemon.
  static const xsd_plugin* load(const std::string& name) {
    void* const library =
        ::dlopen((std::string(XSD_PLUGIN_BUILD_DIR "/") + name + ".so").c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
      ADD_FAILURE() << ::dlerror();
      return nullptr;
    }
    const auto entry = reinterpret_cast<xsd_plugin_entry>(::dlsym(library, "xsd_plugin_entry_v1"));
    return entry == nullptr ? nullptr : entry();
  }
  using Settings = std::initializer_list<std::pair<const char*, std::string>>;
  static config::SettingsNode settings_of(Settings settings) {
    config::SettingsNode map;
    map.kind = config::SettingsNode::Kind::Map;
    for (const auto& [key, text] : settings) {
      config::SettingsNode value;
      value.kind = config::SettingsNode::Kind::Scalar;
      value.scalar = text;
      map.members.emplace_back(key, std::move(value));
    }
    return map;
  }
  /// What `validate` finds, a line each.
  static std::string problems(const std::string& name, Settings settings) {
    const xsd_plugin* const plugin = load(name);
    if (plugin == nullptr) return "not loaded";
    std::string found;
    validate_settings(
        known_part(*plugin), settings_of(settings),
        [&](const config::Position&, std::string_view text) { found += std::string(text) + "\n"; });
    return found;
  }

  void start_loaded(const std::string& name, Settings settings) {
    const xsd_plugin* const plugin = load(name);
    ASSERT_NE(plugin, nullptr);
    const config::SettingsNode map = settings_of(settings);
    if (!pool) pool = std::make_unique<BlockingPool>(*loop);
    HostedOptions options;
    options.service = name;
    options.settings = &map;
    options.pool = pool.get();
    options.on_stream_end = [this](const StreamEnd& end) { ends.push_back(end); };
    options.on_log = [this](std::uint32_t level, std::string_view text) {
      logged += std::to_string(level) + ":" + std::string(text) + "\n";
    };
    auto created =
        HostedService::create(*loop, {plugin->name, plugin->description, plugin}, std::move(options));
    ASSERT_TRUE(created) << created.error().text();
    service = std::move(*created);
  }
  /// Its last callback has run.
  void end_service() {
    stream_watch_.reset();
    dgram_watch_.reset();
    service.reset();
    pool.reset();
  }
  std::uint64_t counter(std::string_view name) const {
    for (const auto& [key, value] : service->metrics())
      if (key == name) return value;
    ADD_FAILURE() << "no counter " << name;
    return 0;
  }

  /// The service is reached over TCP on 127.0.0.1, at this port, from now on.
  std::uint16_t listen_tcp() {
    const net::SocketAddress any = *net::SocketAddress::parse("127.0.0.1", 0);
    listen_stream(UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)), any.raw(),
                  any.raw_length());
    return address_of(stream_listener_.get(), false).port();
  }
  std::string listen_unix() {
    const std::string path = (folder / "stream").string();
    const sockaddr_un address = unix_address(path);
    listen_stream(UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)),
                  reinterpret_cast<const sockaddr*>(&address), sizeof address);
    return path;
  }
  std::string listen_unix_datagrams() {
    const std::string path = (folder / "dgram").string();
    const sockaddr_un address = unix_address(path);
    dgram_ = UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    EXPECT_EQ(::bind(dgram_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    dgram_address_ = address_of(dgram_.get(), false);
    EXPECT_TRUE(prepare_datagram_socket(dgram_.get(), dgram_address_));
    auto watch = loop->watch(dgram_.get(), reactor::kReadable, [this](reactor::Events) {
      EXPECT_EQ(service->read_datagrams(dgram_.get(), dgram_address_, false), 0);
    });
    EXPECT_TRUE(watch);
    dgram_watch_ = std::move(*watch);
    return path;
  }
  static UniqueFd connect_unix(const std::string& path, int type = SOCK_STREAM) {
    UniqueFd made(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
    const sockaddr_un address = unix_address(path);
    EXPECT_EQ(::connect(made.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0)
        << std::strerror(errno);
    return made;
  }

  static std::string content(const std::filesystem::path& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  std::filesystem::path folder;
  std::unique_ptr<BlockingPool> pool;

 private:
  static sockaddr_un unix_address(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    EXPECT_LT(path.size(), sizeof address.sun_path);
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    return address;
  }
  void listen_stream(UniqueFd listener, const sockaddr* address, socklen_t length) {
    stream_watch_.reset();
    stream_listener_ = std::move(listener);
    ASSERT_EQ(::bind(stream_listener_.get(), address, length), 0) << std::strerror(errno);
    ASSERT_EQ(::listen(stream_listener_.get(), 64), 0);
    auto watch = loop->watch(stream_listener_.get(), reactor::kReadable, [this](reactor::Events) {
      UniqueFd accepted(::accept4(stream_listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (accepted) (void)open(std::move(accepted));
    });
    ASSERT_TRUE(watch);
    stream_watch_ = std::move(*watch);
  }

  UniqueFd stream_listener_;
  UniqueFd dgram_;
  net::SocketAddress dgram_address_;
  reactor::Watch stream_watch_;
  reactor::Watch dgram_watch_;
};

}  // namespace xsd::plugin
