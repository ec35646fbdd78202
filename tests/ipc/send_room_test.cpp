#include "ipc/send_room.hpp"

#include <array>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "ipc/fd.hpp"

namespace warmpool::ipc::test {
namespace {

class Sockets : public ::testing::Test {
 protected:
  Sockets() {
    std::array<int, 2> both{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, both.data()), 0);
    ours_.reset(both[0]), theirs_.reset(both[1]);
  }
  int room() const {
    int bytes = 0;
    socklen_t size = sizeof bytes;
    EXPECT_EQ(::getsockopt(ours_.get(), SOL_SOCKET, SO_SNDBUF, &bytes, &size), 0);
    return bytes;
  }
  void set(int bytes) {
    ASSERT_EQ(::setsockopt(ours_.get(), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes), 0);
  }

  UniqueFd ours_, theirs_;
};

TEST_F(Sockets, AreWidenedOnceThereIsMuchToWrite) {
  set(32 * 1024);
  const int before = room();
  SendRoom its;
  its.fit(ours_.get(), SendRoom::kWidenedBytesMin - 1);
  EXPECT_EQ(room(), before);
  its.fit(ours_.get(), SendRoom::kWidenedBytesMin);
  EXPECT_GT(room(), before);
  EXPECT_LE(room(), SendRoom::kWideBytes);
  const int wide = room();
  set(32 * 1024);
  its.fit(ours_.get(), SendRoom::kWidenedBytesMin);
  EXPECT_LT(room(), wide) << "it is done once";
}

TEST_F(Sockets, AreNeverNarrowed) {
  set(SendRoom::kWideBytes * 2);
  const int before = room();
  if (before <= SendRoom::kWideBytes) GTEST_SKIP() << "net.core.wmem_max allows no more here";
  SendRoom().fit(ours_.get(), SendRoom::kWidenedBytesMin);
  EXPECT_EQ(room(), before);
}

TEST(Pipes, AreWidenedToo) {
  std::array<int, 2> both{};
  ASSERT_EQ(::pipe2(both.data(), O_NONBLOCK | O_CLOEXEC), 0);
  const UniqueFd from(both[0]), to(both[1]);
  const int before = ::fcntl(to.get(), F_SETPIPE_SZ, 4096);
  ASSERT_GT(before, 0);
  SendRoom().fit(to.get(), SendRoom::kWidenedBytesMin);
  EXPECT_GT(::fcntl(to.get(), F_GETPIPE_SZ), before);
}

}  // namespace
}  // namespace warmpool::ipc::test
