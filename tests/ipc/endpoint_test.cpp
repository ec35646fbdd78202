#include "ipc/endpoint.hpp"

#include <fcntl.h>
#include <fstream>
#include <grp.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "ipc/client_address.hpp"
#include "tests/ipc/temporary_directory.hpp"
#include "tests/support/patience.hpp"

namespace warmpool::ipc::test {
namespace {

namespace fs = std::filesystem;

template <class T>
EndpointFault fault_of(const Result<T>& result) {
  return result ? EndpointFault{} : static_cast<EndpointFault>(result.error().code);
}

mode_t mode_of(const std::string& path) {
  struct stat found {};
  EXPECT_EQ(::lstat(path.c_str(), &found), 0) << path;
  return found.st_mode & 07777;
}

class ScopedUmask {
 public:
  explicit ScopedUmask(mode_t mask) : before_(::umask(mask)) {}
  ~ScopedUmask() { ::umask(before_); }

 private:
  mode_t before_;
};

Result<UniqueFd> connect(const std::string& path) {
  return connect_to({path, false}, warmpool::test::patience_ends());
}

TEST(RuntimeDirectory, IsMadePrivateWhateverTheUmask) {
  TemporaryDirectory base;
  for (mode_t mask : {0U, 022U, 077U, 0777U}) {
    ScopedUmask umask(mask);
    const std::string path = base / std::to_string(mask);
    ASSERT_TRUE(RuntimeDirectory::open(path));
    EXPECT_EQ(mode_of(path), 0700U);
  }
}

TEST(RuntimeDirectory, TakesOneThatIsThereAndSafe) {
  TemporaryDirectory base;
  fs::create_directory(base / "run");
  fs::permissions(base / "run", fs::perms{0755});
  auto directory = RuntimeDirectory::open(base / "run//");
  ASSERT_TRUE(directory) << directory.error().text;
  EXPECT_EQ(directory->path(), base / "run");
}

TEST(RuntimeDirectory, RefusesASymlinkAlsoWithASlash) {
  TemporaryDirectory base;
  fs::create_directory(base / "real");
  fs::permissions(base / "real", fs::perms{0700});
  fs::create_directory_symlink(base / "real", base / "link");
  EXPECT_EQ(fault_of(RuntimeDirectory::open(base / "link")), EndpointFault::NotADirectory);
  EXPECT_EQ(fault_of(RuntimeDirectory::open(base / "link/")), EndpointFault::NotADirectory);
}

TEST(RuntimeDirectory, RefusesAFileAMissingParentAndNoPath) {
  TemporaryDirectory base;
  std::ofstream(base / "file") << "x";
  EXPECT_EQ(fault_of(RuntimeDirectory::open(base / "file")), EndpointFault::NotADirectory);
  EXPECT_EQ(fault_of(RuntimeDirectory::open(base / "no/run")), EndpointFault::NoParent);
  EXPECT_EQ(fault_of(RuntimeDirectory::open("")), EndpointFault::NotADirectory);
}

TEST(RuntimeDirectory, RefusesOneThatOthersMayWrite) {
  TemporaryDirectory base;
  fs::create_directory(base / "run");
  for (unsigned mode : {0777U, 0770U, 0702U, 01777U}) {
    fs::permissions(base / "run", fs::perms{mode});
    EXPECT_EQ(fault_of(RuntimeDirectory::open(base / "run")), EndpointFault::Unsafe) << mode;
  }
}

TEST(RuntimeDirectory, RefusesOneOfAnotherUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a directory away";
  TemporaryDirectory base;
  fs::create_directory(base / "run");
  fs::permissions(base / "run", fs::perms{0700});
  ASSERT_EQ(::chown((base / "run").c_str(), 12'345, 0), 0);
  EXPECT_EQ(fault_of(RuntimeDirectory::open(base / "run")), EndpointFault::NotOurs);
}

TEST(RuntimeDirectory, LetsItsGroupIn) {
  TemporaryDirectory base;
  const gid_t group = ::geteuid() == 0 ? 12'345 : ::getegid();
  auto directory = RuntimeDirectory::open(base / "run", group);
  ASSERT_TRUE(directory) << directory.error().text;
  EXPECT_EQ(mode_of(base / "run"), 0710U);
}

TEST(RuntimeDirectory, SeesThatItsPathLeadsElsewhere) {
  TemporaryDirectory base;
  auto directory = RuntimeDirectory::open(base / "run");
  ASSERT_TRUE(directory);
  EXPECT_TRUE(directory->still_there());
  fs::rename(base / "run", base / "old");
  EXPECT_FALSE(directory->still_there());
  fs::create_directory(base / "run");
  EXPECT_FALSE(directory->still_there());
}

struct Daemon {
  RuntimeDirectory directory;
  RuntimeLock lock;
  Listener listener;
};

Result<Daemon> start(const std::string& path, std::optional<gid_t> group = {}) {
  auto directory = RuntimeDirectory::open(path, group);
  if (!directory) return directory.error();
  auto lock = RuntimeLock::take(*directory);
  if (!lock) return lock.error();
  auto listener = Listener::open(*directory, *lock);
  if (!listener) return listener.error();
  return Daemon{std::move(*directory), std::move(*lock), std::move(*listener)};
}

TEST(RuntimeLock, IsForOneOnlyAndNamesTheHolder) {
  TemporaryDirectory base;
  auto directory = RuntimeDirectory::open(base / "run");
  auto first = RuntimeLock::take(*directory);
  ASSERT_TRUE(first);
  std::ofstream(base / "run/warmpool.lock") << "4711\n";  // as another process writes its own
  const auto second = RuntimeLock::take(*directory);
  ASSERT_EQ(fault_of(second), EndpointFault::LockTaken);
  EXPECT_NE(second.error().text.find("pid 4711"), std::string::npos) << second.error().text;
  first = Error{};
  EXPECT_TRUE(RuntimeLock::take(*directory));
  EXPECT_EQ(mode_of(base / "run/warmpool.lock"), 0600U);
}

TEST(RuntimeLock, IsNotHeldByOneDaemonForTwoUses) {
  TemporaryDirectory base;
  const auto run = RuntimeDirectory::open(base / "run");
  const auto state = RuntimeDirectory::open(base / "run", {}, kStateUse);
  const auto first = RuntimeLock::take(*run);
  ASSERT_TRUE(first);
  const auto second = RuntimeLock::take(*state);
  ASSERT_EQ(fault_of(second), EndpointFault::LockTaken);
  EXPECT_EQ(second.error().text, "this daemon has " + run->path() +
                                     " for something else already, and its state directory is to "
                                     "be one of its own; choose another with --state-dir");
}

// As a child of a daemon that was killed does, until it has become its own program.
TEST(RuntimeLock, WaitsForWhoHoldsItOnlyForAMoment) {
  TemporaryDirectory base;
  auto directory = RuntimeDirectory::open(base / "run");
  auto first = RuntimeLock::take(*directory);
  ASSERT_TRUE(first);
  const auto holders = [&] {
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
      std::error_code gone;
      count += fs::read_symlink(entry.path(), gone) == base / "run/warmpool.lock";
    }
    return count;
  };
  auto second = Result<RuntimeLock>(Error{});
  std::thread taker([&] { second = RuntimeLock::take(*directory); });
  EXPECT_TRUE(warmpool::test::eventually([&] { return holders() == 2; }));
  first = Error{};
  taker.join();
  EXPECT_TRUE(second);
}

TEST(RuntimeLock, AFileOfAnEarlierLifeIsNoLock) {
  TemporaryDirectory base;
  auto directory = RuntimeDirectory::open(base / "run");
  std::ofstream(base / "run/warmpool.lock") << "1\n";
  EXPECT_TRUE(RuntimeLock::take(*directory));
}

TEST(RuntimeLock, IsNotTakenThroughASymlinkOrAFifo) {
  TemporaryDirectory base;
  auto directory = RuntimeDirectory::open(base / "run");
  fs::create_symlink(base / "elsewhere", base / "run/warmpool.lock");
  EXPECT_FALSE(RuntimeLock::take(*directory));
  EXPECT_FALSE(fs::exists(base / "elsewhere"));
  fs::remove(base / "run/warmpool.lock");
  ASSERT_EQ(::mkfifo((base / "run/warmpool.lock").c_str(), 0600), 0);
  EXPECT_FALSE(RuntimeLock::take(*directory));
}

TEST(RuntimeLock, OneOfManyConcurrentTakersWins) {
  TemporaryDirectory base;
  auto directory = RuntimeDirectory::open(base / "run");
  ASSERT_TRUE(directory);
  int gate[2], results[2];
  ASSERT_EQ(::pipe(gate), 0);
  ASSERT_EQ(::pipe(results), 0);
  std::vector<pid_t> children;
  for (int i = 0; i < 50; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      char byte;
      ::close(gate[1]);
      (void)!::read(gate[0], &byte, 1);  // until all are there
      auto lock = RuntimeLock::take(*directory);
      const char won = lock ? 1 : 0;
      (void)!::write(results[1], &won, 1);
      ::pause();  // a winner holds it until all have tried
      ::_exit(0);
    }
    children.push_back(child);
  }
  ::close(gate[1]);
  int winners = 0;
  for (std::size_t i = 0; i < children.size(); ++i) {
    char won = 0;
    ASSERT_EQ(::read(results[0], &won, 1), 1);
    winners += won;
  }
  for (pid_t child : children) ::kill(child, SIGKILL);
  for (pid_t child : children) ::waitpid(child, nullptr, 0);
  for (int fd : {gate[0], results[0], results[1]}) ::close(fd);
  EXPECT_EQ(winners, 1);
}

TEST(Listener, HasItsModeWhateverTheUmask) {
  for (mode_t mask : {0U, 077U, 0777U}) {
    TemporaryDirectory base;
    ScopedUmask umask(mask);
    auto daemon = start(base / "run");
    ASSERT_TRUE(daemon) << daemon.error().text;
    EXPECT_EQ(mode_of(base / "run/warmpool.sock"), 0600U);
    EXPECT_TRUE(connect(base / "run/warmpool.sock"));
  }
}

TEST(Listener, ReplacesAStaleSocketAndItsOwnLeftovers) {
  TemporaryDirectory base;
  { ASSERT_TRUE(start(base / "run")); }
  ASSERT_TRUE(fs::exists(base / "run/warmpool.sock"));
  ASSERT_EQ(::mknod((base / "run/warmpool.sock.new").c_str(), S_IFSOCK | 0600, 0), 0);
  EXPECT_EQ(fault_of(connect(base / "run/warmpool.sock")), EndpointFault::Unreachable);
  auto daemon = start(base / "run");
  ASSERT_TRUE(daemon) << daemon.error().text;
  EXPECT_TRUE(connect(base / "run/warmpool.sock"));
  EXPECT_FALSE(fs::exists(base / "run/warmpool.sock.new"));
}

TEST(Listener, LeavesAloneWhatIsNoSocket) {
  for (const char* name : {"warmpool.sock", "warmpool.sock.new"}) {
    TemporaryDirectory base;
    auto directory = RuntimeDirectory::open(base / "run");
    std::ofstream(base / "run/" + name) << "precious";
    EXPECT_EQ(fault_of(start(base / "run")), EndpointFault::InTheWay);
    EXPECT_EQ(fs::file_size(base / "run/" + name), 8U);
  }
}

TEST(Listener, WorksAtPathsOfEveryLengthAround108) {
  TemporaryDirectory base;
  const std::size_t rest = (base / "").size() + std::string("/warmpool.sock").size();
  for (std::size_t length : {106U, 107U, 108U, 109U, 150U, 250U}) {
    const std::string path = base / std::string(length - rest, 'd');
    auto daemon = start(path);
    ASSERT_TRUE(daemon) << length << ": " << daemon.error().text;
    EXPECT_EQ(daemon->listener.path().size(), length);
    auto client = connect(daemon->listener.path());
    EXPECT_TRUE(client) << length << ": " << client.error().text;
    EXPECT_GE(::accept(daemon->listener.fd(), nullptr, nullptr), 0);
  }
}

TEST(Listener, SeesThatItsFileIsGoneAndCanBeMadeAnew) {
  TemporaryDirectory base;
  auto daemon = start(base / "run");
  ASSERT_TRUE(daemon);
  EXPECT_TRUE(daemon->listener.still_ours());
  fs::remove(base / "run/warmpool.sock");
  EXPECT_FALSE(daemon->listener.still_ours());
  auto again = Listener::open(daemon->directory, daemon->lock);
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->still_ours());
  EXPECT_FALSE(daemon->listener.still_ours()) << "the file is of the new one";
  EXPECT_TRUE(connect(base / "run/warmpool.sock"));
}

TEST(Listener, RemovesOnlyWhatIsIts) {
  TemporaryDirectory base;
  auto daemon = start(base / "run");
  ASSERT_TRUE(daemon);
  fs::rename(base / "run/warmpool.sock", base / "moved");
  std::ofstream(base / "run/warmpool.sock") << "other";
  daemon->listener.remove();
  EXPECT_TRUE(fs::exists(base / "run/warmpool.sock"));
  fs::rename(base / "moved", base / "run/warmpool.sock");
  daemon->listener.remove();
  EXPECT_FALSE(fs::exists(base / "run/warmpool.sock"));
}

TEST(Listener, GivesTheSocketToItsGroup) {
  TemporaryDirectory base;
  const gid_t group = ::geteuid() == 0 ? 12'345 : ::getegid();
  ScopedUmask umask(077);
  auto daemon = start(base / "run", group);
  ASSERT_TRUE(daemon) << daemon.error().text;
  EXPECT_EQ(mode_of(base / "run/warmpool.sock"), 0660U);
  struct stat found {};
  ASSERT_EQ(::stat((base / "run/warmpool.sock").c_str(), &found), 0);
  EXPECT_EQ(found.st_gid, group);
}

// As another user, in a child. Exit status 0: connected.
int connect_as(uid_t user, gid_t group, const std::string& path) {
  const pid_t child = ::fork();
  if (child == 0) {
    const bool changed =
        ::setgroups(0, nullptr) == 0 && ::setgid(group) == 0 && ::setuid(user) == 0;
    if (!changed) ::_exit(2);
    ::_exit(connect(path) ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WEXITSTATUS(status);
}

TEST(Listener, LetsInRootAndTheGroupAndNobodyElse) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become others";
  TemporaryDirectory base;
  fs::permissions(base / "", fs::perms{0755});
  ScopedUmask umask(0);
  {
    auto open_to_none = start(base / "run");
    ASSERT_TRUE(open_to_none);
    EXPECT_EQ(connect_as(0, 0, base / "run/warmpool.sock"), 0);
    EXPECT_EQ(connect_as(12'345, 12'345, base / "run/warmpool.sock"), 1);
  }
  auto open_to_group = start(base / "run", 12'345);
  ASSERT_TRUE(open_to_group);
  EXPECT_EQ(connect_as(12'346, 12'345, base / "run/warmpool.sock"), 0);
  EXPECT_EQ(connect_as(12'346, 12'346, base / "run/warmpool.sock"), 1);
}

}  // namespace
}  // namespace warmpool::ipc::test
