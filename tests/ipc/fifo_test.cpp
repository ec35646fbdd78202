// FIFOs: what they are replaced by never blocks and is never read, and the daemon's spare end.
#include "ipc/fifo.hpp"

#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "tests/ipc/temporary_directory.hpp"

namespace warmpool::ipc::test {
namespace {

class Fifo : public testing::Test {
 protected:
  RuntimeDirectory open_directory() { return std::move(*RuntimeDirectory::open(base_ / "run")); }
  Result<UniqueFd> open(const std::string& name, int mode) {
    return open_fifo(directory_.fd(), name, mode, ::geteuid());
  }
  std::string path(const std::string& name) const { return directory_.path() + "/" + name; }
  std::size_t files() const {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry :
         std::filesystem::directory_iterator(directory_.path())) {
      ++count;
    }
    return count;
  }

  TemporaryDirectory base_;
  RuntimeDirectory directory_ = open_directory();
};

bool has(int fd, short events) {
  pollfd looked{fd, events, 0};
  return ::poll(&looked, 1, 0) == 1 && (looked.revents & events) != 0;
}

struct stat status_of(const std::string& path) {
  struct stat found {};
  EXPECT_EQ(::stat(path.c_str(), &found), 0);
  return found;
}

TEST_F(Fifo, OpensWithoutWaitingForTheOtherEnd) {
  ASSERT_EQ(::mkfifo(path("f").c_str(), 0600), 0);
  EXPECT_EQ(open("f", O_WRONLY).error().code, ENXIO) << "nobody reads";
  const auto reader = open("f", O_RDONLY);
  ASSERT_TRUE(reader);
  EXPECT_TRUE(open("f", O_WRONLY));
  EXPECT_NE(::fcntl(reader->get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(::fcntl(reader->get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST_F(Fifo, RefusesWhateverAPathWasReplacedBy) {
  std::ofstream(path("file")) << "foreign";
  ASSERT_EQ(::mkdir(path("directory").c_str(), 0700), 0);
  ASSERT_EQ(::mkfifo(path("f").c_str(), 0600), 0);
  ASSERT_EQ(::symlink("f", path("link").c_str()), 0);
  const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM, 0));
  for (const int mode : {O_RDONLY, O_RDWR}) {
    EXPECT_EQ(open("none", mode).error().code, ENOENT);
    EXPECT_EQ(open("file", mode).error().code, EINVAL);
    EXPECT_EQ(open("link", mode).error().code, ELOOP);
    EXPECT_FALSE(open("directory", mode));
  }
  EXPECT_EQ(open_fifo(AT_FDCWD, "/dev/null", O_RDONLY, 0).error().code, EINVAL);
  EXPECT_EQ(open_fifo(directory_.fd(), "f", O_RDONLY, ::geteuid() + 1).error().code, EINVAL)
      << "of another user";
  ASSERT_EQ(::link(path("f").c_str(), path("second").c_str()), 0);
  EXPECT_EQ(open("f", O_RDONLY).error().code, EINVAL) << "has two names";
}

TEST_F(Fifo, PairIsForItsUserAloneWhateverTheUmask) {
  for (const mode_t mask : {0U, 077U}) {
    const mode_t before = ::umask(mask);
    const auto pair = FifoPair::make(directory_, "worker-0." + std::to_string(mask));
    ::umask(before);
    ASSERT_TRUE(pair);
    EXPECT_EQ(status_of(pair->in_path()).st_mode, S_IFIFO | 0600U);
    EXPECT_EQ(status_of(pair->out_path()).st_mode, S_IFIFO | 0600U);
  }
}

TEST_F(Fifo, PairWaitsForAWorkerInWhateverOrderItOpens) {
  auto pair = FifoPair::make(directory_, "worker-0");
  ASSERT_TRUE(pair);
  const UniqueFd read_end = pair->take_read_end(), write_end = pair->take_write_end();
  EXPECT_FALSE(has(read_end.get(), POLLIN | POLLHUP)) << "no end before anybody has opened";
  EXPECT_FALSE(has(write_end.get(), POLLERR));
  // As a program opens that knows nothing of O_NONBLOCK.
  const UniqueFd out(::open(pair->out_path().c_str(), O_WRONLY));
  const UniqueFd in(::open(pair->in_path().c_str(), O_RDONLY));
  ASSERT_TRUE(out && in);
  EXPECT_EQ(::write(write_end.get(), "x", 1), 1);
  EXPECT_TRUE(has(in.get(), POLLIN));
  EXPECT_EQ(::write(out.get(), "y", 1), 1);
  EXPECT_TRUE(has(read_end.get(), POLLIN));
}

TEST_F(Fifo, PairThatIsGivenUpShowsEachEndThatTheWorkerCloses) {
  auto pair = FifoPair::make(directory_, "worker-0");
  ASSERT_TRUE(pair);
  const UniqueFd read_end = pair->take_read_end(), write_end = pair->take_write_end();
  UniqueFd in(::open(pair->in_path().c_str(), O_RDONLY));
  UniqueFd out(::open(pair->out_path().c_str(), O_WRONLY));
  { const FifoPair gone = std::move(*pair); }
  EXPECT_EQ(files(), 0U) << "the names are gone";
  EXPECT_FALSE(has(write_end.get(), POLLERR));
  in.reset();
  EXPECT_TRUE(has(write_end.get(), POLLERR));
  EXPECT_FALSE(has(read_end.get(), POLLHUP));
  out.reset();
  EXPECT_TRUE(has(read_end.get(), POLLHUP));
}

TEST_F(Fifo, PairsOfOneNameDoNotCollideSilently) {
  const auto first = FifoPair::make(directory_, "worker-0");
  ASSERT_TRUE(first);
  const auto second = FifoPair::make(directory_, "worker-0");
  EXPECT_FALSE(second);
  EXPECT_EQ(files(), 2U) << "those of the first are left alone";
}

TEST_F(Fifo, AnExchangedNameIsNotRemoved) {
  {
    const auto pair = FifoPair::make(directory_, "worker-0");
    ASSERT_TRUE(pair);
    ASSERT_EQ(::unlink(pair->in_path().c_str()), 0);
    std::ofstream(pair->in_path()) << "somebody else's";
  }
  EXPECT_EQ(files(), 1U);
}

TEST_F(Fifo, SweepTakesWhatAKilledDaemonLeftAndNothingElse) {
  ASSERT_EQ(::mkfifo(path("fifo.worker-0.0123.in").c_str(), 0600), 0);
  ASSERT_EQ(::mkfifo(path("fifo.worker-0.0123.out").c_str(), 0600), 0);
  ASSERT_EQ(::mkfifo(path("fifo.mine").c_str(), 0600), 0);
  ASSERT_EQ(::mkfifo(path("submit.fifo").c_str(), 0600), 0);
  std::ofstream(path("fifo.worker-1.0123.in")) << "a file";
  EXPECT_EQ(sweep_fifos(directory_), 2U);
  EXPECT_EQ(sweep_fifos(directory_), 0U);
  EXPECT_EQ(files(), 3U);
}

TEST_F(Fifo, ADirectoryThatOthersMayWriteToHoldsNone) {
  ASSERT_EQ(::chmod(directory_.path().c_str(), 0777), 0);
  const auto refused = RuntimeDirectory::open(directory_.path(), {}, kFifoUse);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().text.find("--fifo-dir"), std::string::npos) << refused.error().text;
}

}  // namespace
}  // namespace warmpool::ipc::test
