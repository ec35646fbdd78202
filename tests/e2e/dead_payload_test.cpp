// Payloads of dead letters: lost ones run no more, and those that are there come back as they were.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <signal.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/e2e/real_daemon.hpp"
#include "tests/support/places.hpp"
#include "tests/support/transport.hpp"

namespace warmpool::test {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

class DeadPayload : public testing::Test {
 protected:
  explicit DeadPayload(const std::string& more = {}) : daemon_(pool(more)) {}
  static RealDaemon::Setup pool(const std::string& more) {
    return {.config = more + R"(
payload_bytes_max = "1MiB"
backoff_first = "1ms"
[[class]]
name = "worker"
command = [")" + program("warmpool-worker") +
                      R"("]
types = ["fail"]
size = 1
size_min = 1
)",
            .arguments = {"--dead-max", "1"},
            .prefix = {}};
  }
  std::string at(const std::string& name) const { return daemon_.directory() + "/" + name; }
  std::string submit(const std::string& options) const {
    auto id = daemon_.call("submit fail --retries 0 --print-id " + options).output;
    while (!id.empty() && id.back() == '\n') id.pop_back();
    return id;
  }
  bool dead(std::uint64_t count) const {
    return eventually([&] { return status_of(daemon_).at("tasks").at("dlq") == count; });
  }
  bool archived(std::uint64_t count) const {
    return eventually(
        [&] { return status_of(daemon_).at("dead_letters").at("archived") == count; });
  }
  std::string archive() const { return at("state/dead-letters.jsonl"); }
  // The fields of the first line.
  static json line_of(const std::string& path) {
    std::ifstream in(path);
    std::string line;
    std::getline(in, line);
    return json::parse(line, nullptr, false);
  }
  void restart_without_bodies() {
    daemon_.signal(SIGTERM);
    daemon_.wait();
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(at("state/bodies"))) files.push_back(entry);
    ASSERT_FALSE(files.empty());
    for (const auto& file : files) fs::remove(file);
    ASSERT_TRUE(daemon_.start()) << daemon_.log();
  }

  void one_by_descriptor_goes_and_comes() {
    run_shell("printf '%3000000s' 9 > " + at("large"));
    submit("--payload-file " + at("large"));
    ASSERT_TRUE(dead(1));
    EXPECT_EQ(daemon_.call("dlq export > " + at("lines")).status, 0);
    EXPECT_EQ(daemon_.call("dlq rm --all").status, 0);
    const auto ran = daemon_.call("dlq import --json " + at("lines"));
    EXPECT_EQ(json::parse(ran.output).at("imported"), 1) << ran.output;
    ASSERT_TRUE(dead(1));
  }

  RealDaemon daemon_;
};

TEST_F(DeadPayload, OneThatIsLostRunsOnlyWithAnother) {
  run_shell("printf '%200000s' 9 > " + at("large"));
  const auto task = submit("--payload-file " + at("large"));
  ASSERT_TRUE(dead(1));
  ASSERT_NO_FATAL_FAILURE(restart_without_bodies());
  EXPECT_EQ(json::parse(daemon_.call("show " + task + " --json").output).at("payload_lost"), true);
  const auto refused = run_shell(daemon_.command("dlq retry " + task + " 2>&1"));
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.output.find("was lost or damaged"), std::string::npos) << refused.output;
  const auto both = json::parse(daemon_.call("dlq retry " + task + " 12345 --json").output);
  EXPECT_EQ(both.at("retried"), 0) << both;
  EXPECT_EQ(both.at("refused"), 2) << both;
  EXPECT_EQ(both.at("refusals").at(0).at("refusal"), "damaged") << both;
  EXPECT_EQ(json::parse(daemon_.call("show " + task + " --json").output).at("state"), "dead");
  const auto exported =
      run_shell(daemon_.command("dlq export 2>" + at("said") + " > " + at("lines")));
  EXPECT_EQ(exported.status, 1);
  EXPECT_NE(run_shell("cat " + at("said")).output.find(task), std::string::npos);
  EXPECT_TRUE(line_of(at("lines")).at("payload").contains("unreadable"));
  const auto imported = daemon_.call("dlq import --json " + at("lines"));
  EXPECT_EQ(imported.status, 1);
  EXPECT_EQ(json::parse(imported.output).at("refused"), 1) << imported.output;
  EXPECT_EQ(daemon_.call("dlq retry " + task + " --payload 0").status, 0);
  EXPECT_EQ(daemon_.call("wait " + task).status, 0);
}

TEST_F(DeadPayload, TheArchiveSaysOfOneThatIsLost) {
  run_shell("printf '%200000s' 9 > " + at("large"));
  const auto task = submit("--payload-file " + at("large"));
  ASSERT_TRUE(dead(1));
  ASSERT_NO_FATAL_FAILURE(restart_without_bodies());
  submit("9");
  ASSERT_TRUE(archived(1));
  const auto line = line_of(archive());
  EXPECT_EQ(line.at("id").dump(), task);
  EXPECT_TRUE(line.at("payload").contains("unreadable")) << line;
}

