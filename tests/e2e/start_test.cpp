// Every way in which a daemon cannot start has its status and says what to do; a class that cannot
// work is no reason for the others not to.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <signal.h>
#include <unistd.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/e2e/real_daemon.hpp"
#include "tests/support/places.hpp"

namespace warmpool::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

struct Cannot {
  const char* name;
  const char* prepare;    // in an empty directory of its own
  const char* arguments;  // of warmpoold, beside --runtime-dir run
  int status;
  const char* said;
  const char* before = "";  // the program
};

class Start : public testing::TestWithParam<Cannot> {};

TEST_P(Start, HasItsStatusAndSaysWhatToDo) {
  const auto& one = GetParam();
  char name[] = "/tmp/warmpool-start.XXXXXX";
  ASSERT_NE(::mkdtemp(name), nullptr);
  const std::string here = std::string("cd ") + name + " && B=" + program_directory() + "; ";
  ASSERT_EQ(run_shell(here + one.prepare).status, 0);
  const std::string program = *one.before != '\0' ? one.before : "$B/warmpoold";
  const std::string command = here + program + " --runtime-dir " + name + "/run " + one.arguments;
  const auto ran = run_shell("(" + command + ") 2>&1");
  EXPECT_EQ(ran.status, one.status) << ran.output;
  EXPECT_TRUE(ran.output.starts_with("warmpoold: ")) << ran.output;
  EXPECT_EQ(std::ranges::count(ran.output, '\n'), 1) << ran.output;
  EXPECT_NE(ran.output.find(one.said), std::string::npos) << ran.output;
  std::filesystem::remove_all(name);
}

INSTANTIATE_TEST_SUITE_P(
    All, Start,
    testing::Values(
        Cannot{"unknown_option", "true", "--retires 3", 2, "did you mean 'retries'?"},
        Cannot{"no_option", "true", "start", 2, "'start' is no option; see: warmpoold --help"},
        Cannot{"no_value", "true", "--retries", 2, "--retries needs a value after it"},
        Cannot{"wrong_value", "true", "--config /dev/null --retries many", 78,
               "argument --retries: retries = 'many': give a whole number"},
        Cannot{"no_unit", "true", "--config /dev/null --timeout 5", 78, "give a time with unit"},
        Cannot{"out_of_range", "true", "--config /dev/null --priority 101", 78,
               "give a whole number from 0 to 100"},
        Cannot{"missing_file", "true", "--config none.toml", 78,
               "none.toml: cannot be read; check that it exists and its mode"},
        Cannot{"wrong_file", "printf 'retries = 1\\ntimeot = \"5s\"\\n' >w.toml", "--config w.toml",
               78, "w.toml:2:1: there is no pool option 'timeot'"},
        Cannot{"unknown_group", "true", "--config /dev/null --socket-group no-such-group-here", 78,
               "socket_group: no group is named"},
        Cannot{"writable_directory", "mkdir -m 777 run", "--config /dev/null", 73, "chmod"},
        Cannot{"linked_directory", "mkdir -m 700 real && ln -s real run", "--config /dev/null", 73,
               "run"},
        Cannot{"a_file_for_a_directory", "touch run", "--config /dev/null", 73, "run"},
        Cannot{"a_file_for_a_socket", "mkdir -m 700 run && touch run/warmpool.sock",
               "--config /dev/null", 73, "warmpool.sock"},
        Cannot{"private_directory", "mkdir -m 700 run run/mine", "--private --config /dev/null", 73,
               "holds the directory mine"},
        Cannot{"private_file", "mkdir -m 700 run && touch run/thesis.txt",
               "--private --config /dev/null", 73, "holds the file thesis.txt"},
        Cannot{"private_store", "mkdir -m 700 run", "--private --config /dev/null", 78,
               "give --store volatile, or a --state-dir elsewhere"},
        Cannot{"log_file", "true", "--config /dev/null --log-file none/log", 73, "none/log"},
        Cannot{"launcher", "true", "--config /dev/null --launch-path none", 69,
               "warmpool-launch is not at none"},
        Cannot{"stock_worker", "cp $B/warmpoold $B/warmpool-launch .", "--config /dev/null", 69,
               "the stock worker is not at", "./warmpoold"},
        Cannot{"descriptors", "true", "--config /dev/null", 71,
               "LimitNOFILE=", "ulimit -n 64; $B/warmpoold"}),
    [](const auto& one) { return one.param.name; });

TEST(StartAsRoot, InADirectoryOfSomebodyElseIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a directory away";
  char name[] = "/tmp/warmpool-start.XXXXXX";
  ASSERT_NE(::mkdtemp(name), nullptr);
  ASSERT_EQ(::chown(name, 65534, 65534), 0);
  const auto ran = run_shell((program_directory() + "/warmpoold --config /dev/null ") +
                             "--runtime-dir " + name + " 2>&1");
  EXPECT_EQ(ran.status, 73) << ran.output;
  EXPECT_NE(ran.output.find(name), std::string::npos) << ran.output;
  std::filesystem::remove_all(name);
}

// --- classes that cannot work --------------------------------------------------------------------

struct BadClass {
  const char* name;
  const char* command;  // as TOML
  const char* said;     // in the log
};

