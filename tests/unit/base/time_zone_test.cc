// SPDX-License-Identifier: Apache-2.0
#include "xsd/base/time_zone.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <unistd.h>

namespace xsd {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;
using namespace std::chrono_literals;

/// An environment variable, for one test.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    set(value);
  }
  ~Variable() { set(before_ ? before_->c_str() : nullptr); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  void set(const char* value) const {
    if (value != nullptr) {
      ::setenv(name_, value, 1);
    } else {
      ::unsetenv(name_);
    }
  }

 private:
  const char* name_;
  std::optional<std::string> before_;
};

sys_seconds at(std::int64_t moment) {
  return sys_seconds(seconds(moment));
}

void append_number(std::string& out, std::uint64_t value, int width) {
  for (int i = width - 1; i >= 0; --i)
    out += static_cast<char>(value >> (8 * i));
}

/// A TZif file as it should be, to be spoilt.
struct Zone {
  char version = '2';
  std::vector<std::int64_t> times{0, 1000};
  std::string indices{"\1\0", 2};
  std::vector<std::int32_t> offsets{3600, 7200};
  std::uint32_t leaps = 0;
  std::string footer = "\nCET-1\n";

  void append_block(std::string& out, int width) const {
    out += "TZif";
    out += version;
    out.append(15, '\0');
    for (const std::size_t count :
         {std::size_t{0}, std::size_t{0}, std::size_t{leaps}, times.size(), offsets.size(), std::size_t{4}})
      append_number(out, count, 4);
    for (const std::int64_t time : times)
      append_number(out, static_cast<std::uint64_t>(time), width);
    out += indices;
    for (const std::int32_t offset : offsets) {
      append_number(out, static_cast<std::uint32_t>(offset), 4);
      out.append(2, '\0');
    }
    out.append("CET\0", 4);
    out.append(leaps * static_cast<std::size_t>(width + 4), '\0');
  }
  std::string bytes() const {
    std::string out;
    append_block(out, 4);
    if (version == '\0') return out;
    append_block(out, 8);
    return out + footer;
  }
};

TEST(TimeZone, is_utc_unless_told) {
  EXPECT_EQ(TimeZone().at(at(0)).offset, 0s);
  EXPECT_EQ(TimeZone().at(at(0)).until, std::nullopt);
}

TEST(TimeZone, reads_changes_and_then_the_footer) {
  const auto zone = TimeZone::from_tzif(Zone{}.bytes());
  ASSERT_TRUE(zone) << zone.error().text();
  EXPECT_EQ(zone->at(at(-1)).offset, 3600s);
  EXPECT_EQ(zone->at(at(-1)).until, at(0));
  EXPECT_EQ(zone->at(at(0)).offset, 7200s);
  EXPECT_EQ(zone->at(at(999)).until, at(1000));
  EXPECT_EQ(zone->at(at(1000)).offset, 3600s);
  EXPECT_EQ(zone->at(at(1000)).until, std::nullopt);
}