TEST_F(DeadPayload, WhatIsCalledTextAndIsNoneComesBackByteForByte) {
  run_shell("printf 'a\\377\\376b' > " + at("odd"));
  submit("--content utf8 --payload-file " + at("odd"));
  ASSERT_TRUE(dead(1));
  EXPECT_EQ(daemon_.call("dlq export > " + at("lines")).status, 0);
  const auto payload = line_of(at("lines")).at("payload");
  EXPECT_EQ(payload.at("content"), "utf8");
  EXPECT_EQ(payload.value("base64", ""), "Yf/+Yg==") << payload;
  EXPECT_EQ(daemon_.call("dlq rm --all").status, 0);
  EXPECT_EQ(daemon_.call("dlq import " + at("lines")).status, 0);
  ASSERT_TRUE(dead(1));
  EXPECT_EQ(daemon_.call("dlq export > " + at("again")).status, 0);
  EXPECT_EQ(line_of(at("again")).at("payload"), payload);
}

TEST_F(DeadPayload, OneByDescriptorIsExportedUpToItsBoundAndIsNamedBeyondIt) {
  if (over_fifos()) GTEST_SKIP() << "no descriptor goes through a FIFO";
  ASSERT_NO_FATAL_FAILURE(one_by_descriptor_goes_and_comes());
  EXPECT_EQ(daemon_.call("dlq rm --all").status, 0);
  run_shell("printf '%9000000s' 9 > " + at("larger"));
  const auto task = submit("--payload-file " + at("larger"));
  ASSERT_TRUE(dead(1));
  EXPECT_EQ(run_shell(daemon_.command("dlq export 2>" + at("said") + " > " + at("lines"))).status,
            1);
  EXPECT_NE(run_shell("cat " + at("said")).output.find(task), std::string::npos);
}

class VolatileDeadPayload : public DeadPayload {
 protected:
  VolatileDeadPayload() : DeadPayload("store = \"volatile\"") {}
};

// Its key cannot last where nobody reads the payload that it stands for.
TEST_F(VolatileDeadPayload, OneByDescriptorIsImported) {
  if (over_fifos()) GTEST_SKIP() << "no descriptor goes through a FIFO";
  ASSERT_NO_FATAL_FAILURE(one_by_descriptor_goes_and_comes());
}

TEST_F(DeadPayload, AnArchivedLineOfAnySizeIsImported) {
  if (over_fifos()) GTEST_SKIP() << "no descriptor goes through a FIFO";
  run_shell("head -c 60000000 /dev/zero > " + at("large"));
  submit("--content bytes --payload-file " + at("large"));
  ASSERT_TRUE(dead(1));
  submit("9");
  ASSERT_TRUE(archived(1));
  EXPECT_GT(fs::file_size(archive()), 64U << 20);
  EXPECT_EQ(daemon_.call("pause fail").status, 0);
  fs::copy_file(archive(), at("lines"));
  const auto ran = daemon_.call("dlq import --json " + at("lines") + " 2>&1");
  EXPECT_EQ(ran.status, 0) << ran.output;
  const auto tasks = json::parse(daemon_.call("ls --json").output).at("tasks");
  EXPECT_TRUE(std::ranges::any_of(tasks, [](const auto& task) {
    return task.at("payload_bytes") == 60'000'000;
  })) << tasks;
}

TEST_F(DeadPayload, ABackupWithoutItIsMadeAndSaysSo) {
  run_shell("printf '%200000s' 9 > " + at("large"));
  const auto task = submit("--payload-file " + at("large"));
  ASSERT_TRUE(dead(1));
  EXPECT_EQ(daemon_.call("backup " + at("whole.db")).status, 0);
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(at("state/bodies"))) files.push_back(entry);
  ASSERT_EQ(files.size(), 1U);
  fs::remove(files.front());
  const auto made =
      run_shell(daemon_.command("backup --json " + at("copy.db") + " 2>" + at("said")));
  EXPECT_EQ(made.status, 1);
  EXPECT_EQ(json::parse(made.output).at("left_out"), json::array({std::stoull(task)}));
  EXPECT_NE(run_shell("cat " + at("said")).output.find(task), std::string::npos);
  EXPECT_TRUE(fs::exists(at("copy.db")));
}

// The status of a restore that is not whole says so, and its text of which tasks.
TEST_F(DeadPayload, ARestoreWithoutItHasAStatusOfItsOwn) {
  run_shell("printf '%200000s' 9 > " + at("large"));
  const auto task = submit("--payload-file " + at("large"));
  ASSERT_TRUE(dead(1));
  daemon_.signal(SIGTERM);
  daemon_.wait();
  fs::create_directory(at("raw"));
  fs::create_directory(at("raw/bodies"));
  fs::copy_file(at("state/warmpool.db"), at("raw/warmpool.db"));
  const auto restored =
      run_shell(program("warmpoold") + " --config /dev/null --runtime-dir " + daemon_.directory() +
                " --restore " + at("raw/warmpool.db") + " 2>&1");
  EXPECT_EQ(restored.status, 66) << restored.output;
  EXPECT_NE(restored.output.find(task), std::string::npos) << restored.output;
  ASSERT_TRUE(daemon_.start()) << daemon_.log();
  EXPECT_EQ(json::parse(daemon_.call("show " + task + " --json").output).at("payload_lost"), true);
}

}  // namespace
}  // namespace warmpool::test
