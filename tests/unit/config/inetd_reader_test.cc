// SPDX-License-Identifier: Apache-2.0
//
// inetd.conf to the tree that the same would be in YAML: what was meant, and what is said about the rest.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "xsd/config/inetd_reader.h"
#include "xsd/config/loader.h"
#include "xsd/config/yaml_writer.h"

namespace xsd::config {
namespace {

using testing::HasSubstr;

struct Read {
  YamlNode root;
  std::string said;  ///< LINE:COL: severity: message
};

Read read(std::string_view text) {
  DiagnosticSink sink("x", text, DiagnosticSink::Extent::All);
  Read out{read_inetd_file(text, sink), {}};
  for (const Diagnostic& one : sink.all()) {
    const std::string_view severity = one.severity == Severity::Error     ? "error"
                                      : one.severity == Severity::Warning ? "warning"
                                                                          : "note";
    out.said += std::to_string(one.where.line) + ":" + std::to_string(one.where.column) + ": " +
                std::string(severity) + ": " + one.message + "\n";
  }
  return out;
}

/// The keys of the only service.
std::string one(std::string_view text) {
  const Read out = read(text);
  const YamlNode& services = *out.root.find("services");
  EXPECT_EQ(services.items.size(), 1U) << out.said;
  return services.items.empty() ? "" : write_yaml(services.items[0]);
}

/// What is said but for the two notes that every usual file gets once.
std::string said(std::string_view text) {
  std::string out = read(text).said;
  for (const char* const usual : {"inetd closes a service for ten minutes after 256",
                                  "programs whose argv[0] is their name get their whole path there"}) {
    const std::size_t at = out.find(usual);
    if (at == std::string::npos) continue;
    const std::size_t newline = out.rfind('\n', at);
    const std::size_t begin = newline == std::string::npos ? 0 : newline + 1;
    out.erase(begin, out.find('\n', at) + 1 - begin);
  }
  return out;
}

TEST(InetdReader, reads_what_everybody_writes) {
  const Read out = read(
      "# comment\n"
      "\n"
      "daytime\tstream\ttcp4\tnowait\troot\tinternal\n"
      "finger  stream  tcp46  nowait  nobody  /usr/sbin/in.fingerd  in.fingerd -w\n");
  EXPECT_EQ(
      out.said,
      "4:62: note: programs whose argv[0] is their name get their whole path there; where that matters say "
      "NAMEINARGS\n"
      "4:24: note: inetd closes a service for ten minutes after 256 starts in a minute (GNU's after "
      "1000); here there is no such limit: write 'rate' or 'cps' for one\n");
  EXPECT_EQ(write_yaml(out.root),
            "defaults: {instances: unlimited, groups: true, passenv: [\"*\"], no_new_privs: false}\n"
            "services:\n"
            "  - service: daytime\n"
            "    listen: [\"tcp4://*:daytime\"]\n"
            "    type: [INTERNAL]\n"
            "  - service: finger\n"
            "    listen: [\"tcp://*:finger\"]\n"
            "    wait: false\n"
            "    user: nobody\n"
            "    server: /usr/sbin/in.fingerd\n"
            "    server_args: [\"-w\"]\n");
}

TEST(InetdReader, reads_where_to_listen) {
  EXPECT_THAT(one("7 stream tcp4 nowait me /a a"), HasSubstr("listen: [\"tcp4://*:7\"]\n"));
  EXPECT_THAT(one("7 dgram udp6 wait me /a a"), HasSubstr("listen: [\"udp6://*:7\"]\nwait: true\n"));
  EXPECT_THAT(one("::1:444 stream tcp6 nowait me /a a"), HasSubstr("listen: [\"tcp://[::1]:444\"]\n"));
  EXPECT_THAT(one("[::1]:444 stream tcp6 nowait me /a a"), HasSubstr("listen: [\"tcp://[::1]:444\"]\n"));
  EXPECT_THAT(one("192.0.2.1,192.0.2.2:ftp stream tcp nowait me /a a"),
              HasSubstr("listen: [tcp://192.0.2.1:ftp, tcp://192.0.2.2:ftp]\n"));
  EXPECT_THAT(one("/run/s.sock stream unix nowait me /a a"),
              HasSubstr("service: s.sock\nlisten: [unix:///run/s.sock]\nwait: false\nuser: me\n"));
  EXPECT_THAT(one("/run/s dgram unix wait me /a a"), HasSubstr("listen: [unix-dgram:///run/s]\n"));
  EXPECT_THAT(one("/run/s seqpacket unix wait me /a a"), HasSubstr("listen: [unix-seqpacket:///run/s]\n"));
  EXPECT_EQ(said(":me:me:600:/run/s stream unix nowait me /a a"),
            "1:1: error: a socket with an owner and a mode is not supported: put it into a folder with that "
            "mode\n");
}

TEST(InetdReader, tells_once_what_tcp_and_tcp6_are) {
  EXPECT_EQ(
      said("7 stream tcp nowait me /a a\n8 dgram udp wait me /a a\n"),
      "1:10: note: 'tcp' is IPv4 and IPv6 in this file, as with Debian's inetd; for those of BSD, GNU and "
      "busybox it is IPv4 alone: here that is 'tcp4'\n");
  EXPECT_EQ(
      said("7 dgram udp6 wait me /a a\n8 stream tcp6 nowait me /a a\n9 stream tcp6only nowait me /a a\n"),
      "1:9: note: 'udp6' is IPv6 alone in this file, as with the inetds of BSD and Debian; those of GNU and "
      "busybox take IPv4 too: here that is 'udp46'\n");
  EXPECT_EQ(said("127.0.0.1:7 stream tcp nowait me /a a\n8 stream tcp46 nowait me /a a\n"), "");
}

TEST(InetdReader, takes_both_families_unless_told_otherwise) {
  const auto listen = [](std::string_view protocol) {
    return write_yaml(*read("h:7 stream " + std::string(protocol) + " nowait me /a a")
                           .root.find("services")
                           ->items[0]
                           .find("listen"));
  };
  EXPECT_EQ(listen("tcp"), "[tcp://h:7]\n");
  EXPECT_EQ(listen("tcp46"), "[tcp://h:7]\n");
  EXPECT_EQ(listen("tcp4"), "[tcp4://h:7]\n");
  EXPECT_EQ(listen("tcp6"), "[tcp6://h:7]\n");
  EXPECT_EQ(listen("tcp6only"), "[tcp6://h:7]\n");
}

TEST(InetdReader, gives_each_family_to_the_last_entry_that_asks_for_it) {
  const Read out = read(
      "7 stream tcp nowait me /a a\n"
      "7 stream tcp6 nowait me /b b\n"
      "8 stream tcp6 nowait me /c c\n"
      "8 stream tcp nowait me /d d\n"
      "9 stream tcp4 nowait me /e e\n"
      "9 stream tcp6 nowait me /f f\n"
      "9 stream tcp nowait me /g g\n"
      "127.0.0.1:9 stream tcp4 nowait me /h h\n"
      "127.0.0.1:9 stream tcp nowait me /i i\n");
  std::string seen;
  for (const YamlNode& service : out.root.find("services")->items)
    seen += service.find("server")->scalar + " " + write_yaml(*service.find("listen"));
  EXPECT_EQ(seen,
            "/a [\"tcp4://*:7\"]\n"
            "/b [\"tcp6://*:7\"]\n"
            "/d [\"tcp://*:8\"]\n"
            "/g [\"tcp://*:9\"]\n"
            "/i [tcp://127.0.0.1:9]\n");
  for (const int line : {3, 5, 6, 8})
    EXPECT_THAT(out.said, HasSubstr(std::to_string(line) + ":1: warning: line ")) << out.said;
}

TEST(InetdReader, keeps_the_address_that_a_line_sets) {
  const Read out = read(
      "127.0.0.1,::1:\n"
      "7 stream tcp4 nowait me /a a\n"
      "8 stream tcp46 nowait me /a a\n"
      "*:9 stream tcp4 nowait me /a a\n"
      "*:\n"
      "10 stream tcp4 nowait me /a a\n");
  std::string listen;
  for (const YamlNode& service : out.root.find("services")->items)
    listen += write_yaml(*service.find("listen"));
  EXPECT_EQ(listen,
            "[tcp://127.0.0.1:7]\n"
            "[tcp://127.0.0.1:8, \"tcp://[::1]:8\"]\n"
            "[\"tcp4://*:9\"]\n"
            "[\"tcp4://*:10\"]\n");
  EXPECT_THAT(out.said, HasSubstr("2:1: note: the addresses of the other family are left out\n"));
}

TEST(InetdReader, reads_limits_behind_wait) {
  EXPECT_THAT(one("7 stream tcp4 nowait.25 me /a a"),
              HasSubstr("wait: false\nrate: {limit: 25/m, burst: 25}\nuser: me\n"));
  EXPECT_THAT(one("7 stream tcp4 nowait:20 me /a a"), HasSubstr("rate: {limit: 20/m, burst: 20}\n"));
  EXPECT_EQ(
      said("7 stream tcp4 nowait.25 me /a a"),
      "1:15: note: after more than 25 starts in a minute inetd closes the service for ten minutes; here "
      "'rate' lets the clients wait\n");
  EXPECT_THAT(one("7 stream tcp4 nowait/20/60/4 me /a a"),
              HasSubstr("instances: 20\nsource_rate: {limit: 60/m, burst: 60}\nper_source: 4\n"));
  EXPECT_THAT(one("7 stream tcp4 nowait/0/0/4 me /a a"), HasSubstr("wait: false\nper_source: 4\nuser"));
  EXPECT_EQ(said("7 dgram udp4 wait/1 me /a a"),
            "1:14: note: with 'wait' there is one program, and the limit 1 has no effect\n");
  EXPECT_THAT(one("7 dgram udp4 wait:100 me /a a"),
              HasSubstr("wait: true\nrate: {limit: 100/m, burst: 100}\n"));
  EXPECT_EQ(said("7 stream tcp4 nowait.x me /a a"), "1:15: error: 'x' in 'nowait.x' is no number\n");
  EXPECT_EQ(said("7 stream tcp4 no me /a a"), "1:15: error: 'no' is not wait or nowait\n");
}

TEST(InetdReader, reads_who_the_program_is) {
  EXPECT_THAT(one("7 stream tcp4 nowait me:tty /a a"), HasSubstr("user: me\ngroup: tty\n"));
  EXPECT_THAT(one("7 stream tcp4 nowait me.tty /a a"), HasSubstr("user: me\ngroup: tty\n"));
  EXPECT_THAT(one("7 stream tcp4 nowait j.doe:tty/ftp /a a"), HasSubstr("user: j.doe\ngroup: tty\n"));
  EXPECT_EQ(said("7 stream tcp4 nowait me/ftp /a a"),
            "1:22: warning: the limits of the login class 'ftp' are not taken over: write them as "
            "'rlimit_...'\n");
  EXPECT_EQ(said("7 stream tcp4 nowait :tty /a a"), "1:22: error: the user is missing in ':tty'\n");
}

TEST(InetdReader, reads_programs_and_their_names) {
  // The first argument is argv[0].
  EXPECT_THAT(one("7 stream tcp4 nowait me /bin/a a -x"),
              HasSubstr("server: /bin/a\nserver_args: [\"-x\"]\n"));
  EXPECT_THAT(one("7 stream tcp4 nowait me /bin/a /bin/a -x"), HasSubstr("server_args: [\"-x\"]\n"));
  EXPECT_THAT(one("7 stream tcp4 nowait me /bin/busybox ftpd -w"),
              HasSubstr("server: /bin/busybox\nserver_args: [ftpd, \"-w\"]\nflags: [NAMEINARGS]\n"));
  EXPECT_EQ(
      said("7 stream tcp4 nowait me /bin/a -u x"),
      "1:32: warning: '-u' is argv[0] and no argument: the name of the program may be missing before it\n");
  EXPECT_EQ(said("7 stream tcp4 nowait me /bin/a"),
            "1:25: note: argv[0] is missing: the program gets its path there\n");
  EXPECT_EQ(
      said("7 stream tcp4 nowait me ftpd ftpd"),
      "1:25: error: 'ftpd' has no path: busybox looks for it in PATH, others in '/'; write where it is\n");
  EXPECT_THAT(one("7 stream tcp4 nowait me /a a %{x}"), HasSubstr("server_args: [\"%%{x}\"]\n"));
}

TEST(InetdReader, leaves_tcpd_out) {
  EXPECT_THAT(one("ftp stream tcp4 nowait me /usr/sbin/tcpd in.ftpd -l"),
              HasSubstr("server: /usr/sbin/in.ftpd\nserver_args: [\"-l\"]\nlibwrap: in.ftpd\n"));
  EXPECT_THAT(one("ftp stream tcp4 nowait me /usr/sbin/tcpd /opt/x/smtpd"),
              HasSubstr("server: /opt/x/smtpd\nlibwrap: smtpd\n"));
  EXPECT_EQ(said("ftp stream tcp4 nowait me /usr/sbin/tcpd in.ftpd"),
            "1:42: note: tcpd is left out: xsd asks hosts.allow and hosts.deny itself and starts "
            "'/usr/sbin/in.ftpd'\n");
  EXPECT_THAT(one("tftp dgram udp4 wait me /usr/sbin/tcpd in.tftpd"), HasSubstr("libwrap: in.tftpd\n"));
  EXPECT_THAT(
      said("ftp stream tcp4 wait me /usr/sbin/tcpd in.ftpd"),
      HasSubstr("1:40: warning: with 'wait' there is no client yet that hosts.allow and hosts.deny could be "
                "asked about\n"));
  EXPECT_THAT(said("ftp stream tcp4 nowait me tcpd in.ftpd"), HasSubstr("'in.ftpd' has no path"));
}

TEST(InetdReader, reads_services_of_tcpmux) {
  EXPECT_EQ(one("tcpmux/+finger stream tcp nowait me /a a"),
            "service: finger\ntype: [TCPMUXPLUS]\nwait: false\nuser: me\nserver: /a\n");
  EXPECT_THAT(one("tcpmux/x stream tcp nowait me /a a"), HasSubstr("service: x\ntype: [TCPMUX]\n"));
  EXPECT_THAT(one("tcpmux stream tcp4 nowait root internal"), HasSubstr("type: [INTERNAL]\n"));
}

TEST(InetdReader, refuses_what_cannot_be) {
  const auto first = [](std::string_view text) {
    const std::string all = said(text);
    return all.substr(0, all.find('\n'));
  };
  EXPECT_EQ(first("7 dgram udp4 nowait me /a a"),
            "1:14: error: a program that serves datagrams owns the socket: with 'nowait' inetd starts one "
            "after the "
            "other while the datagram is there");
  EXPECT_EQ(first("rstatd/1-3 dgram rpc/udp wait root /a a"),
            "1:18: error: services of the RPC port mapper are not supported");
  EXPECT_EQ(first("7 stream faith/tcp6 nowait root /a a"),
            "1:10: error: 'faith', the translation of IPv6 to IPv4, is not supported");
  EXPECT_EQ(first("7 raw icmp wait root /a a"), "1:3: error: 'raw' sockets are not supported");
  EXPECT_EQ(
      first("7 steam tcp nowait root /a a"),
      "1:3: error: 'steam' is no type of a socket, known are stream, dgram and, for unix, seqpacket; did you "
      "mean 'stream'?");
  EXPECT_EQ(first("http on bind = 0.0.0.0, port = 80;"),
            "1:6: error: NetBSD's form of NAME = VALUE is not read: say it in YAML");
  EXPECT_EQ(first("7 stream udp nowait root /a a"), "1:10: error: 'stream' goes with tcp, not 'udp'");
  EXPECT_EQ(first("7 stream sctp nowait root /a a"),
            "1:10: error: 'sctp' is no protocol, known are tcp and udp, with 4, 6 or 46 behind, and unix");
  EXPECT_EQ(first("auth stream tcp4 nowait root internal"),
            "1:30: error: 'auth' is no internal service of xsd");
  EXPECT_EQ(first("caf\xE9 stream tcp4 nowait root /a a"),
            "1:1: error: 'caf\\xe9' is not UTF-8 without controls");
  EXPECT_EQ(first("7 stream tcp4 nowait me\xEF\xBB\xBF /a a"),
            "1:22: error: a byte order mark stands in 'me\xEF\xBB\xBF'");
}

TEST(InetdReader, loses_one_entry_for_a_bad_line) {
  const Read out = read("7 stream tcp4 nowait me /a a\nprose is no entry\n8 stream tcp4 nowait me /a a\n");
  EXPECT_THAT(out.said,
              HasSubstr("2:1: error: an entry has at least 6 words, and here are 4: SERVICE TYPE PROTOCOL "
                        "WAIT USER PROGRAM ARGUMENTS\n"));
  ASSERT_EQ(out.root.find("services")->items.size(), 3U);
  EXPECT_EQ(out.root.find("services")->items[1].find("service")->scalar, "prose");
}

TEST(InetdReader, warns_of_what_has_no_equivalent) {
  EXPECT_EQ(said("7 stream:dataready tcp4,sndbuf=4k nowait me /a a"),
            "1:3: warning: the accept filter in 'stream:dataready' has no equivalent\n"
            "1:20: warning: the option 'sndbuf=4k' has no equivalent\n");
  EXPECT_EQ(
      said("#@ in ipsec esp/require\n#@\n"),
      "1:1: warning: the IPsec policy 'in ipsec esp/require' has no equivalent: without it anybody reaches "
      "the services that follow\n");
  EXPECT_EQ(said("#<off># sane-port\tstream tcp nowait saned:saned /usr/sbin/saned saned\n#<off>#\n"),
            "1:1: note: the entry of 'sane-port' is switched off, it is left out\n");
}

TEST(InetdReader, joins_lines_and_words) {
  EXPECT_THAT(one("7 stream tcp4 nowait me /a a b\n\t\"c d\"\n"), HasSubstr("server_args: [b, \"c d\"]\n"));
  EXPECT_EQ(
      said("7 stream tcp4 nowait me /a a b\n\t\"c d\"\n"),
      "2:2: note: quotes hold a word together, as with the inetds of FreeBSD and NetBSD; others pass them "
      "on\n"
      "2:2: note: the indented line is taken for the rest of the entry before it\n");
  EXPECT_THAT(one("7 stream tcp4 nowait me \\\n/a a \\\n  b # c\n"),
              HasSubstr("server: /a\nserver_args: [b]\n"));
  EXPECT_EQ(
      said("7 stream tcp4 nowait me /a a b # c\n"),
      "1:32: warning: taken for a comment: many inetds take a word that begins with # for an argument\n");
  EXPECT_THAT(one("7 stream tcp4 nowait me /a a 'b c\n"), HasSubstr("server_args: [\"'b\", c]\n"));
  const Read indented = read("7 stream tcp4 nowait me /a a\n  8 stream tcp4 nowait me /a a\n");
  EXPECT_EQ(indented.root.find("services")->items.size(), 2U);
  EXPECT_THAT(indented.said, HasSubstr("2:3: warning: the indented line is taken for an entry"));
}

TEST(InetdReader, gives_every_service_an_id_of_its_own) {
  const Read out = read(
      "echo stream tcp4 nowait root internal\n"
      "echo dgram udp4 wait root internal\n"
      "echo stream tcp6 nowait root internal\n"
      "127.0.0.2:echo stream tcp4 nowait root internal\n"
      "127.0.0.3:echo stream tcp4 nowait root internal\n");
  std::string ids;
  for (const YamlNode& service : out.root.find("services")->items)
    ids += (service.find("id") != nullptr ? service.find("id")->scalar : "-") + " ";
  EXPECT_EQ(ids, "- echo-udp echo-tcp6 echo-2 echo-3 ");
  EXPECT_THAT(out.said, HasSubstr("2:1: note: the id 'echo' is taken, this service gets 'echo-udp'\n"));
}

TEST(InetdReader, takes_the_last_entry_of_a_socket) {
  const Read out = read(
      "7 stream tcp4 nowait me /a a\n"
      "7 dgram udp4 wait me /a a\n"
      "7 stream tcp4 nowait me /b\xE9 b\n"
      "7 stream tcp4 nowait me /c c\n");
  const auto& services = out.root.find("services")->items;
  ASSERT_EQ(services.size(), 3U);  // a faulty one keeps its place, and takes none away
  EXPECT_EQ(services[2].find("server")->scalar, "/c");
  EXPECT_THAT(out.said,
              HasSubstr("1:1: warning: line 4 asks for the same socket and is what counts: this entry is "
                        "left out\n"));
}

TEST(InetdReader, refuses_entries_rather_than_more_addresses_than_anybody_has) {
  std::string hosts = "127.0.0.1";
  for (int i = 2; i <= 40; ++i)
    hosts += ",127.0.0." + std::to_string(i);
  EXPECT_EQ(said(hosts + ":\n7 stream tcp4 nowait me /a a\n*:8 stream tcp4 nowait me /a a\n"),
            "2:1: error: the line that sets the addresses has more than 32\n");
}

TEST(InetdReader, has_a_bound) {
  std::string text;
  for (std::size_t i = 0; i <= kMaxServices + 1; ++i)
    text += "s" + std::to_string(i) + " stream tcp4 nowait root internal\n";
  const Read out = read(text);
  EXPECT_EQ(out.root.find("services")->items.size(), kMaxServices + 1);
  EXPECT_THAT(out.said, HasSubstr("10001:1: error: more than 10000 entries\n"));
}

}  // namespace
}  // namespace xsd::config
