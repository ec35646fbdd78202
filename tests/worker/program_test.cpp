// The program warmpool-worker, from its environment to its exit status.
#include <csignal>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/places.hpp"
#include "tests/worker/call.hpp"
#include "tests/worker/fake_daemon.hpp"

namespace warmpool::worker::testing {
namespace {

using ipc::Kind;

const std::string kProgram = test::program("warmpool-worker");

// Owns: the process.
class Process {
 public:
  // `theirs` becomes descriptor 9 in it; its output goes to `output`.
  Process(std::vector<std::string> arguments, std::vector<std::string> environment, int theirs = -1,
          const std::string& output = "/dev/null") {
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    if (theirs >= 0) ::posix_spawn_file_actions_adddup2(&actions, theirs, 9);
    ::posix_spawn_file_actions_addopen(&actions, 1, output.c_str(), O_WRONLY | O_CREAT, 0600);
    ::posix_spawn_file_actions_adddup2(&actions, 1, 2);
    arguments.insert(arguments.begin(), kProgram);
    environment.push_back("PATH=/usr/bin:/bin");
    EXPECT_EQ(0, ::posix_spawn(&pid_, kProgram.c_str(), &actions, nullptr,
                               pointers(arguments).data(), pointers(environment).data()));
    ::posix_spawn_file_actions_destroy(&actions);
  }
  ~Process() {
    if (pid_ > 0) ::kill(pid_, SIGKILL), wait();
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  // Exit status, or minus the signal.
  int wait() {
    int status = 0;
    EXPECT_EQ(pid_, ::waitpid(pid_, &status, 0));
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  static std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> all;
    for (std::string& text : texts) all.push_back(text.data());
    all.push_back(nullptr);
    return all;
  }
  pid_t pid_ = 0;
};

std::vector<std::string> environment(const Ends& ends, const std::string& more) {
  auto all = ends.environment(9);
  all.insert(all.end(), {"WARMPOOL_WORKER=65537", "WARMPOOL_TOKEN=4711", more});
  return all;
}

struct Started {
  Ends ends = Ends::make(SOCK_STREAM);
  Process process;
  FakeDaemon daemon;

  explicit Started(std::vector<std::string> arguments = {},
                   const std::string& more = "WARMPOOL_NOTHING=")
      : process(std::move(arguments), environment(ends, more), ends.theirs.get()),
        daemon(std::move(ends)) {}

