// Directories of places and attempts as their workers meet them. Commands are processes of the
// test's, which end when it says so.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "tests/daemon/test_daemon.hpp"

namespace warmpool::daemon {
namespace {

namespace fs = std::filesystem;
using ipc::Kind;
using testing::Contains;
using testing::HasSubstr;
using Texts = std::vector<std::string>;

class DirectoriesTest : public testing::Test {
 protected:
  using Change = std::function<void(ClassOptions&)>;

  void begin(const char* directory, const Change& change = {}, std::uint8_t credits = 1) {
    auto configuration = small_configuration();
    auto& options = configuration.classes.front().values;
    options.directory = directory;
    options.size = options.size_min = 1;
    options.credits = credits;
    if (change) change(options);
    // Time passes at once here, and workers do not beat in it.
    configuration.pool.values.unresponsive_after = hours(1);
    configuration.pool.values.dead_after = hours(2);
    test_ = std::make_unique<TestDaemon>(configuration);
    test_->processes.credits = credits;
  }
  void begin_ready(const char* directory, const Change& change = {}, std::uint8_t credits = 1) {
    begin(directory, change, credits);
    ASSERT_TRUE(test_->until([&] { return test_->processes.alive() != nullptr; }));
    client_.emplace(test_->connect());
    client_->name_type("echo", 0);
    client_->name_type("hang", 1);
  }
  void submit(std::uint16_t type, std::uint64_t token, const ipc::SubmitMeta& meta = {}) {
    client_->submit("x", token, ipc::flag::kWait, meta, type);
  }
  bool until(const std::function<bool()>& holds) { return test_->until(*client_, holds); }
  bool settled(std::uint64_t token) {
    return until([&] { return client_->find(Kind::Settled, token) != nullptr; });
  }
  std::string text_of(std::uint64_t token) const {
    return client_->find(Kind::Settled, token)->payload;
  }

  // A command that runs; null: none.
  FakeWorker* command() {
    for (auto& [id, worker] : test_->processes.workers) {
      if (worker.spec.role == SpawnRole::Helper && !worker.exit) return &worker;
    }
    return nullptr;
  }
  FakeWorker* wait_for_command() {
    EXPECT_TRUE(test_->until([&] { return command() != nullptr; }));
    return command();
  }
  void end(FakeWorker& helper, std::int32_t status = 0, const std::string& words = {}) {
    if (!words.empty()) {
      ASSERT_EQ(::write(helper.errors.get(), words.data(), words.size()),
                static_cast<ssize_t>(words.size()));
    }
    test_->processes.die(helper, {ExitCause::Exited, status, false});
  }
  Texts assigned_directories() const {
    Texts all;
    for (const auto& [id, worker] : test_->processes.workers) {
      all.insert(all.end(), worker.directories.begin(), worker.directories.end());
    }
    return all;
  }
  std::string root(const std::string& below = {}) const {
    return test_->directory / ("directories/worker" + below);
  }
  bool is_empty(const std::string& below) const {
    return !fs::exists(root(below)) || fs::is_empty(root(below));
  }
  nlohmann::json worker(bool sizes) {
    return nlohmann::json::parse(
        test_->ask(*client_, ipc::Verb::Worker, {std::string_view("worker-0"), sizes}));
  }

