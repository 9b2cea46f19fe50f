// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/listen_spec.h"

#include <gtest/gtest.h>

namespace xsd::config {
namespace {

using Family = ListenSpec::Family;
using net::Transport;

ListenSpec parsed(std::string_view text) {
  auto spec = parse_listen(text);
  EXPECT_TRUE(spec.has_value()) << text << ": " << (spec ? "" : spec.error().text());
  return spec ? *spec : ListenSpec{};
}

std::string fault(std::string_view text) {
  const auto spec = parse_listen(text);
  return spec ? "none: " + to_string(*spec) : spec.error().text();
}

TEST(ListenSpec, reads_every_scheme) {
  struct Case {
    std::string_view text;
    Transport transport;
    Family family;
  };
  constexpr Case kCases[] = {
      {"tcp://*:7", Transport::Stream, Family::Any},
      {"udp://*:7", Transport::Datagram, Family::Any},
      {"tcp4://*:7", Transport::Stream, Family::V4},
      {"udp4://*:7", Transport::Datagram, Family::V4},
      {"tcp6://*:7", Transport::Stream, Family::V6},
      {"udp6://*:7", Transport::Datagram, Family::V6},
      {"TCP://*:7", Transport::Stream, Family::Any},
      {"unix:///run/x", Transport::Stream, Family::Unix},
      {"unix-dgram:///run/x", Transport::Datagram, Family::Unix},
      {"unix-seqpacket:///run/x", Transport::SeqPacket, Family::Unix},
  };
  for (const Case& c : kCases) {
    const ListenSpec spec = parsed(c.text);
    EXPECT_EQ(spec.transport, c.transport) << c.text;
    EXPECT_EQ(spec.family, c.family) << c.text;
  }
}

TEST(ListenSpec, takes_hosts_apart) {
  struct Case {
    std::string_view text;
    std::string_view host;
    std::string_view interface_name;
    std::string_view port;
    Family family;
  };
  constexpr Case kCases[] = {
      {"tcp://127.0.0.1:7", "127.0.0.1", "", "7", Family::V4},
      {"tcp://[::1]:7", "::1", "", "7", Family::V6},
      {"tcp://[0:0::1]:7", "::1", "", "7", Family::V6},
      {"tcp://[2001:DB8::1]:7", "2001:db8::1", "", "7", Family::V6},
      {"tcp://[fe80::1%eth0]:7", "fe80::1%eth0", "", "7", Family::V6},
      {"tcp://[fe80::1]%eth0:7", "fe80::1", "eth0", "7", Family::V6},
      {"tcp://*%eth0:7", "*", "eth0", "7", Family::Any},
      {"tcp://%eth0:7", "*", "eth0", "7", Family::Any},
      {"udp://10.0.0.1%br-0.1:69", "10.0.0.1", "br-0.1", "69", Family::V4},
      {"tcp://Host.Example:7", "host.example", "", "7", Family::Any},
      {"tcp4://localhost:telnet", "localhost", "", "telnet", Family::V4},
      {"tcp://*:9000-9010", "*", "", "9000-9010", Family::Any},
      {"tcp://*:7-7", "*", "", "7", Family::Any},
      {"tcp://*:http-alt", "*", "", "http-alt", Family::Any},
      {"tcp://*:65535", "*", "", "65535", Family::Any},
  };
  for (const Case& c : kCases) {
    const ListenSpec spec = parsed(c.text);
    EXPECT_EQ(spec.host, c.host) << c.text;
    EXPECT_EQ(spec.interface_name, c.interface_name) << c.text;
    EXPECT_EQ(spec.port, c.port) << c.text;
    EXPECT_EQ(spec.family, c.family) << c.text;
  }
  EXPECT_EQ(parsed("unix:///run/x.sock").path, "/run/x.sock");
  EXPECT_EQ(parsed("unix://@name").path, "@name");
}

TEST(ListenSpec, writes_what_it_reads) {
  for (const std::string_view text : {"tcp://*:7", "udp4://*:7", "tcp6://localhost:echo", "tcp://[::1]:7",
                                      "udp://[fe80::1%lo]%eth0:7", "tcp://127.0.0.1:7", "tcp://*%eth0:1-9",
                                      "unix:///run/x", "unix-dgram://@x", "unix-seqpacket:///a/b"}) {
    EXPECT_EQ(to_string(parsed(text)), text);
    EXPECT_EQ(parsed(to_string(parsed(text))), parsed(text));
  }
  // A literal address says its family itself.
  EXPECT_EQ(parsed("tcp4://127.0.0.1:7"), parsed("tcp://127.0.0.1:7"));
  EXPECT_EQ(to_string(parsed("tcp6://[::1]:7")), "tcp://[::1]:7");
}

TEST(ListenSpec, says_what_is_wrong) {
  const std::pair<std::string_view, std::string_view> kCases[] = {
      {"7", "'7' is no endpoint: write 'tcp://*:7' (or udp://)"},
      {"*:7", "'*:7' is no endpoint: write 'tcp://*:7' (or udp://)"},
      {"localhost",
       "'localhost' is no endpoint: write something like 'tcp://127.0.0.1:7' or 'unix:///run/name.sock'"},
      {"/run/x.sock", "'/run/x.sock' is no endpoint: write 'unix:///run/x.sock'"},
      {"tcp:*:7", "'tcp:*:7' is no endpoint: write 'tcp://*:7'"},
      {"udp:/127.0.0.1:7", "'udp:/127.0.0.1:7' is no endpoint: write 'udp://127.0.0.1:7'"},
      {"unix:/run/x", "'unix:/run/x' is no endpoint: write 'unix:///run/x'"},
      {"tpc://*:7", "unknown protocol 'tpc', did you mean 'tcp'?"},
      {"sctp://*:7", "unknown protocol 'sctp', did you mean 'tcp'?"},
      {"foobar://*:7",
       "unknown protocol 'foobar': tcp, udp, tcp4, tcp6, udp4, udp6, unix, unix-dgram or unix-seqpacket"},
      {"://*:7", "unknown protocol '': tcp, udp, tcp4, tcp6, udp4, udp6, unix, unix-dgram or unix-seqpacket"},
      {"tcp://*", "the port is missing in 'tcp://*'"},
      {"tcp://*:", "the port is missing in 'tcp://*:'"},
      {"tcp://[::1]", "the port is missing in 'tcp://[::1]'"},
      {"tcp://:7", "the host is missing: write '*' for all addresses"},
      {"tcp://*:0", "port 0 is none: a service has a fixed port from 1 to 65535"},
      {"tcp://*:65536", "the port '65536' is not in 1 to 65535"},
      {"tcp://*:99999999999999999999", "the port '99999999999999999999' is not in 1 to 65535"},
      {"tcp://*:007", "the port '007' has a leading zero"},
      {"tcp://*:-1", "'-1' is no port and no range such as 9000-9010"},
      {"tcp://*:9000-", "'9000-' is no port and no range such as 9000-9010"},
      {"tcp://*:1-2-3", "'1-2-3' is no port and no range such as 9000-9010"},
      {"tcp://*:9010-9000", "the range '9010-9000' ends before it begins"},
      {"tcp://*:1-1025", "the range '1-1025' has more than 1024 ports"},
      {"tcp://*:0-5", "port 0 is none: a service has a fixed port from 1 to 65535"},
      {"tcp://*:7/",
       "'7/' is no port: a number, a name of the services database or a range such as 9000-9010"},
      {"tcp://*:+", "'+' is no port: a number, a name of the services database or a range such as 9000-9010"},
      {"tcp://::1:7", "an IPv6 address stands in brackets, and in quotes: \"tcp://[ADDRESS]:PORT\""},
      {"tcp://[::1:7", "']' is missing behind the IPv6 address in '[::1:7'"},
      {"tcp://[127.0.0.1]:7", "'127.0.0.1' is no IPv6 address"},
      {"tcp://[]:7", "'' is no IPv6 address"},
      {"tcp://[::1]x:7", "'x' makes no sense behind ']'"},
      {"tcp://[::ffff:192.0.2.1]:7",
       "'::ffff:192.0.2.1' is an IPv4 address in IPv6 clothes: write the IPv4 address"},
      {"tcp://[fe80::1%]:7", "the name of the interface is missing behind '%'"},
      {"tcp://*%:7", "the name of the interface is missing behind '%'"},
      {"tcp://*%abcdefghijklmnop:7", "'abcdefghijklmnop' cannot be the name of an interface"},
      {"tcp://256.0.0.1:7", "'256.0.0.1' is no IPv4 address"},
      {"tcp://127.1:7", "'127.1' is no IPv4 address"},
      {"tcp://bad host:7", "'bad host' is neither an address nor a host name nor '*'"},
      {"tcp://-x:7", "'-x' is neither an address nor a host name nor '*'"},
      {"tcp://a..b:7", "'a..b' is neither an address nor a host name nor '*'"},
      {"tcp4://[::1]:7", "'::1' is an IPv6 address, but only IPv4 is asked for"},
      {"udp6://127.0.0.1:7", "'127.0.0.1' is an IPv4 address, but only IPv6 is asked for"},
      {"unix://run/x",
       "a unix socket wants an absolute path (unix:///run/name.sock) or an abstract name (unix://@name), not "
       "'run/x'"},
      {"unix://",
       "a unix socket wants an absolute path (unix:///run/name.sock) or an abstract name (unix://@name), not "
       "''"},
      {"unix:///", "the name of the unix socket is missing"},
      {"unix://@", "the name of the unix socket is missing"},
      {"unix:///run/", "'/run/' names a folder, not a socket"},
      {"", "'' is no endpoint: write something like 'tcp://127.0.0.1:7' or 'unix:///run/name.sock'"},
  };
  for (const auto& [text, message] : kCases)
    EXPECT_EQ(fault(text), message) << text;
  EXPECT_EQ(fault("unix:///" + std::string(107, 'x')), "the path of a unix socket has at most 107 bytes");
  parsed("unix:///" + std::string(106, 'x'));
}

TEST(ListenSpec, takes_a_bare_address_for_bind_only) {
  ListenSpec spec;
  EXPECT_TRUE(parse_listen_host("2001:db8::1", true, spec));
  EXPECT_EQ(spec.host, "2001:db8::1");
  ListenSpec other;
  EXPECT_FALSE(parse_listen_host("2001:db8::1", false, other));
}

TEST(ListenSpec, knows_numeric_ports) {
  EXPECT_EQ(numeric_ports("7")->last, 7);
  EXPECT_EQ(numeric_ports("9000-9010")->first, 9000);
  EXPECT_EQ(numeric_ports("9000-9010")->last, 9010);
  EXPECT_FALSE(numeric_ports("http-alt"));
  EXPECT_FALSE(numeric_ports(""));
}

}  // namespace
}  // namespace xsd::config
