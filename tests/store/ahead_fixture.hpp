// A store with a small journal, over a disk that fails when it is told to.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "tests/store/fault_vfs.hpp"
#include "tests/store/record_load.hpp"
#include "tests/support/patience.hpp"

namespace warmpool::daemon {

class Ahead : public testing::Test {
 protected:
  void SetUp() override {
    lives_.place.vfs = vfs_.name();
    lives_.place.refused_wait = lives_.place.busy_wait = milliseconds(1);
    lives_.place.journal_bytes = 8 * 1024;
    lives_.place.journal_step = 1024;
  }
  void TearDown() override {
    vfs_.let_syncs_go();
    vfs_.clear_faults();
  }
  void open() {
    ASSERT_NE(lives_.open(), nullptr) << lives_.error.text;
    driver_.emplace(*lives_.store());
  }
  void accept(std::uint64_t first, std::uint64_t last, std::size_t bytes = 10) {
    for (auto task = first; task <= last; ++task) {
      driver_->accept(task, std::string(bytes, static_cast<char>('a' + task % 26)));
    }
  }
  // The tables cannot be written; what is acknowledged then is in the journal alone.
  void stop_tables() { vfs_.set_fault({DiskCall::Begin, {}, 1, true, SQLITE_BUSY}); }
  // What is there if the daemon is killed now. Order: nothing is being written.
  void kill_into(SqliteLives& after) {
    after.renumbers = false;
    for (const char* suffix : {"", "-wal", ".journal"}) {
      if (!std::filesystem::exists(lives_.path() + suffix)) continue;
      std::filesystem::copy_file(lives_.path() + suffix, after.path() + suffix);
    }
  }
  static void expect_tasks(SqliteLives& after, std::uint64_t last) {
    for (std::uint64_t task = 1; task <= last; ++task) {
      EXPECT_TRUE(after.store()->find(TaskId{task})) << task;
    }
    EXPECT_FALSE(after.store()->find(TaskId{last + 1}));
  }
  void expect_after_kill(std::uint64_t last) {
    SqliteLives after;
    kill_into(after);
    ASSERT_NE(after.open(), nullptr) << after.error.text;
    expect_tasks(after, last);
  }
  StoreAnswers until(const std::function<bool(const StoreAnswers&)>& condition) {
    for (const auto end = test::patience_ends(); std::chrono::steady_clock::now() < end;) {
      auto answers = lives_.store()->take_answers();
      if (answers.persisted) kept_ = *answers.persisted;
      if (condition(answers)) return answers;
      wait_for_news(*lives_.store());
    }
    ADD_FAILURE() << "it never comes";
    return {};
  }

  void until_kept(std::uint64_t record) {
    if (kept_.value < record) until([&](const auto&) { return kept_.value >= record; });
  }

  FaultVfs vfs_;
  SqliteLives lives_;
  std::optional<RecordDriver> driver_;
  RecordNumber kept_;  // as until() has heard
};

}  // namespace warmpool::daemon