TEST(TimeZone, reads_version_1) {
  Zone one{.version = '\0'};
  one.times = {-2'000'000'000, 2'000'000'000};
  one.indices = std::string("\0\1", 2);
  const auto zone = TimeZone::from_tzif(one.bytes());
  ASSERT_TRUE(zone) << zone.error().text();
  EXPECT_EQ(zone->at(at(-2'000'000'000)).until, at(2'000'000'000));
  EXPECT_EQ(zone->at(at(2'000'000'000)).offset, 7200s);
  EXPECT_EQ(zone->at(at(2'000'000'000)).until, std::nullopt);
}

TEST(TimeZone, needs_no_changes_and_no_rule) {
  const auto fixed = TimeZone::from_tzif(Zone{.times = {}, .indices = {}, .footer = "\n\n"}.bytes());
  ASSERT_TRUE(fixed) << fixed.error().text();
  EXPECT_EQ(fixed->at(at(0)).offset, 3600s);
  const auto ruled = TimeZone::from_tzif(Zone{.times = {}, .indices = {}, .footer = "\nEST5\n"}.bytes());
  ASSERT_TRUE(ruled) << ruled.error().text();
  EXPECT_EQ(ruled->at(at(-1'000'000'000)).offset, -5h);
}

TEST(TimeZone, says_what_is_wrong_with_a_file) {
  const auto error = [](const std::string& bytes) {
    const auto zone = TimeZone::from_tzif(bytes);
    return zone ? std::string() : zone.error().text();
  };
  EXPECT_EQ(error(""), "not a TZif file");
  EXPECT_EQ(error(std::string(44, 'x')), "not a TZif file");
  EXPECT_EQ(error(Zone{.version = '1'}.bytes()), "a TZif file of an unknown version");
  EXPECT_EQ(error(Zone{.leaps = 1}.bytes()),
            "it counts leap seconds, which the clock of the system does not");
  EXPECT_EQ(error(Zone{.offsets = {}}.bytes()), "it must have 1 to 256 kinds of local time");
  EXPECT_EQ(error(Zone{.offsets = std::vector<std::int32_t>(257)}.bytes()),
            "it must have 1 to 256 kinds of local time");
  EXPECT_EQ(error(Zone{.offsets = {3600}}.bytes()),
            "a change leads to a kind of local time that is not there");
  EXPECT_EQ(error(Zone{.offsets = {3600, 26 * 3600}}.bytes()), "an offset is more than a day");
  EXPECT_EQ(error(Zone{.offsets = {INT32_MIN, 0}}.bytes()), "an offset is more than a day");
  EXPECT_EQ(error(Zone{.times = {1000, 1000}}.bytes()), "its changes are not in order");
  EXPECT_EQ(error(Zone{.times = std::vector<std::int64_t>(2001), .indices = std::string(2001, '\0')}.bytes()),
            "it has more than 2000 changes");
  EXPECT_EQ(error(Zone{.footer = ""}.bytes()), "the TZif file has no footer");
  EXPECT_EQ(error(Zone{.footer = "\nCET-1"}.bytes()), "the TZif file has no footer");
  EXPECT_EQ(error(Zone{.footer = "\n\x1b\n"}.bytes()), "its footer '\\x1b' is no TZ string");
  EXPECT_EQ(error(std::string(kMaxZoneFile + 1, '\0')), "too large for a time zone");
}

TEST(TimeZone, takes_no_file_that_is_cut_short) {
  const std::string whole = Zone{}.bytes();
  for (std::size_t length = 0; length < whole.size(); ++length)
    EXPECT_FALSE(TimeZone::from_tzif(std::string_view(whole).substr(0, length))) << length;
  // Counts that claim more than any file has.
  for (std::size_t count = 20; count < 44; count += 4) {
    std::string bytes = whole;
    bytes.replace(count, 4, 4, '\xff');
    EXPECT_FALSE(TimeZone::from_tzif(bytes)) << count;
  }
}

TEST(TimeZone, stays_inside_the_folder_of_zones) {
  for (const char* name : {"", "/etc/localtime", "../zoneinfo/UTC", "a/../../b", "a b", "a\nb", "\xc3\xa4"}) {
    const auto zone = TimeZone::load(name);
    ASSERT_FALSE(zone) << name;
    EXPECT_NE(zone.error().text().find("cannot be the name of a time zone"), std::string::npos);
  }
  EXPECT_FALSE(TimeZone::load(std::string(256, 'a')));
}

TEST(TimeZone, is_loaded_from_tzdir) {
  const std::filesystem::path folder =
      std::filesystem::path(testing::TempDir()) / ("zones." + std::to_string(::getpid()));
  std::filesystem::create_directories(folder / "Area");
  std::ofstream(folder / "Area" / "Here", std::ios::binary) << Zone{}.bytes();
  std::ofstream(folder / "Area" / "Long", std::ios::binary) << std::string(kMaxZoneFile + 1, '\0');
  const Variable variable("TZDIR", folder.c_str());
  const auto zone = TimeZone::load("Area/Here");
  ASSERT_TRUE(zone) << zone.error().text();
  EXPECT_EQ(zone->at(at(1)).offset, 7200s);
  EXPECT_EQ(TimeZone::load("Area").error().text(), (folder / "Area").string() + ": not a regular file");
  EXPECT_EQ(TimeZone::load("Area/Long").error().text(),
            (folder / "Area" / "Long").string() + ": too large for a time zone");
  EXPECT_EQ(TimeZone::load("Area/None").error().number(), ENOENT);
  {
    const Variable local("TZ", ":Area/Here");
    EXPECT_EQ(TimeZone::local().at(at(1)).offset, 7200s);
    local.set((folder / "Area" / "Here").c_str());
    EXPECT_EQ(TimeZone::local().at(at(1)).offset, 7200s);
    local.set("Area/None");
    EXPECT_EQ(TimeZone::local().at(at(1)).offset, 0s);
    local.set("CET-1CEST,M3.5.0,M10.5.0/3");
    EXPECT_EQ(TimeZone::local().at(at(1)).offset, 3600s);
    local.set(":EST5");
    EXPECT_EQ(TimeZone::local().at(at(1)).offset, -5h);
    local.set("");
    EXPECT_EQ(TimeZone::local().at(at(1)).offset, 0s);
  }
  std::filesystem::remove_all(folder);
}

// ---- Against the C library
// ---------------------------------------------------------------------------------

constexpr const char* kZones = "/usr/share/zoneinfo";
constexpr std::int64_t kEnd = 4'102'444'800;  // 2100

std::vector<std::string> zone_names() {
  std::vector<std::string> names;
  std::error_code none;
  for (std::filesystem::recursive_directory_iterator it(kZones, none), end; it != end; ++it) {
    const std::string name = it->path().lexically_relative(kZones).string();
    // posix/ is the same again; right/ counts leap seconds.
    if (it->is_directory() && (name == "posix" || name == "right")) it.disable_recursion_pending();
    char magic[4] = {};
    if (!it->is_regular_file()) continue;
    std::ifstream(it->path(), std::ios::binary).read(magic, sizeof magic);
    if (std::string_view(magic, sizeof magic) == "TZif") names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

seconds offset_of_libc(std::int64_t moment) {
  const std::time_t time = moment;
  std::tm local{};
  return localtime_r(&time, &local) == nullptr ? seconds::min() : seconds(local.tm_gmtoff);
}

void compare_with_libc(const TimeZone& zone, const std::string& name, std::mt19937_64& random) {
  const auto compare = [&](std::int64_t moment) {
    ASSERT_EQ(zone.at(at(moment)).offset, offset_of_libc(moment)) << name << " at " << moment;
  };
  std::int64_t moment = 0;
  while (moment < kEnd) {
    ASSERT_NO_FATAL_FAILURE(compare(moment));
    const auto until = zone.at(at(moment)).until;
    if (!until) break;
    ASSERT_GT(*until, at(moment)) << name;
    const std::int64_t next = until->time_since_epoch().count();
    ASSERT_NO_FATAL_FAILURE(compare(next - 1));
    moment = next;
  }
  for (int i = 0; i < 100; ++i) {
    ASSERT_NO_FATAL_FAILURE(compare(std::uniform_int_distribution<std::int64_t>(0, kEnd)(random)));
  }
}

TEST(TimeZone, agrees_with_the_c_library_about_every_zone) {
  const std::vector<std::string> names = zone_names();
  if (names.size() < 10) GTEST_SKIP() << "no time zones in " << kZones;
  std::mt19937_64 random(1);
  const Variable variable("TZ", "");
  for (const std::string& name : names) {
    variable.set(name.c_str());
    ::tzset();
    const auto zone = TimeZone::load(name);
    ASSERT_TRUE(zone) << name << ": " << zone.error().text();
    ASSERT_NO_FATAL_FAILURE(compare_with_libc(*zone, name, random));
  }
  ::tzset();
}

TEST(TimeZone, agrees_with_the_c_library_about_rules) {
  std::mt19937_64 random(2);
  const Variable variable("TZ", "");
  for (const std::string name :
       {"CET-1CEST,M3.5.0,M10.5.0/3", "AEST-10AEDT,M10.1.0,M4.1.0/3", "EST5EDT4,M3.2.0,M11.1.0",
        "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "EET-2EEST,M3.4.4/50,M10.4.4/50", "IST-1GMT0,M10.5.0,M3.5.0/1",
        "XXX-3YYY,J60/0,J300/1:30:15", "XXX3YYY2:30,59,300/23", "LHST-10:30LHDT-11,M10.1.0,M4.1.0", "UTC0",
        "<+0545>-5:45", "Nonsense/Zone"}) {
    variable.set(name.c_str());
    ::tzset();
    ASSERT_NO_FATAL_FAILURE(compare_with_libc(TimeZone::local(), name, random));
  }
  ::tzset();
}

// ---- In two steps

TEST(TimeZone, is_made_of_a_text_elsewhere) {
  const Variable tz("TZ", "CET-1");
  EXPECT_EQ(TimeZone::read_local(), "CET-1");
  tz.set("no zone at all");
  EXPECT_EQ(TimeZone::read_local(), "") << "UTC, as in glibc";
  EXPECT_EQ(TimeZone::from_text("CET-1")->at(at(0)).offset, 1h);
  EXPECT_EQ(TimeZone::from_text("")->at(at(0)).offset, 0h);
  EXPECT_FALSE(TimeZone::from_text("TZif"));
  EXPECT_FALSE(TimeZone::from_text("x"));
  EXPECT_EQ(TimeZone::read("No/Such").error().number(), ENOENT);
}

}  // namespace
}  // namespace xsd