class Class : public testing::TestWithParam<BadClass> {};

TEST_P(Class, ThatCannotWorkIsToldAndTheOtherOneServes) {
  const RealDaemon daemon(
      {.config = "start_timeout = \"500ms\"\nrestart_cooldown = \"50ms\"\n[[class]]\n"
                 "name = \"good\"\ncommand = [\"" +
                 program_directory() +
                 "/warmpool-worker\"]\n"
                 "types = [\"echo\"]\nsize = 1\n[[class]]\nname = \"bad\"\ntypes = [\"t\"]\n"
                 "size = 1\ncommand = " +
                 std::string(GetParam().command),
       .arguments = {},
       .prefix = {}});
  EXPECT_TRUE(eventually([&] { return daemon.log().find(GetParam().said) != std::string::npos; }))
      << daemon.log();
  EXPECT_TRUE(eventually([&] {
    const auto worker = json::parse(daemon.call("worker bad-0 --json").output);
    return worker.at("unproductive_deaths") > 0;
  }));
  EXPECT_EQ(daemon.call("submit echo served --wait").output, "served");
  EXPECT_EQ(daemon.call("submit t x --print-id").status, 0) << "it waits for a worker";
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(daemon.call("ping").status, 0);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 5s) << "nothing holds the loop up";
}

INSTANTIATE_TEST_SUITE_P(
    All, Class,
    testing::Values(
        BadClass{"whose_program_is_missing", "[\"/no/such/program\"]",
                 "cannot find program /no/such/program"},
        BadClass{"whose_program_is_not_executable", "[\"/etc/passwd\"]",
                 "cannot execute /etc/passwd"},
        BadClass{"whose_program_ends_before_hello", "[\"/bin/sh\", \"-c\", \"exit 3\"]", "code=3"},
        BadClass{"whose_program_never_says_hello", "[\"/bin/sleep\", \"60\"]", "start-timeout"},
        BadClass{"whose_program_floods_its_output", "[\"/bin/sh\", \"-c\", \"yes; yes >&2\"]",
                 "start-timeout"},
        BadClass{"whose_program_speaks_something_else",
                 "[\"/bin/sh\", \"-c\", \"echo GET / HTTP/1.1, and more than a header >&3; "
                 "exec sleep 60\"]\nchannel = \"socket\"\n",
                 "broke the protocol"}),
    [](const auto& one) { return one.param.name; });

// --- signals -------------------------------------------------------------------------------------

TEST(Signals, Usr1OpensTheLogAgain) {
  const RealDaemon daemon({.config = "",
                           .arguments = {"--workers 1", "--log-file $PWD/rotated"},
                           .prefix = "cd $(mktemp -d /tmp/warmpool-log.XXXXXX);"});
  ASSERT_TRUE(daemon.running());
  const auto place =
      std::filesystem::read_symlink("/proc/" + std::to_string(daemon.pid()) + "/cwd").string();
  const std::string log = place + "/rotated";
  ASSERT_EQ(::rename(log.c_str(), (log + ".1").c_str()), 0);
  daemon.signal(SIGUSR1);
  EXPECT_TRUE(eventually([&] { return std::filesystem::exists(log); }));
  std::filesystem::remove_all(place);
}

TEST(Signals, QuitEndsAtOnce) {
  RealDaemon daemon({.config = "", .arguments = {"--workers 1"}, .prefix = {}});
  daemon.call("submit sleep 60000");
  ASSERT_TRUE(eventually([&] {
    return json::parse(daemon.call("status --json").output).at("tasks").at("running") == 1;
  }));
  const auto begun = std::chrono::steady_clock::now();
  daemon.signal(SIGQUIT);
  EXPECT_EQ(daemon.wait(), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 20s) << "and not the 30 s of a drain";
}

// --- config check --------------------------------------------------------------------------------

TEST(ConfigCheck, EndsWith78AndSaysWhereInBothForms) {
  char name[] = "/tmp/warmpool-check.XXXXXX";
  ASSERT_NE(::mkdtemp(name), nullptr);
  const std::string file = std::string(name) + "/x.toml";
  const auto check = [&](const std::string& more) {
    return run_shell(program_directory() + "/warmpool config check " + file + more);
  };
  std::ofstream(file) << "retries = 1\ntimeout = 5\n";
  const auto wrong = check(" 2>&1");
  EXPECT_EQ(wrong.status, 78);
  EXPECT_NE(wrong.output.find("x.toml:2:1: timeout = '5': give a time with unit"),
            std::string::npos)
      << wrong.output;
  const auto as_json = check(" --json");
  EXPECT_EQ(as_json.status, 78);
  const auto document = json::parse(as_json.output);
  EXPECT_EQ(document.at("schema"), 1);
  EXPECT_EQ(document.at("ok"), false);
  EXPECT_EQ(document.at("problems").at(0).at("line"), 2);
  std::ofstream(file) << "retries = 1\n";
  EXPECT_EQ(check("").status, 0);
  EXPECT_EQ(json::parse(check(" --json").output).at("ok"), true);
  std::filesystem::remove_all(name);
}

}  // namespace
}  // namespace warmpool::test
