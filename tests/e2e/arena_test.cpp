// Large payloads in memory that the client fills again: client library, daemon and worker are the
// real ones.
#include <csignal>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <sys/types.h>

#include <gtest/gtest.h>

#include "client/client.hpp"
#include "tests/e2e/real_daemon.hpp"
#include "tests/support/places.hpp"
#include "tests/support/transport.hpp"

namespace warmpool::test {
namespace {

using client::Client;
using client::Settled;

constexpr std::size_t kBytes = (2U << 20) + 7;

std::string pool_of(const std::string& options) {
  return options + R"(
backoff_first = "1ms"
[[class]]
name = "worker"
command = [")" +
         program("warmpool-worker") + R"("]
types = ["echo"]
size = 1
size_min = 1
)";
}

// Memory that others fill and this process has mapped.
std::set<std::string> arenas_of(pid_t pid) {
  std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
  std::set<std::string> inodes;
  for (std::string line; std::getline(maps, line);) {
    std::istringstream fields(line);
    std::string range, mode, offset, device, inode;
    fields >> range >> mode >> offset >> device >> inode;
    if (mode == "r--s" && line.find("memfd:warmpool-body") != std::string::npos) {
      inodes.insert(inode);
    }
  }
  return inodes;
}

std::size_t bodies_open_in(pid_t pid) {
  const auto listed =
      run_shell("ls -l /proc/" + std::to_string(pid) + "/fd | grep -c memfd:warmpool-body");
  return std::stoul("0" + listed.output);
}

class ArenaPayload : public testing::Test {
 protected:
  void SetUp() override {
    if (over_fifos()) GTEST_SKIP() << "no descriptor goes through a FIFO";
  }
  void begin(const std::string& options = {}) {
    daemon = std::make_unique<RealDaemon>(
        RealDaemon::Setup{.config = pool_of(options), .arguments = {}, .prefix = {}});
    client::ConnectOptions connecting;
    connecting.socket = daemon->directory() + "/warmpool.sock";
    auto connected = Client::connect(connecting);
    ASSERT_TRUE(connected) << connected.error().text;
    client.emplace(std::move(*connected));
  }
  std::string payload_of(std::size_t bytes) {
    std::string payload(bytes, static_cast<char>('a' + next_ % 26));
    payload.replace(0, 8, std::to_string(10'000'000 + next_++));
    return payload;
  }
  client::Ticket submit(const std::string& payload) {
    return client->submit({.type = "echo", .payload = payload, .auto_key = true, .wait = true});
  }
  // Until this one has settled.
  Settled settled(client::Ticket ticket) {
    while (true) {
      auto event = client->wait_any(patience_ends());
      if (!event || !*event) {
        ADD_FAILURE() << "it does not settle" << daemon->log();
        return {};
      }
      const auto* one = std::get_if<Settled>(&**event);
      if (one != nullptr && one->ticket == ticket) return *one;
    }
  }
  void echo(std::size_t bytes) {
    const auto payload = payload_of(bytes);
    const auto answer = settled(submit(payload));
    EXPECT_EQ(answer.verdict, Verdict::Done) << answer.text();
    EXPECT_TRUE(answer.text() == payload);
  }

  std::unique_ptr<RealDaemon> daemon;
  std::optional<Client> client;

 private:
  std::size_t next_ = 0;
};

TEST_F(ArenaPayload, IsMappedOnceAndReadEachTime) {
  begin();
  for (int i = 0; i < 3; ++i) echo(kBytes);
  const auto worker = daemon->workers().at(0);
  const auto mapped = arenas_of(worker);
  EXPECT_EQ(mapped.size(), 1U);
  const auto in_daemon = bodies_open_in(daemon->pid()), in_worker = bodies_open_in(worker);
  for (int i = 0; i < 10; ++i) echo(kBytes);
  EXPECT_EQ(arenas_of(worker), mapped);
  EXPECT_LE(bodies_open_in(daemon->pid()), in_daemon + 1) << "the last result perhaps";
  EXPECT_LE(bodies_open_in(worker), in_worker + 1);
}

TEST_F(ArenaPayload, OfDifferentSizes) {
  begin();
  for (int i = 0; i < 4; ++i) {
    for (const std::size_t more : {0U, 1U, 4096U, 1U}) echo(kBytes + more);
  }
  EXPECT_EQ(arenas_of(daemon->workers().at(0)).size(), 3U);
}

TEST_F(ArenaPayload, OfManyAtOnceAreNotMixedUp) {
  begin();
  std::map<std::uint64_t, std::string> sent;
  for (int i = 0; i < 40; ++i) {
    auto payload = payload_of(kBytes);
    const auto ticket = submit(payload);
    sent.emplace(ticket.value, std::move(payload));
    if (i % 8 != 7) continue;
    while (!sent.empty()) {
      auto event = client->wait_any(patience_ends());
      ASSERT_TRUE(event && *event);
      if (const auto* one = std::get_if<Settled>(&**event)) {
        EXPECT_TRUE(one->text() == sent.at(one->ticket.value));
        sent.erase(one->ticket.value);
      }
    }
  }
}

// One worker, which dies with the first attempt in its hand; what comes meanwhile has another
// arena.
TEST_F(ArenaPayload, OfATaskWhoseWorkerDiedIsWhatItWas) {
  begin();
  for (int i = 0; i < 3; ++i) echo(kBytes);
  ASSERT_EQ(daemon->call("pause").status, 0);
  const auto first = payload_of(kBytes), second = payload_of(kBytes);
  const auto first_ticket = submit(first), second_ticket = submit(second);
  ASSERT_TRUE(client->flush(patience_ends()));
  const auto worker = daemon->workers().at(0);
  ::kill(worker, SIGKILL);
  ASSERT_EQ(daemon->call("resume").status, 0);
  EXPECT_TRUE(settled(first_ticket).text() == first);
  EXPECT_TRUE(settled(second_ticket).text() == second);
  for (int i = 0; i < 3; ++i) echo(kBytes);
}

TEST_F(ArenaPayload, OutlivesTheDaemon) {
  begin("store = \"sqlite\"");
  for (int i = 0; i < 3; ++i) echo(kBytes);
  ASSERT_EQ(daemon->call("pause").status, 0);
  const auto payload = payload_of(kBytes);
  const auto ticket = submit(payload);
  ASSERT_TRUE(client->accepted(ticket, patience_ends()));
  daemon->signal(SIGKILL);
  daemon->wait();
  ASSERT_TRUE(daemon->start()) << daemon->log();
  ASSERT_EQ(daemon->call("resume").status, 0);
  EXPECT_TRUE(settled(ticket).text() == payload);
  for (int i = 0; i < 3; ++i) echo(kBytes);
}

}  // namespace
}  // namespace warmpool::test