  // Of an exec, which says first that it starts a process.
  std::string answer_of_exec() {
    const auto said = daemon.next();
    EXPECT_EQ(Kind::Report, said.kind());
    return daemon.next().payload;
  }
};

TEST(Program, ServesTheChannelOfItsEnvironmentUntilRetired) {
  Started started;
  EXPECT_EQ(65537U, started.daemon.hello().header.id);
  EXPECT_EQ(4711U, started.daemon.hello().header.token);
  EXPECT_EQ(64, started.daemon.hello().header.credits);
  EXPECT_EQ("warmpool-worker", started.daemon.hello().as<ipc::HelloMeta>().name);
  started.daemon.assign("echo", "hi");
  EXPECT_EQ("hi", started.daemon.next().payload);
  started.daemon.retire();
  EXPECT_EQ(0, started.process.wait());
}

TEST(Program, TakesCreditsFromEnvironmentAndCommandLine) {
  EXPECT_EQ(16, Started({}, "WARMPOOL_CREDITS=16").daemon.hello().header.credits);
  EXPECT_EQ(4, Started({"--credits", "4"}, "WARMPOOL_CREDITS=16").daemon.hello().header.credits);
}

TEST(Program, ServesWhereItIsToSpin) {
  Started started({}, "WARMPOOL_SPIN=50us");
  for (const std::string payload : {"one", "two"}) {
    started.daemon.assign("echo", payload);
    EXPECT_EQ(payload, started.daemon.next().payload);
  }
  started.daemon.retire();
  EXPECT_EQ(0, started.process.wait());
}

// What prints a line while others wait in its hand could not be told from them.
TEST(Program, OffersToHoldOneWhereItsHandlersMayPrint) {
  const auto plugin = test::program("test-plugin-odd.so");
  EXPECT_EQ(1, Started({"--plugin", plugin}).daemon.hello().header.credits);
  EXPECT_EQ(9, Started({"--plugin", plugin, "--credits", "9"}).daemon.hello().header.credits);
  EXPECT_EQ(1, Started({"--wrap", "lines", "--", "cat"}).daemon.hello().header.credits);
}

TEST(Program, HandlesOnlyTheTypesNamed) {
  Started started({"--types=sleep,echo"});
  started.daemon.assign("exec", "{}");
  EXPECT_EQ(Outcome::FailedForGood, started.daemon.next().as<ipc::FailedMeta>().outcome);
  started.daemon.assign("echo", "x");
  EXPECT_EQ(Kind::Done, started.daemon.next().kind());
}

TEST(Program, ServesThePluginThatItIsGiven) {
  Started started({"--plugin", test::program("test-plugin-odd.so"), "--types=odd.two"});
  started.daemon.assign("odd.two", "x");
  EXPECT_EQ(Kind::Done, started.daemon.next().kind());
  started.daemon.assign("odd.two", "throw");
  const auto thrown = started.daemon.next();
  EXPECT_EQ(Outcome::Failed, thrown.as<ipc::FailedMeta>().outcome);
  EXPECT_EQ("thrown by a plug-in", thrown.payload);
  started.daemon.assign("odd.two", "throw-number");
  EXPECT_EQ(Outcome::Failed, started.daemon.next().as<ipc::FailedMeta>().outcome);
  started.daemon.assign("odd.one", "x");
  EXPECT_EQ(Outcome::FailedForGood, started.daemon.next().as<ipc::FailedMeta>().outcome);
  started.daemon.retire();
  EXPECT_EQ(0, started.process.wait());
}

TEST(Program, EndsBeforeTheFirstTaskWhereThePluginCannotBeUsed) {
  EXPECT_EQ(127, Process({"--plugin", "/no/such.so"}, {}).wait());
  EXPECT_EQ(126, Process({"--plugin", test::source_file("README.md")}, {}).wait());
  EXPECT_EQ(126,
            Process({"--plugin", test::program("test-plugin-odd.so")}, {"ODD=version"}).wait());
  EXPECT_EQ(2, Process({"--plugin", ""}, {}).wait());
  EXPECT_EQ(2, Process({"--plugin", "x.so", "--wrap", "lines", "--", "cat"}, {}).wait());
}

TEST(Program, HidesChannelAndTokenFromWhatItStarts) {
  Started started;
  started.daemon.assign("exec", R"({"argv":["sh","-c","env; ls /proc/self/fd"]})");
  const auto result = nlohmann::json::parse(started.answer_of_exec());
  const std::string output = result["stdout"];
  EXPECT_EQ(std::string::npos, output.find("WARMPOOL_CHANNEL")) << output;
  EXPECT_EQ(std::string::npos, output.find("WARMPOOL_FIFO")) << output;
  EXPECT_EQ(std::string::npos, output.find("4711")) << output;
  EXPECT_NE(std::string::npos, output.find("WARMPOOL_WORKER=65537")) << output;
  EXPECT_TRUE(output.ends_with("\n0\n1\n2\n3\n")) << output;
}

TEST(Program, EndsPolitelyAtSigterm) {
  Started started;
  started.daemon.assign("sleep", "1000000");
  started.daemon.expect_quiet();
  ::kill(started.process.pid(), SIGTERM);
  EXPECT_EQ(Kind::Failed, started.daemon.next().kind());
  EXPECT_EQ(0, started.process.wait());
}

TEST(Program, DiesByACrashTaskAsAsked) {
  Started started;
  started.daemon.assign("crash", "SIGSEGV");
  EXPECT_FALSE(started.daemon.next_or_end());
#ifndef __SANITIZE_ADDRESS__
  EXPECT_EQ(-SIGSEGV, started.process.wait());
#endif
}

TEST(Program, EndsWhenTheDaemonIsGone) {
  Started started;
  started.daemon.assign("sleep", "1000000");
  started.daemon.hang_up();
  EXPECT_EQ(static_cast<int>(RunStatus::DaemonGone), started.process.wait());
}

TEST(Program, IsNotEndedByASignalWhenTheDaemonGoesInTheMiddleOfAnAnswer) {
  Started started;
  started.daemon.assign("echo", std::string(1U << 20, 'x'));
  ASSERT_TRUE(started.daemon.wait_readable());
  started.daemon.hang_up();
  EXPECT_EQ(static_cast<int>(RunStatus::DaemonGone), started.process.wait());
}

// A program that it starts has the default again.
TEST(Program, LetsSigpipeEndWhatItStarts) {
  Started started;
  started.daemon.assign("exec", R"({"argv":["sh","-c","kill -PIPE $$"]})");
  EXPECT_NE(std::string::npos, started.answer_of_exec().find("\"signal\":13"));
}

// What it says, and its status.
std::pair<std::string, int> run(std::vector<std::string> arguments,
                                std::vector<std::string> variables) {
  const Scratch scratch;
  Process process(std::move(arguments), std::move(variables), -1, scratch.write("out", ""));
  const int status = process.wait();
  return {output_of("cat " + scratch.path("out")), status};
}

TEST(Program, StartedByHandSaysWhatToDo) {
  const auto [text, status] = run({}, {});
  EXPECT_EQ(2, status);
  EXPECT_NE(std::string::npos, text.find("started by the daemon")) << text;
  EXPECT_NE(std::string::npos, text.find("warmpoold")) << text;
}

TEST(Program, RefusesAWrongEnvironmentByName) {
  const auto expect = [](std::vector<std::string> variables, std::string_view what) {
    const auto [text, status] = run({}, std::move(variables));
    EXPECT_EQ(2, status);
    EXPECT_NE(std::string::npos, text.find(what)) << text;
  };
  const std::string worker = "WARMPOOL_WORKER=1", token = "WARMPOOL_TOKEN=1";
  expect({"WARMPOOL_CHANNEL=x", worker, token}, "WARMPOOL_CHANNEL=x is no whole number");
  expect({"WARMPOOL_CHANNEL=-1", worker, token}, "WARMPOOL_CHANNEL=-1");
  expect({"WARMPOOL_CHANNEL=77", worker, token}, "no open descriptor");
  expect({"WARMPOOL_CHANNEL=1", worker, token, "WARMPOOL_SPIN=50"},
         "WARMPOOL_SPIN=50 is no time from 0 to 10ms");
  expect({"WARMPOOL_CHANNEL=1", worker, token, "WARMPOOL_SPIN=11ms"}, "from 0 to 10ms");
  expect({"WARMPOOL_CHANNEL=1", worker, token}, "no socket");
  expect({"WARMPOOL_CHANNEL=1", token}, "WARMPOOL_WORKER is not set");
  expect({"WARMPOOL_CHANNEL=1", worker}, "WARMPOOL_TOKEN is not set");
  expect({"WARMPOOL_FIFO_IN=/dev/null", worker, token}, "/dev/null: is no FIFO");
  expect({"WARMPOOL_FIFO_OUT=/nonexistent", worker, token}, "WARMPOOL_FIFO_IN is not set");
  const Scratch scratch;
  const std::string fifo = scratch.path("fifo"), in = "WARMPOOL_FIFO_IN=" + fifo;
  ASSERT_EQ(0, ::mkfifo(fifo.c_str(), 0600));
  expect({in, worker, token}, "WARMPOOL_FIFO_OUT is not set");
  expect({in, "WARMPOOL_FIFO_OUT=" + scratch.write("file", ""), worker, token}, "is no FIFO");
  const std::string lonely = scratch.path("lonely");
  ASSERT_EQ(0, ::mkfifo(lonely.c_str(), 0600));
  expect({in, "WARMPOOL_FIFO_OUT=" + lonely, worker, token}, "nobody has this FIFO open");
}

TEST(Program, ExplainsItselfAndRefusesUnknownArguments) {
  EXPECT_EQ(0, run({"--help"}, {}).second);
  EXPECT_NE(std::string::npos, run({"--help"}, {}).first.find("file.digest"));
  EXPECT_EQ(0, run({"--version"}, {}).second);
  const std::vector<std::vector<std::string>> wrong = {
      {"--what"},       {"echo"},           {"--credits"},       {"--credits", "0"},
      {"--credits=65"}, {"--credits", "x"}, {"--types=nothing"}, {"--types="}};
  for (const auto& arguments : wrong) {
    const auto [text, status] = run(arguments, {});
    EXPECT_EQ(2, status) << arguments.front();
    EXPECT_NE(std::string::npos, text.find("--help")) << text;
  }
}

}  // namespace
}  // namespace warmpool::worker::testing