  std::unique_ptr<TestDaemon> test_;
  std::optional<RawClient> client_;
};

const Texts kPrepare{"prepare", "it"}, kClean{"clean", "it"};

TEST_F(DirectoriesTest, AnAttemptIsToldAnEmptyDirectoryThatIsGoneAfterIt) {
  begin_ready("fresh");
  submit(1, 1);
  ASSERT_TRUE(until([&] { return assigned_directories().size() == 1; }));
  const auto path = assigned_directories().front();
  EXPECT_TRUE(path.starts_with(root("/fresh/"))) << path;
  EXPECT_TRUE(fs::is_empty(path));
  std::ofstream(path + "/left behind") << "text";
  auto* worker = test_->processes.alive();
  worker->channel->send(ipc::run_header(Kind::Done, ipc::key_of(worker->assigned.front())));
  ASSERT_TRUE(settled(1));
  EXPECT_TRUE(until([&] { return !fs::exists(path) && fs::is_empty(root("/../.removed")); }));
}

TEST_F(DirectoriesTest, NoTwoAttemptsHaveTheSame) {
  begin_ready("fresh");
  ipc::SubmitMeta meta;
  meta.crashes_max = 2;
  submit(1, 1, meta);
  ASSERT_TRUE(until([&] { return assigned_directories().size() == 1; }));
  const auto first = assigned_directories().front();
  std::ofstream(first + "/half") << "text";
  test_->processes.die(*test_->processes.alive(), {ExitCause::Signalled, -SIGSEGV, false});
  ASSERT_TRUE(until([&] { return assigned_directories().size() == 2; }));
  EXPECT_FALSE(fs::exists(first));
  EXPECT_NE(assigned_directories().back(), first);
  EXPECT_TRUE(fs::is_empty(assigned_directories().back()));
}

TEST_F(DirectoriesTest, AnAttemptWaitsForItsPreparationInItsDirectoryWithTheFacts) {
  begin_ready("fresh", [](ClassOptions& options) { options.directory_prepare = kPrepare; });
  submit(0, 1);
  auto* prepare = wait_for_command();
  EXPECT_EQ(prepare->spec.command, kPrepare);
  EXPECT_TRUE(prepare->spec.working_directory.starts_with(root("/fresh/")));
  EXPECT_EQ(prepare->spec.directory, prepare->spec.working_directory);
  EXPECT_EQ(prepare->spec.slot, "worker-0");
  EXPECT_THAT(prepare->spec.environment, Contains("WARMPOOL_CLASS=worker"));
  EXPECT_THAT(prepare->spec.environment, Contains("WARMPOOL_TYPE=echo"));
  EXPECT_THAT(prepare->spec.environment, Contains("WARMPOOL_ATTEMPT=1"));
  EXPECT_TRUE(assigned_directories().empty());
  end(*prepare);
  EXPECT_TRUE(settled(1));
  EXPECT_EQ(text_of(1), "x");
}

TEST_F(DirectoriesTest, APreparationThatFailsFailsTheAttemptWithItsText) {
  begin_ready("fresh", [](ClassOptions& options) { options.directory_prepare = kPrepare; });
  ipc::SubmitMeta meta;
  meta.retries = 1;
  submit(0, 1, meta);
  end(*wait_for_command(), 3, "no such branch\n");
  end(*wait_for_command(), 3, "no such branch\n");
  ASSERT_TRUE(settled(1));
  EXPECT_THAT(text_of(1), HasSubstr("directory_prepare of class 'worker' ended with status 3"));
  EXPECT_THAT(text_of(1), HasSubstr("no such branch"));
  EXPECT_TRUE(assigned_directories().empty());
  EXPECT_TRUE(until([&] { return is_empty("/fresh"); }));
  EXPECT_EQ(test_->daemon.pool().counters().failures, 2U);
}

TEST_F(DirectoriesTest, APreparationThatHangsIsKilledAfterItsTime) {
  begin_ready("fresh", [](ClassOptions& options) {
    options.directory_prepare = kPrepare;
    options.directory_timeout = seconds(20);
  });
  ipc::SubmitMeta meta;
  meta.retries = 0;
  submit(0, 1, meta);
  const auto id = wait_for_command()->spec.worker.value;
  test_->time.pass(seconds(21));
  ASSERT_TRUE(settled(1));
  EXPECT_THAT(text_of(1), HasSubstr("longer than 20s (directory_timeout)"));
  EXPECT_TRUE(test_->processes.workers.at(id).reaped);
}

TEST_F(DirectoriesTest, ACommandThatCannotStartFailsTheAttempt) {
  begin_ready("fresh", [](ClassOptions& options) { options.directory_prepare = kPrepare; });
  ipc::SubmitMeta meta;
  meta.retries = 0;
  test_->processes.spawn_error = ENOENT;
  submit(0, 1, meta);
  ASSERT_TRUE(settled(1));
  EXPECT_THAT(text_of(1), HasSubstr("lets no process start"));
}

TEST_F(DirectoriesTest, ACancelEndsWhatWasNotYetGiven) {
  begin_ready("fresh", [](ClassOptions& options) { options.directory_prepare = kPrepare; });
  submit(0, 1);
  const auto id = wait_for_command()->spec.worker.value;
  ASSERT_TRUE(until([&] { return client_->find(Kind::Accepted, 1) != nullptr; }));
  const auto task = client_->find(Kind::Accepted, 1)->header.id;
  client_->send({.kind = Kind::Cancel, .id = task, .token = 2});
  ASSERT_TRUE(settled(1));
  EXPECT_TRUE(until([&] { return test_->processes.workers.at(id).reaped && is_empty("/fresh"); }));
  EXPECT_TRUE(assigned_directories().empty());
  // Its worker serves on.
  submit(0, 3);
  end(*wait_for_command());
  EXPECT_TRUE(settled(3));
}

TEST_F(DirectoriesTest, ADeathOfTheWorkerEndsWhatWasNotYetGiven) {
  begin_ready("fresh", [](ClassOptions& options) { options.directory_prepare = kPrepare; });
  submit(0, 1);
  const auto id = wait_for_command()->spec.worker.value;
  test_->processes.die(*test_->processes.alive(), {ExitCause::Signalled, -SIGKILL, false});
  ASSERT_TRUE(until([&] { return test_->processes.workers.at(id).reaped; }));
  end(*wait_for_command());
  ASSERT_TRUE(settled(1));
  EXPECT_EQ(text_of(1), "x");
}

TEST_F(DirectoriesTest, ARetryWaitsUntilTheLastOneIsClean) {
  begin_ready("fresh", [](ClassOptions& options) { options.directory_clean = kClean; });
  client_->name_type("fail", 2);
  ipc::SubmitMeta meta;
  meta.retries = 1;
  submit(2, 1, meta);
  auto* clean = wait_for_command();
  EXPECT_EQ(clean->spec.command, kClean);
  EXPECT_TRUE(fs::exists(clean->spec.working_directory));
  // The second attempt is assigned and not given.
  ASSERT_TRUE(until([&] { return test_->daemon.pool().queue().running == 1; }));
  EXPECT_EQ(assigned_directories().size(), 1U);
  end(*clean);
  ASSERT_TRUE(until([&] { return assigned_directories().size() == 2; }));
  end(*wait_for_command());
  EXPECT_TRUE(settled(1));
}

TEST_F(DirectoriesTest, ACleaningThatFailsIsToldAndKeepsNothing) {
  begin_ready("fresh", [](ClassOptions& options) { options.directory_clean = kClean; });
  submit(0, 1);
  ASSERT_TRUE(settled(1));
  end(*wait_for_command(), 1);
  ASSERT_TRUE(until([&] { return is_empty("/fresh"); }));
  EXPECT_TRUE(test_->log.has("directory_clean of class 'worker' ended with status 1"));
  EXPECT_TRUE(test_->log.has("is removed all the same"));
}

TEST_F(DirectoriesTest, WhatIsInHandIsGivenInItsOrder) {
  const auto two_at_once = [](ClassOptions& options) {
    options.directory_prepare = kPrepare;
    options.concurrency = 2;
  };
  begin_ready("fresh", two_at_once, 2);
  submit(0, 1);
  auto* of_first = wait_for_command();
  submit(0, 2);
  FakeWorker* of_second = nullptr;
  ASSERT_TRUE(until([&] {
    for (auto& [id, each] : test_->processes.workers) {
      if (each.spec.role == SpawnRole::Helper && &each != of_first) of_second = &each;
    }
    return of_second != nullptr;
  }));
  end(*of_second);
  ASSERT_TRUE(until([&] { return of_second->reaped; }));
  EXPECT_TRUE(assigned_directories().empty());
  end(*of_first);
  EXPECT_TRUE(settled(1) && settled(2));
}

TEST_F(DirectoriesTest, ARecallTakesBackWhatWasNotYetGiven) {
  begin_ready(
      "fresh", [](ClassOptions& options) { options.directory_prepare = kPrepare; }, 4);
  for (std::uint64_t token = 1; token <= 8; ++token) {  // so that its service time is known
    submit(0, token);
    end(*wait_for_command());
    ASSERT_TRUE(settled(token));
  }
  test_->processes.answers_tasks = false;
  test_->time.stop();
  submit(0, 11);
  end(*wait_for_command());
  ASSERT_TRUE(until([&] { return assigned_directories().size() == 9; }));
  submit(0, 12);
  const auto id = wait_for_command()->spec.worker.value;
  test_->time.pass(seconds(1));
  ASSERT_TRUE(until([&] { return test_->processes.workers.at(id).reaped; }));
  EXPECT_EQ(test_->daemon.pool().counters().recalls, 1U);
  EXPECT_EQ(test_->daemon.pool().queue().ready, 1U);
}

TEST_F(DirectoriesTest, AWorkerThatWouldNotHeedItIsRefused) {
  begin("fresh");
  test_->processes.features = ipc::feature::kOfWorker & ~ipc::feature::kDirectory;
  EXPECT_TRUE(test_->until([&] { return test_->log.has("does not know the feature directory"); }));
}

TEST_F(DirectoriesTest, AClassWithoutThemTellsNone) {
  begin_ready("none");
  submit(0, 1);
  ASSERT_TRUE(settled(1));
  EXPECT_EQ(assigned_directories(), Texts{""});
  EXPECT_FALSE(fs::exists(root()));
}

TEST_F(DirectoriesTest, APlaceKeepsItsOwnOverItsWorkers) {
  begin_ready("kept", [](ClassOptions& options) { options.directory = "kept"; });
  auto* first = test_->processes.alive();
  const auto path = root("/kept/worker-0");
  EXPECT_EQ(first->spec.working_directory, path);
  EXPECT_EQ(first->spec.directory, path);
  std::ofstream(path + "/cache") << "text";
  const auto id = first->spec.worker;
  test_->processes.die(*first, {ExitCause::Signalled, -SIGSEGV, false});
  ASSERT_TRUE(until([&] {
    const auto* next = test_->processes.alive();
    return next != nullptr && next->spec.worker != id;
  }));
  EXPECT_EQ(test_->processes.alive()->spec.working_directory, path);
  EXPECT_TRUE(fs::exists(path + "/cache"));
}

TEST_F(DirectoriesTest, APlaceIsPreparedOnceBeforeItsFirstWorker) {
  begin("kept", [](ClassOptions& options) { options.directory_prepare = kPrepare; });
  auto* prepare = wait_for_command();
  EXPECT_EQ(prepare->spec.working_directory, root("/kept/worker-0"));
  EXPECT_EQ(test_->processes.alive(), nullptr);
  end(*prepare);
  ASSERT_TRUE(test_->until([&] { return test_->processes.alive() != nullptr; }));
  const auto id = test_->processes.alive()->spec.worker;
  test_->processes.die(*test_->processes.alive(), {ExitCause::Signalled, -SIGSEGV, false});
  ASSERT_TRUE(test_->until([&] {
    const auto* next = test_->processes.alive();
    return next != nullptr && next->spec.worker != id;
  }));
  EXPECT_EQ(command(), nullptr);
}

TEST_F(DirectoriesTest, APreparationThatFailsFailsTheStartAndIsMadeAnew) {
  begin("kept", [](ClassOptions& options) { options.directory_prepare = kPrepare; });
  auto* prepare = wait_for_command();
  std::ofstream(root("/kept/worker-0/half")) << "text";
  end(*prepare, 1, "no disk\n");
  ASSERT_TRUE(test_->until([&] { return test_->daemon.pool().counters().exits >= 1; }));
  EXPECT_TRUE(test_->log.has("no disk"));
  prepare = wait_for_command();
  EXPECT_TRUE(fs::is_empty(root("/kept/worker-0")));
  end(*prepare);
  EXPECT_TRUE(test_->until([&] { return test_->processes.alive() != nullptr; }));
}

TEST_F(DirectoriesTest, AStartHasItsTimeFromItsProcessOn) {
  begin("kept", [](ClassOptions& options) {
    options.directory_prepare = kPrepare;
    options.directory_timeout = hours(1);
  });
  auto* prepare = wait_for_command();
  for (int minute = 0; minute < 5; ++minute) {
    test_->time.pass(minutes(1));
    int turns = 0;
    test_->until([&] { return ++turns > 3; });
  }
  EXPECT_EQ(test_->daemon.pool().counters().exits, 0U);
  end(*prepare);
  EXPECT_TRUE(test_->until([&] { return test_->processes.alive() != nullptr; }));
  EXPECT_EQ(test_->daemon.pool().counters().spawns, 1U);
}

TEST_F(DirectoriesTest, AStartThatWaitsForItsDirectoryCanBeEnded) {
  begin("kept", [](ClassOptions& options) { options.directory_prepare = kPrepare; });
  wait_for_command();
  test_->daemon.stop(true);
  EXPECT_TRUE(test_->until([&] { return !test_->daemon.turn(milliseconds(1)); }));
  EXPECT_EQ(test_->processes.alive(), nullptr);
}

TEST_F(DirectoriesTest, WhatPreparesForNobodyIsKilledAndThePlaceNotTakenForPrepared) {
  begin("kept", [](ClassOptions& options) {
    options.directory_prepare = kPrepare;
    options.size_min = 0;
  });
  client_.emplace(test_->connect());
  const auto id = wait_for_command()->spec.worker.value;
  test_->ask(*client_, ipc::Verb::Scale, {{}, std::uint64_t{0}, std::uint64_t{0}});
  ASSERT_TRUE(until([&] { return test_->processes.workers.at(id).reaped; }));
  ASSERT_TRUE(until([&] { return !fs::exists(root("/kept/worker-0")); }));
  test_->ask(*client_, ipc::Verb::Scale, {{}, std::uint64_t{0}, std::uint64_t{1}});
  EXPECT_TRUE(until([&] { return command() != nullptr; })) << "it is prepared anew";
}

TEST_F(DirectoriesTest, AResetPlaceIsEmptyAndPreparedAgain) {
  begin_ready("kept");
  auto& directories = test_->daemon.directories();
  const DirectoryOwner place{.worker_class = ClassId{0}, .slot = "worker-0"};
  std::ofstream(root("/kept/worker-0/state")) << "text";
  std::optional<Result<std::string>> made;
  directories.reset(place, [&](const Result<std::string>& path) { made = path; });
  ASSERT_TRUE(until([&] { return made.has_value(); }));
  ASSERT_TRUE(*made) << made->error().text;
  EXPECT_EQ(**made, root("/kept/worker-0"));
  EXPECT_TRUE(fs::is_empty(**made));
}

TEST_F(DirectoriesTest, ARemovedPlaceIsGone) {
  begin_ready("kept", [](ClassOptions& options) { options.directory_clean = kClean; });
  bool done = false;
  test_->daemon.directories().remove({.worker_class = ClassId{0}, .slot = "worker-0"},
                                     [&](const Result<void>& gone) { done = bool(gone); });
  end(*wait_for_command());
  ASSERT_TRUE(until([&] { return done; }));
  EXPECT_FALSE(fs::exists(root("/kept/worker-0")));
}

TEST_F(DirectoriesTest, AWorkerIsShownWithItsDirectoryAndItsSizeWhenAsked) {
  begin_ready("kept");
  const auto path = root("/kept/worker-0");
  std::ofstream(path + "/large") << std::string(1 << 20, 'x');
  auto rows = worker(false)["directories"];
  ASSERT_EQ(rows.size(), 1U) << rows;
  EXPECT_EQ(rows[0]["path"], path);
  EXPECT_FALSE(rows[0].contains("bytes"));
  rows = worker(true)["directories"];
  EXPECT_GE(rows[0]["bytes"], 1 << 20) << rows;
}

TEST_F(DirectoriesTest, AnAttemptIsShownWithItsDirectory) {
  begin_ready("fresh");
  submit(1, 1);
  ASSERT_TRUE(until([&] {
    return assigned_directories().size() == 1 && client_->find(Kind::Accepted, 1) != nullptr;
  }));
  const auto rows = worker(true)["directories"];
  ASSERT_EQ(rows.size(), 1U) << rows;
  EXPECT_EQ(rows[0]["path"], assigned_directories().front());
  EXPECT_EQ(rows[0]["task"], client_->find(Kind::Accepted, 1)->header.id);
  EXPECT_TRUE(rows[0].contains("bytes"));
}

TEST(DirectoriesAtStart, WhatEarlierLivesLeftIsCleanedAndRemoved) {
  ipc::test::TemporaryDirectory base;
  auto root = DirectoryRoot::open(base / "root");
  const DirectoryName left{"worker", DirectoryKind::Fresh, "77.1.2"};
  const DirectoryName other{"gone", DirectoryKind::Fresh, "78.1.1"};
  const DirectoryName kept{"worker", DirectoryKind::Kept, "worker-0"};
  for (const auto& name : {left, other, kept}) ASSERT_TRUE(root->make(name, nullptr));
  const auto paths = std::array{root->path_of(left), root->path_of(other), root->path_of(kept)};
  root = Error{0, "the end of that life"};

  auto configuration = small_configuration();
  configuration.pool.values.directory_root = base / "root";
  configuration.classes.front().values.directory = "fresh";
  configuration.classes.front().values.directory_clean = kClean;
  TestDaemon test(configuration);
  const auto command = [&]() -> FakeWorker* {
    for (auto& [id, worker] : test.processes.workers) {
      if (worker.spec.role == SpawnRole::Helper && !worker.exit) return &worker;
    }
    return nullptr;
  };
  ASSERT_TRUE(test.until([&] { return command() != nullptr; }));
  EXPECT_EQ(command()->spec.working_directory, paths[0]);
  EXPECT_THAT(command()->spec.environment, Contains("WARMPOOL_TASK=77"));
  test.processes.die(*command(), {ExitCause::Exited, 0, false});
  EXPECT_TRUE(test.until([&] { return !fs::exists(paths[0]) && !fs::exists(paths[1]); }));
  EXPECT_EQ(command(), nullptr) << "no class of today cleans the other one";
  EXPECT_TRUE(fs::exists(paths[2]));
}

}  // namespace
}  // namespace warmpool::daemon
