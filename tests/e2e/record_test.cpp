// The flight recorder of a real daemon: what it wrote before a kill is replayed, and tells the
// story of a task.
#include <filesystem>
#include <fstream>
#include <signal.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/e2e/real_daemon.hpp"
#include "tests/support/places.hpp"

namespace warmpool::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

RealDaemon::Setup recording(std::vector<std::string> arguments = {}) {
  arguments.insert(arguments.end(), {"--record", "true", "--record-segment-bytes", "64KiB"});
  const auto config = R"(
crashes_max = 1
backoff_first = "1ms"
backoff_max = "1ms"
[[class]]
name = "worker"
command = [")" + program("warmpool-worker") +
                      R"("]
environment = ["SECRET=hunter2"]
types = ["echo", "sleep"]
size = 2
size_min = 1
)";
  return {.config = config, .arguments = std::move(arguments), .prefix = {}};
}

std::string line_of(std::string output) {
  while (!output.empty() && output.back() == '\n') output.pop_back();
  return output;
}

json recorder_of(const RealDaemon& daemon) {
  return json::parse(daemon.call("status --json").output).at("recorder");
}

Ran replay(const std::string& arguments) {
  return run_shell(program("warmpoold") + " --replay " + arguments + " 2>&1");
}

std::string state_of(const RealDaemon& daemon, const std::string& id) {
  const auto ran = daemon.call("show " + id + " --json");
  return ran.status == 0 ? json::parse(ran.output).at("state").get<std::string>() : std::string();
}

TEST(Record, TellsTheStoryOfATaskAfterAKill) {
  RealDaemon daemon(recording());
  const auto id = line_of(daemon.call("submit sleep 600000 --print-id").output);
  ASSERT_TRUE(eventually([&] { return state_of(daemon, id) == "running"; }));
  for (const auto worker : daemon.workers()) ::kill(worker, SIGKILL);
  ASSERT_TRUE(eventually([&] { return state_of(daemon, id) == "dead"; }));
  ASSERT_EQ(daemon.call("submit echo hunter3 --wait").status, 0);
  // What has happened so far is on its way to the file after 50 ms.
  const auto recorder = recorder_of(daemon);
  EXPECT_EQ(recorder.at("on"), true);
  const auto directory = recorder.at("directory").get<std::string>();
  EXPECT_EQ(directory, daemon.directory() + "/state/flight");
  ASSERT_TRUE(eventually([&] {
    return replay(directory + " --task " + id).output.find("announce") != std::string::npos;
  }));
  daemon.signal(SIGKILL);
  daemon.wait();

  const auto whole = replay(directory);
  EXPECT_EQ(whole.status, 0);
  EXPECT_THAT(whole.output, HasSubstr("begins with the daemon"));
  EXPECT_THAT(whole.output, HasSubstr("it stops here, as after a kill"));
  const auto story = replay(directory + " --task " + id).output;
  for (const char* part :
       {"-> submit client", "assign ", "-> exited ", " signalled -9", "dead crashed", "announce"}) {
    EXPECT_THAT(story, HasSubstr(part));
  }
  for (const auto& file : std::filesystem::directory_iterator(directory)) {
    std::ostringstream bytes;
    bytes << std::ifstream(file.path(), std::ios::binary).rdbuf();
    EXPECT_EQ(bytes.str().find("hunter"), std::string::npos) << file.path();
  }
}

TEST(Record, GoesOnOverLivesAndSegments) {
  RealDaemon daemon(recording({"--record-segments-max", "4"}));
  const auto directory = recorder_of(daemon).at("directory").get<std::string>();
  const auto more = [&] {
    return daemon.call("map echo < " + daemon.directory() + "/lines > /dev/null").status;
  };
  ASSERT_EQ(run_shell("seq 1 4000 > " + daemon.directory() + "/lines").status, 0);
  ASSERT_EQ(more(), 0);
  daemon.signal(SIGKILL);
  daemon.wait();
  ASSERT_TRUE(daemon.start());
  ASSERT_TRUE(
      eventually([&] { return more() == 0 && recorder_of(daemon).at("segment").get<int>() > 5; }));
  daemon.signal(SIGTERM);
  EXPECT_EQ(daemon.wait(), 0);
  std::size_t files = 0;
  for (const auto& file : std::filesystem::directory_iterator(directory)) {
    files += file.path().extension() == ".rec";
  }
  EXPECT_EQ(files, 4U);
  const auto replayed = run_shell(program("warmpoold") + " --replay " + directory + " > /dev/null");
  EXPECT_EQ(replayed.status, 0);
}

TEST(Record, IsOffByItself) {
  const RealDaemon daemon;
  const auto status = json::parse(daemon.call("status --json").output);
  EXPECT_FALSE(status.contains("recorder"));
  EXPECT_FALSE(std::filesystem::exists(daemon.directory() + "/state/flight"));
}

TEST(Record, RefusesWhatCannotBeReplayed) {
  const auto foreign = replay(program("warmpoold"));
  EXPECT_EQ(foreign.status, 65);
  EXPECT_THAT(foreign.output, HasSubstr("is no recording of warmpoold"));
  EXPECT_EQ(replay("/nowhere").status, 65);
  EXPECT_EQ(replay("/nowhere --from soon").status, 2);
  EXPECT_EQ(run_shell(program("warmpoold") + " --task 7 2>&1").status, 2);
}

}  // namespace
}  // namespace warmpool::test
