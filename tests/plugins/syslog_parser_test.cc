// SPDX-License-Identifier: Apache-2.0
#include "logd/syslog_parser.h"

#include <gtest/gtest.h>

#include <string>

namespace logd {
namespace {

/// Everything that was found, in a form that shows which field holds what.
std::string found(std::string_view bytes) {
  const SyslogRecord record = parse_syslog(bytes);
  if (record.malformed) return "malformed {" + std::string(record.message) + "}";
  std::string out = std::to_string(record.facility) + "." + std::to_string(record.severity);
  for (const std::string_view field :
       {record.host, record.app, record.process, record.message_id, record.structured_data, record.message}) {
    out += " {";
    out += field;
    out += '}';
  }
  return out;
}

TEST(SyslogParser, takes_the_examples_of_rfc_5424) {
  EXPECT_EQ(
      found("<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \xEF\xBB\xBF'su root' failed"),
      "4.2 {mymachine.example.com} {su} {} {ID47} {} {'su root' failed}");
  EXPECT_EQ(found("<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time."),
            "20.5 {192.0.2.1} {myproc} {8710} {} {} {%% It's time.}");
  EXPECT_EQ(found("<165>1 2003-10-11T22:14:15.003Z host evntslog - ID47 [exampleSDID@32473 iut=\"3\" "
                  "eventSource=\"App\"][other@1 x=\"a\\]\\\"b\"] An event"),
            "20.5 {host} {evntslog} {} {ID47} {[exampleSDID@32473 iut=\"3\" eventSource=\"App\"][other@1 "
            "x=\"a\\]\\\"b\"]} {An event}");
  EXPECT_EQ(found("<165>1 2003-10-11T22:14:15.003Z host evntslog - ID47 [a b=\"\"]"),
            "20.5 {host} {evntslog} {} {ID47} {[a b=\"\"]} {}");
  EXPECT_EQ(found("<0>1 - - - - - -"), "0.0 {} {} {} {} {} {}");
}

TEST(SyslogParser, keeps_what_begins_as_rfc_5424_and_does_not_go_on_so) {
  for (const char* const text :
       {"<34>1 2003-10-11 host app - - - x", "<34>1 - host app - -", "<34>1 - host app - - [a b=\"c] x",
        "<34>1 - host app - - [a b=\"]\"] x", "<34>1 - host app - - [a b] x", "<34>1 - host app - - [] x",
        "<34>1 - host app - - -x", "<34>1 -  app - - - x", "<34>1 - ho\tst app - - - x", "<34>1 "}) {
    EXPECT_EQ(found(text), "malformed {" + std::string(text) + "}");
  }
}

TEST(SyslogParser, takes_rfc_3164_as_it_is_found) {
  EXPECT_EQ(found("<34>Oct 11 22:14:15 mymachine su: 'su root' failed"),
            "4.2 {mymachine} {su} {} {} {} {'su root' failed}");
  EXPECT_EQ(found("<13>Feb  5 17:32:18 10.0.0.99 Use the BFG!"),
            "1.5 {10.0.0.99} {} {} {} {} {Use the BFG!}");
  EXPECT_EQ(found("<30>Nov  2 01:10:47 sshd[812]: from here"), "3.6 {} {sshd} {812} {} {} {from here}");
  EXPECT_EQ(found("<30>Nov 2 01:10:47 host cron[9]: x: y"), "3.6 {host} {cron} {9} {} {} {x: y}");
  EXPECT_EQ(found("<30>2026-11-22T01:10:47.5+01:00 host app: x"), "3.6 {host} {app} {} {} {} {x}");
  EXPECT_EQ(found("<13>no time"), "1.5 {} {} {} {} {} {no time}");
  EXPECT_EQ(found("<13>app: no time"), "1.5 {} {app} {} {} {} {no time}");
  EXPECT_EQ(found("<13>app:"), "1.5 {} {app} {} {} {} {}");
  EXPECT_EQ(found("<191>"), "23.7 {} {} {} {} {} {}");
}

TEST(SyslogParser, takes_no_address_for_a_tag) {
  EXPECT_EQ(found("<13>Oct 11 22:14:15 2001:db8::1 su: x"), "1.5 {2001:db8::1} {su} {} {} {} {x}");
  EXPECT_EQ(found("<13>http://example.org is down"), "1.5 {} {} {} {} {} {http://example.org is down}");
  EXPECT_EQ(found("<13>Oct 11 22:14:15 host a[b c]: x"), "1.5 {host} {} {} {} {} {a[b c]: x}");
}

TEST(SyslogParser, keeps_what_has_no_priority) {
  for (const char* const text :
       {"", "x", "<", "<>x", "<192>x", "<1234>x", "<01>x", "<1x>x", "<13", "< 1>x", "<-1>x"})
    EXPECT_EQ(found(text), "malformed {" + std::string(text) + "}");
}

TEST(SyslogParser, leaves_out_what_ends_a_record_on_the_wire) {
  EXPECT_EQ(found(std::string_view("<13>app: x\r\n\0", 13)), "1.5 {} {app} {} {} {} {x}");
  EXPECT_EQ(found("garbage\n\n"), "malformed {garbage}");
}

TEST(SyslogParser, has_a_bound_for_fields) {
  const std::string longest(255, 'h');
  EXPECT_EQ(found("<13>1 - " + longest + " a - - - x"), "1.5 {" + longest + "} {a} {} {} {} {x}");
  EXPECT_TRUE(parse_syslog("<13>1 - " + longest + "h a - - - x").malformed);
}

TEST(SyslogParser, knows_the_times_of_rfc_3339) {
  EXPECT_EQ(rfc3339_length("2026-11-22T01:10:47Z x"), 20U);
  EXPECT_EQ(rfc3339_length("2026-11-22T01:10:47.123456789-07:30"), 35U);
  for (const char* const text :
       {"", "2026-11-22", "2026-11-22T01:10:47", "2026-11-22T01:10:47.Z", "2026-11-22 01:10:47Z",
        "2026-11-22T01:10:47.1234567890Z", "2026-11-22T01:10:47+1:00"})
    EXPECT_EQ(rfc3339_length(text), 0U) << text;
}

}  // namespace
}  // namespace logd
