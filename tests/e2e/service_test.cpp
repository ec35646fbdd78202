// The daemon as a service: what it tells its manager, and how it lives in places that are strange.
#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "client/client.hpp"
#include "tests/e2e/real_daemon.hpp"
#include "tests/support/places.hpp"

namespace warmpool::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

// A service manager's end of sd_notify(3).
class Manager {
 public:
  Manager() {
    char name[] = "/tmp/warmpool-notify.XXXXXX";
    EXPECT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
    fd_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const auto address = address_of(path());
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  ~Manager() { std::filesystem::remove_all(directory_); }

  std::string path() const { return directory_ + "/notify"; }

  // Messages that have come and hold this assignment; `last` is the whole text of the newest.
  std::size_t count(const std::string& assignment) {
    receive();
    return static_cast<std::size_t>(std::ranges::count_if(messages_, [&](const auto& message) {
      return ("\n" + message + "\n").find("\n" + assignment) != std::string::npos;
    }));
  }
  bool told(const std::string& assignment) {
    return eventually([&] { return count(assignment) > 0; });
  }
  std::string all() const {
    std::string text;
    for (const auto& message : messages_) text += message + "\n--\n";
    return text;
  }

 private:
  void receive() {
    std::array<char, 4096> buffer{};
    for (ssize_t got = 0; (got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0)) >= 0;) {
      messages_.emplace_back(buffer.data(), static_cast<std::size_t>(got));
    }
  }
  std::string directory_;
  ipc::UniqueFd fd_;
  std::vector<std::string> messages_;
};

RealDaemon::Setup managed(const Manager& manager, const std::string& more = "") {
  return {.config = "",
          .arguments = {"--workers", "2"},
          .prefix = "NOTIFY_SOCKET=" + manager.path() + " " + more};
}

TEST(Notify, TellsReadyStatusAndStopping) {
  Manager manager;
  RealDaemon daemon(managed(manager));
  EXPECT_TRUE(manager.told("READY=1")) << daemon.log();
  EXPECT_TRUE(manager.told("STATUS=the minimum of workers is ready")) << manager.all();
  EXPECT_EQ(manager.count("STOPPING=1"), 0U);
  EXPECT_EQ(manager.count("WATCHDOG=1"), 0U) << "nobody asked for it";
  EXPECT_EQ(daemon.call("submit echo x --wait").status, 0);
  EXPECT_TRUE(manager.told("STATUS=0 waiting, 0 running, 1 done, 0 dead letters"));
  daemon.signal(SIGTERM);
  EXPECT_EQ(daemon.wait(), 0);
  EXPECT_EQ(manager.count("STOPPING=1"), 1U) << manager.all();
  EXPECT_EQ(manager.count("READY=1"), 1U);
}

TEST(Notify, TellsStoppingAlsoWhenAClientAsksForIt) {
  Manager manager;
  RealDaemon daemon(managed(manager));
  ASSERT_TRUE(manager.told("READY=1"));
  EXPECT_EQ(daemon.call("stop").status, 0);
  EXPECT_EQ(daemon.wait(), 0);
  EXPECT_EQ(manager.count("STOPPING=1"), 1U) << manager.all();
}

TEST(Notify, FeedsTheWatchdogAtHalfItsTime) {
  Manager manager;
  RealDaemon daemon(managed(manager, "WATCHDOG_USEC=400000"));
  EXPECT_TRUE(eventually([&] { return manager.count("WATCHDOG=1") >= 3; })) << manager.all();
}

TEST(Notify, LeavesAloneAWatchdogThatIsForAnotherProcess) {
  Manager manager;
  RealDaemon daemon(managed(manager, "WATCHDOG_USEC=100000 WATCHDOG_PID=1"));
  ASSERT_TRUE(manager.told("READY=1"));
  EXPECT_TRUE(manager.told("STATUS=0 waiting"));
  EXPECT_EQ(manager.count("WATCHDOG=1"), 0U) << manager.all();
}

TEST(Notify, TellsOfAReloadWhenItBeginsAndEnds) {
  Manager manager;
  RealDaemon daemon(managed(manager));
  ASSERT_TRUE(manager.told("READY=1"));
  daemon.signal(SIGHUP);
  EXPECT_TRUE(manager.told("RELOADING=1")) << manager.all();
  EXPECT_TRUE(eventually([&] { return manager.count("READY=1") == 2; })) << manager.all();
  EXPECT_TRUE(manager.told("MONOTONIC_USEC="));
}

TEST(Notify, OneClassThatNeverComesUpDoesNotHoldUpTheRest) {
  Manager manager;
  RealDaemon daemon({.config = "start_timeout = \"200ms\"\n[[class]]\nname = \"good\"\n"
                               "command = [\"" +
                               program_directory() +
                               "/warmpool-worker\"]\n"
                               "types = [\"echo\"]\nsize = 1\n"
                               "[[class]]\nname = \"mute\"\ncommand = [\"/bin/sleep\", \"60\"]\n"
                               "types = [\"other\"]\nsize = 1\n",
                     .arguments = {},
                     .prefix = "NOTIFY_SOCKET=" + manager.path()});
  EXPECT_EQ(daemon.call("submit echo x --wait").output, "x");
  EXPECT_TRUE(manager.told("READY=1")) << daemon.log();
  EXPECT_NE(status_of(daemon).at("health").at("status"), "healthy");
}

