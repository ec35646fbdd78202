// One daemon, one task type, workers in four languages: a map over all of them while each is
// killed.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/e2e/real_daemon.hpp"
#include "tests/support/places.hpp"

namespace warmpool::test {
namespace {

using nlohmann::json;

constexpr char kShell[] = R"(#!/bin/sh
while read -r line; do
  p=${line#*'"payload":"'}
  echo "a stray line"
  printf '{"result":"shell %s"}\n' "${p%'"}'}"
done
)";
constexpr char kPython[] = R"(from warmpool import task

@task("echo")
def answer(payload):
    print("a stray line")
    return "python " + payload
)";
constexpr char kNode[] = R"(import { task } from "@INDEX@";
task("echo", async (payload) => {
  console.log("a stray line");
  return "node " + payload;
});
)";

// Numbers from 1 on until there is the file $1, at least kTasksMin; $2: how many they were.
constexpr std::size_t kTasksMin = 4'000;
constexpr char kNumbers[] = R"(i=0
while [ $i -lt 4000 ] || [ ! -e "$1" ]; do i=$((i + 1)); echo $i; done
echo $i > "$2"
)";

// A folder with the workers' programs, and the classes that run them.
class FourLanguages {
 public:
  FourLanguages() {
    std::string name = (std::filesystem::temp_directory_path() / "warmpool-lang-XXXXXX").string();
    EXPECT_NE(nullptr, ::mkdtemp(name.data()));
    directory_ = name;
    write("shell.sh", kShell);
    write("tasks.py", kPython);
    std::string node = kNode;
    node.replace(node.find("@INDEX@"), 7, source_file("sdk/node/src/index.js"));
    write("tasks.mjs", node);
    const std::string node_program = run_shell("command -v node | tr -d '\\n'").output;
    add_class("native", "\"" + program("warmpool-worker") + "\"", R"(types = ["echo"])");
    add_class("shell",
              "\"" + program("warmpool-worker") +
                  "\", \"--wrap\", \"lines\", \"--\", \"/bin/sh\", \"" + directory_ + "/shell.sh\"",
              R"(types = ["echo"])");
    add_class(
        "python", "\"/usr/bin/python3\", \"-m\", \"warmpool\", \"" + directory_ + "/tasks.py\"",
        "types = [\"echo\"]\nenvironment = [\"PYTHONPATH=" + source_file("sdk/python") + "\"]");
    add_class("node",
              "\"" + node_program + "\", \"" + source_file("sdk/node/src/main.js") + "\", \"" +
                  directory_ + "/tasks.mjs\"",
              R"(types = ["echo"])");
  }
  ~FourLanguages() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  FourLanguages(const FourLanguages&) = delete;
  FourLanguages& operator=(const FourLanguages&) = delete;

  const std::string& config() const { return config_; }
  std::string path(const std::string& name) const { return directory_ + "/" + name; }

 private:
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name)) << text;
  }
  void add_class(const std::string& name, const std::string& command, const std::string& more) {
    config_ += "[[class]]\nname = \"" + name + "\"\ncommand = [" + command + "]\n" + more +
               "\nsize = 1\nsize_min = 1\n";
  }

  std::string directory_, config_;
};

std::map<std::string, pid_t> pids_by_class(const RealDaemon& daemon) {
  std::map<std::string, pid_t> pids;
  const auto answer = json::parse(daemon.call("workers --json").output, nullptr, false);
  if (!answer.is_object()) return pids;
  for (const auto& row : answer.at("workers")) {
    if (row.at("pid").is_number() && row.at("state") != "starting") {
      pids[row.at("class")] = row.at("pid").get<pid_t>();
    }
  }
  return pids;
}

bool kill_one(const RealDaemon& daemon, const char* worker_class) {
  const auto pids = pids_by_class(daemon);
  const auto pid = pids.find(worker_class);
  return pid != pids.end() && ::kill(pid->second, SIGKILL) == 0;
}

std::int64_t crashes(const RealDaemon& daemon) {
  const auto answer = json::parse(daemon.call("status --json").output, nullptr, false);
  return answer.is_object() ? answer.at("performance").at("crashes").get<std::int64_t>() : 0;
}

void write_program(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
}

TEST(Languages, WorkersInFourServeOneMapWhileEachIsKilledSlow) {
  const FourLanguages languages;
  const RealDaemon daemon({.config = languages.config(), .arguments = {}, .prefix = ""});
  ASSERT_TRUE(
      eventually([&] { return pids_by_class(daemon).size() == 4; }, std::chrono::seconds(60)))
      << daemon.log();
  const std::string output = languages.path("out"), ended = languages.path("ended");
  // Tasks come until the last kill has been seen, so that all kills are within the map.
  write_program(languages.path("numbers.sh"), kNumbers);
  run_shell("(/bin/sh " + languages.path("numbers.sh") + ' ' + languages.path("enough") + ' ' +
            languages.path("count") + " | " +
            daemon.command("map echo --retries 10 --in-flight 16") + " > " + output + " 2> " +
            languages.path("err") + "; echo $? > " + ended + ".new; mv " + ended + ".new " + ended +
            ") > /dev/null 2>&1 &");
  for (const char* worker_class : {"native", "shell", "python", "node"}) {
    EXPECT_TRUE(eventually([&] { return kill_one(daemon, worker_class); })) << worker_class;
  }
  // One that is killed between two tasks costs none: until one was within a task.
  EXPECT_TRUE(eventually([&] {
    if (crashes(daemon) > 0) return true;
    kill_one(daemon, "python");
    return false;
  }));
  EXPECT_FALSE(std::filesystem::exists(ended));
  write_program(languages.path("enough"), "");
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(ended); }, std::chrono::seconds(80)))
      << daemon.log();
  std::string status;
  std::ifstream(ended) >> status;
  std::ifstream err(languages.path("err"));
  std::stringstream said;
  said << err.rdbuf();
  EXPECT_EQ("0", status) << said.str();

  std::ifstream lines(output);
  std::set<std::string> inputs, languages_seen;
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const json row = json::parse(line);
    EXPECT_EQ("done", row.at("verdict")) << line;
    const std::string input = row.at("input"), result = row.at("result");
    inputs.insert(input);
    const std::string language = result == input ? "native" : result.substr(0, result.find(' '));
    EXPECT_TRUE(result == input || result == language + " " + input) << line;
    languages_seen.insert(language);
  }
  std::size_t tasks = 0;
  std::ifstream(languages.path("count")) >> tasks;
  EXPECT_GE(tasks, kTasksMin);
  EXPECT_EQ(tasks, count);
  EXPECT_EQ(tasks, inputs.size());
  EXPECT_EQ((std::set<std::string>{"native", "node", "python", "shell"}), languages_seen);
}

}  // namespace
}  // namespace warmpool::test
