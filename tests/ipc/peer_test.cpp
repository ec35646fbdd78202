#include "ipc/peer.hpp"

#include <grp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "ipc/client_address.hpp"
#include "ipc/endpoint.hpp"
#include "tests/ipc/temporary_directory.hpp"
#include "tests/support/patience.hpp"

namespace warmpool::ipc::test {
namespace {

TEST(Peer, IsWhatTheKernelSays) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  auto peer = peer_of(ends[0]);
  ASSERT_TRUE(peer) << peer.error().text;
  EXPECT_EQ(peer->uid, ::geteuid());
  EXPECT_EQ(peer->gid, ::getegid());
  EXPECT_EQ(peer->pid, ::getpid());
  std::vector<gid_t> groups(static_cast<std::size_t>(::getgroups(0, nullptr)));
  ASSERT_GE(::getgroups(static_cast<int>(groups.size()), groups.data()), 0);
  EXPECT_EQ(peer->groups, groups);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(Peer, OfNoSocketIsAnError) { EXPECT_FALSE(peer_of(-1)); }

TEST(Peer, WithManyGroupsIsToldWhole) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can set groups";
  const pid_t child = ::fork();
  if (child == 0) {
    std::vector<gid_t> groups;
    for (gid_t group = 1'000; group < 1'500; ++group) groups.push_back(group);
    int ends[2];
    const bool good = ::setgroups(groups.size(), groups.data()) == 0 &&
                      ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0;
    auto peer = good ? peer_of(ends[0]) : Result<Peer>(Error{});
    ::_exit(peer && peer->groups == groups ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(RoleTable, KnowsOwnerRootGroupAndOthers) {
  const RoleTable table(1'000, 50);
  EXPECT_EQ(table.kind_of({1'000, 9, 1, {}}), PeerKind::Owner);
  EXPECT_EQ(table.kind_of({0, 0, 1, {}}), PeerKind::Root);
  EXPECT_EQ(table.kind_of({1'001, 50, 1, {}}), PeerKind::Group);
  EXPECT_EQ(table.kind_of({1'001, 9, 1, {7, 50}}), PeerKind::Group);
  EXPECT_EQ(table.kind_of({1'001, 9, 1, {7, 51}}), PeerKind::Other);
  EXPECT_EQ(RoleTable(1'000, {}).kind_of({1'001, 50, 1, {50}}), PeerKind::Other);
  EXPECT_EQ(RoleTable(0, {}).kind_of({0, 0, 1, {}}), PeerKind::Owner);
}

TEST(RoleTable, HasTheCellsThatAreDocumented) {
  const std::array rights{Right::Submit, Right::Read, Right::Cancel, Right::Control,
                          Right::Shutdown};
  const auto row = [&](PeerKind kind) {
    std::string cells;
    for (Right right : rights) cells += "NOY"[static_cast<int>(grant_of(kind, right))];
    return cells;
  };
  EXPECT_EQ(row(PeerKind::Owner), "YYYYY");
  EXPECT_EQ(row(PeerKind::Root), "YYYYY");
  EXPECT_EQ(row(PeerKind::Group), "YYONN");
  EXPECT_EQ(row(PeerKind::Other), "NNNNN");
}

TEST(FindGroup, FindsRootsAndNamesWhatIsMissing) {
  auto root = find_group("root");
  ASSERT_TRUE(root);
  EXPECT_EQ(*root, 0U);
  auto missing = find_group("no-such-group-here");
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().text.find("no-such-group-here"), std::string::npos);
}

TEST(SocketAddress, IsTheFirstThatIsGiven) {
  const Surroundings all{"/w.sock", "/run/user/1000", 1'000};
  EXPECT_EQ(socket_address("/g.sock", all).path, "/g.sock");
  EXPECT_EQ(socket_address("", all).path, "/w.sock");
  EXPECT_FALSE(socket_address("", all).by_default);
  const Surroundings none{{}, "/run/user/1000", 1'000};
  EXPECT_EQ(socket_address("", none).path, "/run/user/1000/warmpool/warmpool.sock");
  EXPECT_TRUE(socket_address("", none).by_default);
}

TEST(SocketAddress, FallsBackByUser) {
  EXPECT_EQ(default_runtime_directory({{}, {}, 0}), "/run/warmpool");
  EXPECT_EQ(default_runtime_directory({{}, {}, 1'000}), "/tmp/warmpool-1000");
  EXPECT_EQ(default_runtime_directory({{}, "relative", 1'000}), "/tmp/warmpool-1000");
  EXPECT_EQ(default_runtime_directory({{}, "/run/user/0", 0}), "/run/user/0/warmpool");
  EXPECT_EQ(default_state_directory({{}, {}, 0}), "/var/lib/warmpool");
  EXPECT_EQ(default_state_directory({{}, {}, 1'000, {}, "/home/me"}),
            "/home/me/.local/state/warmpool");
  EXPECT_EQ(default_state_directory({{}, {}, 1'000, "/data/state", "/home/me"}),
            "/data/state/warmpool");
  EXPECT_EQ(default_state_directory({{}, {}, 0, {}, {}, "/var/lib/a:/var/lib/b"}), "/var/lib/a");
  EXPECT_EQ(default_state_directory({{}, {}, 1'000}), "");
}

TEST(Connect, SaysWhatToDoWhenNobodyListens) {
  TemporaryDirectory base;
  for (const std::string& path :
       {base / "none.sock", base / (std::string(200, 'n') + "/none.sock")}) {
    auto fd = connect_to({path, false}, std::chrono::steady_clock::now());
    ASSERT_FALSE(fd);
    EXPECT_EQ(fd.error().code, static_cast<int>(EndpointFault::Unreachable));
    EXPECT_NE(fd.error().text.find("warmpoold"), std::string::npos) << fd.error().text;
  }
}

TEST(Connect, RefusesAFileNameThatNoSocketCanHave) {
  TemporaryDirectory base;
  auto fd = connect_to({base / std::string(200, 'n'), false}, std::chrono::steady_clock::now());
  ASSERT_FALSE(fd);
  EXPECT_EQ(fd.error().code, static_cast<int>(EndpointFault::PathTooLong));
}

bool become(uid_t user, gid_t group) {
  return ::setgroups(0, nullptr) == 0 && ::setgid(group) == 0 && ::setuid(user) == 0;
}

// A daemon of user 12345 whose group is 12345, until it is killed.
[[noreturn]] void serve_as_other(const std::string& path, int ready) {
  if (!become(12'345, 12'345)) ::_exit(1);
  auto directory = RuntimeDirectory::open(path, 12'345);
  auto lock = directory ? RuntimeLock::take(*directory) : Result<RuntimeLock>(directory.error());
  auto listener = lock ? Listener::open(*directory, *lock) : Result<Listener>(lock.error());
  const char good = listener ? 1 : 0;
  if (::write(ready, &good, 1) == 1) ::pause();
  ::_exit(0);
}

TEST(Connect, DoesNotTrustAStrangerAtADefaultAddress) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become others";
  TemporaryDirectory base;
  std::filesystem::permissions(base / "", std::filesystem::perms{0755});
  const std::string path = base / "run";
  ASSERT_TRUE(RuntimeDirectory::open(path));
  ASSERT_EQ(::chown(path.c_str(), 12'345, 12'345), 0);
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t daemon = ::fork();
  if (daemon == 0) serve_as_other(path, ready[1]);
  char good = 0;
  EXPECT_EQ(::read(ready[0], &good, 1), 1);
  EXPECT_EQ(good, 1);
  const pid_t client = ::fork();
  if (client == 0) {
    if (!become(12'346, 12'345)) ::_exit(1);
    const std::string socket = path + "/" + kSocketName;
    const auto deadline = warmpool::test::patience_ends();
    auto by_default = connect_to({socket, true}, deadline);
    auto by_name = connect_to({socket, false}, deadline);
    const bool refused =
        !by_default && by_default.error().code == static_cast<int>(EndpointFault::Untrusted);
    ::_exit(refused && by_name ? 0 : 2);
  }
  int status = -1;
  ::waitpid(client, &status, 0);
  EXPECT_EQ(status, 0);
  ::kill(daemon, SIGKILL);
  ::waitpid(daemon, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
}

}  // namespace
}  // namespace warmpool::ipc::test