// --- the configuration read again ----------------------------------------------------------------

std::string one_worker() {
  return R"(
[[class]]
name = "worker"
command = [")" +
         program_directory() +
         R"(/warmpool-worker"]
types = ["echo", "sleep", "exec"]
size_min = 1
)";
}

void write_config(const RealDaemon& daemon, const std::string& text) {
  std::ofstream(daemon.directory() + "/warmpool.toml") << text;
}

std::string option_of(const RealDaemon& daemon, const std::string& name) {
  const json options = json::parse(daemon.call("config show --json").output).at("options");
  for (const auto& option : options) {
    if (option.at("name") == name) return option.at("value");
  }
  return "no such option";
}

TEST(Reload, TakesOverWhatMayChangeAndNamesTheRest) {
  RealDaemon daemon({.config = "retries = 1\n" + std::string(one_worker()) + "size = 1\n",
                     .arguments = {},
                     .prefix = {}});
  ASSERT_TRUE(eventually([&] { return daemon.workers().size() == 1; }));
  write_config(daemon, "retries = 7\npayload_bytes_max = \"2MiB\"\n" + std::string(one_worker()) +
                           "size = 3\nconcurrency = 2\ncredits = 2\n[[class]]\nname = \"new\"\n"
                           "command = [\"/bin/true\"]\ntypes = [\"t\"]\n");
  daemon.signal(SIGHUP);
  EXPECT_TRUE(eventually([&] { return option_of(daemon, "retries") == "7"; })) << daemon.log();
  EXPECT_TRUE(eventually([&] { return daemon.workers().size() == 3; })) << "a class's size too";
  EXPECT_EQ(option_of(daemon, "payload_bytes_max"), "1MiB");
  EXPECT_EQ(option_of(daemon, "class.worker.concurrency"), "1");
  EXPECT_EQ(option_of(daemon, "class.worker.credits"), "2");
  const std::string log = daemon.log();
  for (const char* line :
       {"changed retries: '1' -> '7'", "changed class 'worker': size: '1' -> '3'",
        "needs a restart: payload_bytes_max: '1MiB' -> '2MiB'",
        "needs a restart: class 'worker': concurrency: '1' -> '2'",
        "needs a restart: class 'new' is new"}) {
    EXPECT_NE(log.find(line), std::string::npos) << line << "\n" << log;
  }
}

TEST(Reload, OfAWrongFileChangesNothingAndSaysWhere) {
  RealDaemon daemon({.config = "retries = 1\n" + std::string(one_worker()) + "size = 1\n",
                     .arguments = {},
                     .prefix = {}});
  write_config(daemon, "retries = 7\n\ntimeot = \"5s\"\n");
  daemon.signal(SIGHUP);
  EXPECT_TRUE(eventually([&] {
    return daemon.log().find(
               "warmpool.toml:3:1: there is no pool option 'timeot'; did you mean "
               "'timeout'?") != std::string::npos;
  })) << daemon.log();
  EXPECT_NE(daemon.log().find("the one before stays"), std::string::npos);
  EXPECT_EQ(option_of(daemon, "retries"), "1");
}

// --- its socket ----------------------------------------------------------------------------------

TEST(Socket, ThatSomebodyDeletesIsMadeAgain) {
  RealDaemon daemon({.config = "", .arguments = {"--workers", "1"}, .prefix = {}});
  const std::string path = daemon.directory() + "/warmpool.sock";
  ASSERT_EQ(::unlink(path.c_str()), 0);
  EXPECT_TRUE(eventually([&] { return daemon.call("ping").status == 0; })) << daemon.log();
  EXPECT_NE(daemon.log().find("made again"), std::string::npos) << daemon.log();
  EXPECT_EQ(daemon.call("submit echo x --wait").output, "x");
}

TEST(Socket, WhoseDirectoryIsGoneTurnsHealthRed) {
  RealDaemon daemon({.config = "", .arguments = {"--workers", "1"}, .prefix = {}});
  client::ConnectOptions options;
  options.socket = daemon.directory() + "/warmpool.sock";
  auto client = client::Client::connect(options);
  ASSERT_TRUE(client) << client.error().text;
  const std::string elsewhere = daemon.directory() + ".moved";
  std::filesystem::rename(daemon.directory(), elsewhere);
  const auto health = [&] {
    const auto status = client->status(client::in(10s));
    return status ? json::parse(*status).at("health") : json(status.error().text);
  };
  EXPECT_TRUE(eventually([&] { return health().at("status") == "unhealthy"; })) << health();
  EXPECT_EQ(health().at("alerts").at(0).at("name"), "socket");
  std::filesystem::rename(elsewhere, daemon.directory());
  EXPECT_TRUE(eventually([&] { return health().at("status") == "healthy"; })) << health();
  EXPECT_EQ(daemon.call("ping").status, 0);
}

}  // namespace
}  // namespace warmpool::test
