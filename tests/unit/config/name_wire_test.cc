// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/name_wire.h"

#include <cstring>
#include <random>

#include "config_test.h"

namespace xsd::config {
namespace {

using testing::ElementsAre;
using Kind = NameQuestion::Kind;
using State = NameAnswer::State;

NameAnswers questions() {
  NameAnswers answers;
  answers.add({Kind::User, "games"});
  answers.add({Kind::UserAndGroups, "games"});
  answers.add({Kind::Group, "tty"});
  answers.add({Kind::TcpPort, "echo"});
  answers.add({Kind::UdpPort, "nosuch"});
  answers.add({Kind::Host, "localhost"});
  return answers;
}

std::string all_answers() {
  FakeNames names;
  std::string bytes;
  const NameAnswers asked = questions();
  for (std::size_t i = 0; i < asked.questions().size(); ++i)
    append_answer(bytes, i, asked.questions()[i].kind, names.ask(asked.questions()[i]));
  return bytes;
}

std::string frame(std::uint32_t index, std::uint8_t state, std::string_view payload) {
  const auto length = static_cast<std::uint32_t>(sizeof index + 1 + payload.size());
  std::string out(sizeof length + length, '\0');
  std::memcpy(out.data(), &length, sizeof length);
  std::memcpy(out.data() + 4, &index, sizeof index);
  out[8] = static_cast<char>(state);
  std::memcpy(out.data() + 9, payload.data(), payload.size());
  return out;
}

void expect_all(const NameAnswers& answers) {
  EXPECT_EQ(answers.find({Kind::User, "games"}).user, (UserEntry{"games", 5, 60}));
  EXPECT_THAT(answers.find({Kind::UserAndGroups, "games"}).groups, ElementsAre(100U));
  EXPECT_EQ(answers.find({Kind::Group, "tty"}).gid, 5U);
  EXPECT_EQ(answers.find({Kind::TcpPort, "echo"}).port, 7);
  EXPECT_EQ(answers.find({Kind::UdpPort, "nosuch"}).state, State::NotFound);
  const auto& addresses = answers.find({Kind::Host, "localhost"}).addresses;
  EXPECT_THAT(addresses,
              ElementsAre(*net::SocketAddress::parse("127.0.0.1", 0), *net::SocketAddress::parse("::1", 0)));
}

TEST(NameWire, brings_every_kind_of_answer_across) {
  NameAnswers answers = questions();
  AnswerReader reader(answers);
  EXPECT_TRUE(reader.feed(all_answers()));
  EXPECT_TRUE(reader.complete());
  expect_all(answers);
}

TEST(NameWire, does_not_mind_how_it_is_cut) {
  NameAnswers answers = questions();
  AnswerReader reader(answers);
  for (const char byte : all_answers()) {
    EXPECT_FALSE(reader.complete());
    EXPECT_TRUE(reader.feed({&byte, 1}));
  }
  EXPECT_TRUE(reader.complete());
  expect_all(answers);
}

TEST(NameWire, carries_why_nobody_could_say) {
  NameAnswers answers = questions();
  AnswerReader reader(answers);
  std::string bytes;
  append_answer(bytes, 5, Kind::Host, NameAnswer::unknown("no answer from a name server"));
  EXPECT_TRUE(reader.feed(bytes));
  EXPECT_EQ(answers.find({Kind::Host, "localhost"}).state, State::Unknown);
  EXPECT_EQ(answers.find({Kind::Host, "localhost"}).why, "no answer from a name server");
}

TEST(NameWire, does_not_send_what_is_too_large) {
  NameAnswer answer;
  answer.state = State::Found;
  answer.user = {"big", 1, 1};
  answer.groups.resize(kLargestNameAnswer / sizeof(gid_t) + 1);
  NameAnswer named = answer;
  named.groups.clear();
  named.user.name = std::string(5000, 'x');
  for (const NameAnswer& large : {answer, named}) {
    NameAnswers answers = questions();
    AnswerReader reader(answers);
    std::string bytes;
    append_answer(bytes, 1, Kind::UserAndGroups, large);
    EXPECT_LT(bytes.size(), 100U);
    EXPECT_TRUE(reader.feed(bytes));
    EXPECT_EQ(answers.find({Kind::UserAndGroups, "games"}).why, "the answer is too large");
  }
}

TEST(NameWire, refuses_what_is_no_answer) {
  using namespace std::string_literals;
  const std::string user = "\x05\0\0\0\x3c\0\0\0"s;
  const std::string v4 = "\x10\x02\0\0\0\x7f\0\0\x01\0\0\0\0\0\0\0\0"s;
  const std::vector<std::pair<const char*, std::string>> cases{
      {"no such question", frame(6, 1, "")},
      {"index of all ones", frame(0xFFFFFFFF, 1, "")},
      {"no such state", frame(0, 3, "")},
      {"nothing with something behind", frame(0, 1, "x")},
      {"shorter than a head", "\x04\0\0\0\0\0\0\0"s},
      {"longer than allowed", "\xff\xff\xff\x7f"s},
      {"user without a count", frame(0, 2, user)},
      {"user with more groups than bytes", frame(0, 2, user + "\xff\xff\xff\xff"s + "games")},
      {"user without a name", frame(0, 2, user + "\0\0\0\0"s)},
      {"user with a NUL", frame(0, 2, user + "\0\0\0\0ga\0mes"s)},
      {"user with a name without end", frame(0, 2, user + "\0\0\0\0"s + std::string(5000, 'x'))},
      {"short group", frame(2, 2, "\x05\0"s)},
      {"long group", frame(2, 2, "\x05\0\0\0\0"s)},
      {"long port", frame(3, 2, "\x05\0\0\0"s)},
      {"host without addresses", frame(5, 2, "")},
      {"address of no length", frame(5, 2, "\0"s)},
      {"address cut off", frame(5, 2, v4.substr(0, 10))},
      {"address of another length", frame(5, 2, "\x08" + v4.substr(1, 8))},
      {"unix address", frame(5, 2, "\x10\x01" + v4.substr(2))},
      {"address longer than any", frame(5, 2, "\xff" + std::string(255, '\x02'))},
      {"too long a reason", frame(0, 0, std::string(300, 'x'))},
  };
  for (const auto& [name, bytes] : cases) {
    SCOPED_TRACE(name);
    NameAnswers answers = questions();
    AnswerReader reader(answers);
    EXPECT_FALSE(reader.feed(bytes));
    EXPECT_FALSE(reader.feed(all_answers()));  // what comes behind counts no more
    EXPECT_FALSE(reader.complete());
  }
  NameAnswers answers = questions();
  AnswerReader reader(answers);
  EXPECT_TRUE(reader.feed(frame(5, 2, v4)));
  EXPECT_FALSE(reader.feed(frame(5, 2, v4)));  // answered before
  EXPECT_EQ(answers.find({Kind::Host, "localhost"}).addresses.size(), 1U);
}

TEST(NameWire, survives_any_bytes) {
  std::mt19937 random(1);
  const std::string good = all_answers();
  for (int round = 0; round < 20000; ++round) {
    NameAnswers answers = questions();
    AnswerReader reader(answers);
    std::string bytes = good;
    for (unsigned i = random() % 8; i > 0; --i)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    bytes.resize(random() % (bytes.size() + 1));
    (void)reader.feed(bytes);
  }
}

}  // namespace
}  // namespace xsd::config
