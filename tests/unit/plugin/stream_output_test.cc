// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <fcntl.h>
#include <sys/mman.h>

#include "script_plugin.h"
#include "xsd/plugin/stream_connection.h"

namespace xsd::plugin {
namespace {

class OutputTest : public WithScript<PluginTest> {
 protected:
  /// A client with small buffers, whose other end is `connection`.
  UniqueFd slow_client() {
    auto [mine, accepted] = tcp_pair();
    set_buffers(mine, 16384);
    set_buffers(accepted, 16384);
    EXPECT_TRUE(open(std::move(accepted)));
    return std::move(mine);
  }
  void start_script(std::optional<Duration> idle_timeout = std::nullopt) {
    script.on_open = [this](xsd_connection* c) {
      connection = c;
      return 0;
    };
    script.on_close = [this](xsd_connection*, std::uint32_t why) {
      connection = nullptr;
      reason = why;
    };
    WithScript::start_script(idle_timeout);
  }
  static std::string pattern(std::size_t length) {
    std::string text(length, '\0');
    for (std::size_t i = 0; i < length; ++i)
      text[i] = static_cast<char>('a' + (i / 7 + i / 251) % 26);
    return text;
  }
  static int file_with(std::string_view text) {
    const int fd = memfd_create("file", MFD_CLOEXEC);
    EXPECT_EQ(::write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    return fd;
  }

  xsd_connection* connection = nullptr;
  std::uint32_t reason = 99;
};

TEST_F(OutputTest, writes_pieces_in_order) {
  start_script();
  const UniqueFd mine = client();
  in_callback([&] {
    const xsd_piece pieces[] = {{"one ", 4}, {nullptr, 0}, {"two ", 4}, {"three", 5}};
    EXPECT_EQ(host().write_pieces(connection, pieces, 4, 0), 0);
    EXPECT_EQ(host().write_pieces(connection, pieces, 0, 0), 0);
  });
  EXPECT_EQ(receive(mine, 13), "one two three");
}

TEST_F(OutputTest, keeps_what_is_left_of_pieces) {
  start_script();
  const UniqueFd mine = slow_client();
  const std::string a = pattern(400'000);
  const std::string b = pattern(500'000);
  in_callback([&] {
    const xsd_piece pieces[] = {{a.data(), a.size()}, {b.data(), b.size()}};
    EXPECT_EQ(host().write_pieces(connection, pieces, 2, XSD_WRITE_MORE), 0);
    EXPECT_GT(host().unsent(connection), 0U);
    EXPECT_EQ(host().write_pieces(connection, pieces, 2, 0), -ENOBUFS);
    EXPECT_EQ(host().write(connection, "end", 3), 0);
    host().close(connection);
  });
  EXPECT_TRUE(receive_all(mine) == a + b + "end");
}

TEST_F(OutputTest, takes_no_more_than_64_pieces_and_known_flags) {
  start_script();
  const UniqueFd mine = client();
  in_callback([&] {
    const std::vector<xsd_piece> pieces(65, xsd_piece{"x", 1});
    EXPECT_EQ(host().write_pieces(connection, pieces.data(), 65, 0), -EINVAL);
    EXPECT_EQ(host().write_pieces(connection, pieces.data(), 64, 2), -EINVAL);
    EXPECT_EQ(host().write_pieces(connection, pieces.data(), 64, 0), 0);
    const xsd_piece big{pieces.data(), SIZE_MAX};
    EXPECT_EQ(host().write_pieces(connection, &big, 1, 0), -ENOBUFS);
    host().finish(connection);
    EXPECT_EQ(host().write_pieces(connection, pieces.data(), 1, 0), -EPIPE);
  });
  EXPECT_EQ(receive_all(mine), std::string(64, 'x'));
}

TEST_F(OutputTest, more_waits_for_what_follows) {
  start_script();
  const UniqueFd mine = client();
  in_callback([&] {
    const xsd_piece head{"head", 4};
    EXPECT_EQ(host().write_pieces(connection, &head, 1, XSD_WRITE_MORE), 0);
    char byte = 0;
    EXPECT_EQ(recv(mine.get(), &byte, 1, MSG_DONTWAIT), -1);
    EXPECT_EQ(host().write(connection, "body", 4), 0);
  });
  EXPECT_EQ(receive(mine, 8), "headbody");
}

TEST_F(OutputTest, sends_a_part_of_a_file_between_writes) {
  start_script();
  const UniqueFd mine = client();
  in_callback([&] {
    EXPECT_EQ(host().write(connection, "<", 1), 0);
    const int fd = file_with("0123456789");
    EXPECT_EQ(host().send_file(connection, fd, 3, 4), 0);
    EXPECT_EQ(fcntl(fd, F_GETFD), -1);
    EXPECT_EQ(host().write(connection, ">", 1), 0);
    EXPECT_EQ(host().send_file(connection, file_with("x"), 0, 0), 0);
  });
  EXPECT_EQ(receive(mine, 6), "<3456>");
}

TEST_F(OutputTest, files_and_bytes_keep_their_order_when_the_peer_is_slow) {
  start_script();
  const UniqueFd mine = slow_client();
  const std::string a = pattern(3'000'000);
  const std::string b = pattern(2'000'000);
  const std::string bytes = pattern(300'000);
  in_callback([&] {
    EXPECT_EQ(host().write(connection, bytes.data(), bytes.size()), 0);
    EXPECT_EQ(host().send_file(connection, file_with(a), 0, a.size()), 0);
    EXPECT_EQ(host().write(connection, bytes.data(), bytes.size()), 0);
    EXPECT_EQ(host().write(connection, "!", 1), 0);
    EXPECT_EQ(host().send_file(connection, file_with(b), 1, b.size() - 1), 0);
    EXPECT_EQ(host().try_write(connection, "x", 1), -EAGAIN);
    EXPECT_GT(host().unsent(connection), a.size() + b.size());
    // The files do not count, the bytes do.
    EXPECT_EQ(host().write(connection, a.data(), kMaxPending - bytes.size()), -ENOBUFS);
    host().close(connection);
  });
  EXPECT_TRUE(receive_all(mine) == bytes + a + bytes + "!" + b.substr(1));
  ASSERT_TRUE(ended(1));
  EXPECT_EQ(ends[0].bytes_out, 2 * bytes.size() + a.size() + b.size());
}

TEST_F(OutputTest, does_not_read_while_a_file_waits) {
  std::string got;
  script.on_data = [&](xsd_connection*, std::string_view data) { got += data; };
  start_script();
  const UniqueFd mine = slow_client();
  const std::string text = pattern(3'000'000);
  in_callback([&] { EXPECT_EQ(host().send_file(connection, file_with(text), 0, text.size()), 0); });
  send_all(mine, "next");
  settle();
  EXPECT_EQ(got, "");
  EXPECT_EQ(receive(mine, text.size()).size(), text.size());
  EXPECT_TRUE(turn_until([&] { return got == "next"; }));
}

TEST_F(OutputTest, one_turn_sends_no_more_than_its_bound) {
  start_script();
  auto [mine, accepted] = tcp_pair();
  const int room = 64 * 1024 * 1024;
  EXPECT_EQ(setsockopt(accepted.get(), SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room), 0);
  if (!open(std::move(accepted))) FAIL();
  const std::string text = pattern(4 * kBytesPerTurn);
  in_callback([&] {
    EXPECT_EQ(host().send_file(connection, file_with(text), 0, text.size()), 0);
    EXPECT_GE(host().unsent(connection), text.size() - kBytesPerTurn);
  });
  EXPECT_EQ(receive(mine, text.size()).size(), text.size());
}

TEST_F(OutputTest, resets_when_the_file_is_shorter_than_promised) {
  start_script();
  const UniqueFd mine = client();
  in_callback([&] { EXPECT_EQ(host().send_file(connection, file_with("short"), 0, 100), -EPIPE); });
  ASSERT_TRUE(ended(1));
  EXPECT_EQ(reason, XSD_CLOSE_PEER);
  (void)receive(mine, SIZE_MAX);
  EXPECT_EQ(saw_error, ECONNRESET);
}

TEST_F(OutputTest, resets_when_the_file_is_cut_meanwhile) {
  start_script();
  const UniqueFd mine = slow_client();
  const std::string text = pattern(3'000'000);
  const int fd = file_with(text);
  const UniqueFd same(fcntl(fd, F_DUPFD_CLOEXEC, 0));
  in_callback([&] { EXPECT_EQ(host().send_file(connection, fd, 0, text.size()), 0); });
  ASSERT_EQ(ftruncate(same.get(), 1'000'000), 0);
  (void)receive(mine, SIZE_MAX);
  EXPECT_EQ(saw_error, ECONNRESET);
  ASSERT_TRUE(ended(1));
  EXPECT_EQ(reason, XSD_CLOSE_PEER);
}

TEST_F(OutputTest, takes_regular_files_only_and_closes_the_others) {
  start_script();
  const UniqueFd mine = client();
  in_callback([&] {
    int fds[2];
    ASSERT_EQ(pipe(fds), 0);
    const UniqueFd in(fds[1]);
    EXPECT_EQ(host().send_file(connection, fds[0], 0, 1), -EINVAL);
    EXPECT_EQ(fcntl(fds[0], F_GETFD), -1);
    EXPECT_EQ(host().send_file(connection, -1, 0, 1), -EINVAL);
    EXPECT_EQ(host().send_file(connection, file_with("x"), UINT64_MAX, 1), -EINVAL);
    EXPECT_EQ(host().send_file(connection, file_with("x"), 1, UINT64_MAX / 2), -EINVAL);
    host().finish(connection);
    EXPECT_EQ(host().send_file(connection, file_with("x"), 0, 1), -EPIPE);
  });
}

TEST_F(OutputTest, sixteen_files_may_wait) {
  start_script();
  const UniqueFd mine = slow_client();
  const std::string text = pattern(3'000'000);
  in_callback([&] {
    EXPECT_EQ(host().send_file(connection, file_with(text), 0, text.size()), 0);
    for (std::size_t i = 1; i < kMaxPendingFiles; ++i)
      EXPECT_EQ(host().send_file(connection, file_with("x"), 0, 1), 0);
    EXPECT_EQ(host().send_file(connection, file_with("y"), 0, 1), -ENOBUFS);
    host().close(connection);
  });
  EXPECT_TRUE(receive_all(mine) == text + std::string(kMaxPendingFiles - 1, 'x'));
}

TEST_F(OutputTest, a_file_for_a_peer_that_is_gone_raises_no_signal) {
  start_script();
  UniqueFd mine = slow_client();
  const std::string text = pattern(3'000'000);
  in_callback([&] { EXPECT_EQ(host().send_file(connection, file_with(text), 0, text.size()), 0); });
  reset(std::move(mine));
  ASSERT_TRUE(ended(1));
  EXPECT_EQ(reason, XSD_CLOSE_PEER);
}

TEST_F(OutputTest, sends_files_over_unix_sockets) {
  start_script();
  auto [mine, accepted] = unix_pair();
  ASSERT_TRUE(open(std::move(accepted)));
  const std::string text = pattern(1'000'000);
  in_callback([&] {
    EXPECT_EQ(host().send_file(connection, file_with(text), 0, text.size()), 0);
    host().close(connection);
  });
  EXPECT_TRUE(receive_all(mine) == text);
}

TEST_F(OutputTest, abort_resets_and_loses_what_waits) {
  start_script();
  const UniqueFd mine = slow_client();
  const std::string text = pattern(1'000'000);
  in_callback([&] {
    EXPECT_EQ(host().write(connection, text.data(), text.size()), 0);
    host().abort(connection);
    EXPECT_NE(connection, nullptr);
    EXPECT_EQ(host().write(connection, "x", 1), -EPIPE);
    host().abort(connection);
  });
  ASSERT_EQ(ends.size(), 1U);
  EXPECT_EQ(ends[0].cause, EndCause::Finished);
  EXPECT_EQ(reason, XSD_CLOSE_FINISHED);
  EXPECT_LT(receive(mine, SIZE_MAX).size(), text.size());
  EXPECT_EQ(saw_error, ECONNRESET);
}

TEST_F(OutputTest, idle_timeout_of_one_connection) {
  start_script(seconds(10));
  const UniqueFd longer = client();
  in_callback([&] { host().set_idle_timeout(connection, 50'000'000'000); });
  const UniqueFd none = client();
  in_callback([&] { host().set_idle_timeout(connection, 0); });
  const UniqueFd shorter = client();
  in_callback([&] { host().set_idle_timeout(connection, 1'000'000'000); });
  advance(seconds(2));
  ASSERT_EQ(ends.size(), 1U);
  EXPECT_EQ(ends[0].id, 3U);
  EXPECT_EQ(ends[0].cause, EndCause::Timeout);
  advance(seconds(50));
  ASSERT_EQ(ends.size(), 2U);
  EXPECT_EQ(ends[1].id, 1U);
  advance(std::chrono::hours(100));
  EXPECT_EQ(ends.size(), 2U);
}

TEST_F(OutputTest, tells_the_service_of_a_connection) {
  start_script();
  const UniqueFd mine = client();
  EXPECT_EQ(host().service_of(connection), script.service);
}

}  // namespace
}  // namespace xsd::plugin
