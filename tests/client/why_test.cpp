// Each rule that keeps a task waiting is named, with what would change it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "client/cli/why_reasons.hpp"

namespace warmpool::cli {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

struct Pool {
  json task = {{"id", 7},
               {"type", "echo"},
               {"state", "ready"},
               {"priority", 10},
               {"holds", json::array()},
               {"attempts", json::array()},
               {"eligible_at", "2026-01-02T03:04:05.000Z"}};
  json types = {
      {"types",
       {{{"name", "echo"}, {"classes", {"fast"}}, {"paused_by", nullptr}, {"waiting", 3}}}}};
  json workers = {
      {"workers",
       {{{"id", "fast-0"}, {"class", "fast"}, {"state", "running"}, {"health", "working"}},
        {{"id", "slow-0"}, {"class", "slow"}, {"state", "ready"}, {"health", "healthy"}}}}};
  json status = {{"store", {{"trouble", nullptr}}}};

  std::vector<Reason> reasons() const { return reasons_of({task, types, workers, status}); }
  std::vector<std::string> rules() const {
    std::vector<std::string> names;
    for (const auto& reason : reasons()) names.push_back(reason.rule);
    return names;
  }
};

TEST(Why, AllWorkersOfItsClassesAreBusy) {
  const auto reasons = Pool().reasons();
  ASSERT_EQ(reasons.size(), 1U);
  EXPECT_EQ(reasons[0].rule, "busy");
  EXPECT_THAT(reasons[0].detail, HasSubstr("all 1 worker of class fast are at work, and 3"));
  EXPECT_THAT(reasons[0].change, HasSubstr("warmpool scale +1 --class fast"));
}

TEST(Why, OfAClassThatWorkersBroughtMoreAreStartedByHand) {
  Pool pool;
  pool.status["classes"] = {{{"name", "fast"}, {"brought", true}}};
  EXPECT_THAT(pool.reasons().front().change,
              HasSubstr("warmpool-worker --connect --class fast --types echo"));
  pool.workers["workers"] = json::array();
  EXPECT_EQ(pool.reasons().front().rule, "no-worker");
  EXPECT_EQ(pool.reasons().front().change,
            "one more: warmpool-worker --connect --class fast --types echo");
}

TEST(Why, WhatMayRunInAProcessOfAnEarlierLifeWaitsForThat) {
  Pool pool;
  pool.task["state"] = "recording";
  pool.status["outlived"] = {{"processes", {{{"pid", 42}, {"tasks", {6, 7}}}}},
                             {"until", "2026-01-02T03:04:05.000Z"}};
  EXPECT_THAT(pool.rules(), ElementsAre("outlived"));
  EXPECT_THAT(pool.reasons().front().detail, HasSubstr("process 42,"));
  EXPECT_THAT(pool.reasons().front().change, HasSubstr("by 2026-01-02T03:04:05.000Z"));
  pool.task["id"] = 8;
  EXPECT_THAT(pool.rules(), ElementsAre("recording"));
}

TEST(Why, ThePauseThatHoldsItIsNamed) {
  Pool pool;
  auto& by = pool.types["types"][0]["paused_by"];
  by = "type";
  EXPECT_EQ(pool.reasons().front().change, "warmpool resume echo");
  by = "class";
  EXPECT_EQ(pool.reasons().front().change, "warmpool resume --class fast");
  by = "pool";
  EXPECT_EQ(pool.reasons().front().change, "warmpool resume");
  EXPECT_THAT(pool.rules(), ElementsAre("paused"));
}

TEST(Why, ASuspectMayBePausedToo) {
  Pool pool;
  pool.task["holds"] = {"suspect", "paused"};
  pool.types["types"][0]["paused_by"] = "type";
  EXPECT_THAT(pool.rules(), ElementsAre("suspect", "paused"));
}

TEST(Why, DelayedSaysUntilWhenAndAfterWhat) {
  Pool pool;
  pool.task["state"] = "delayed";
  EXPECT_THAT(pool.reasons().front().detail, HasSubstr("submitted for later: until 2026-01-02"));
  pool.task["attempts"] = {{{"cause", "failed"}}};
  EXPECT_THAT(pool.reasons().front().detail, HasSubstr("the last ended as failed"));
}

TEST(Why, HeldAndRecording) {
  Pool pool;
  pool.task["state"] = "held";
  EXPECT_EQ(pool.reasons().front().change, "warmpool release 7");
  pool.task["state"] = "recording";
  EXPECT_THAT(pool.rules(), ElementsAre("recording"));
  pool.status["store"]["trouble"] = "the disk is full";
  EXPECT_THAT(pool.reasons().front().detail, HasSubstr("the disk is full"));
}

TEST(Why, NobodyCouldRunIt) {
  Pool pool;
  pool.workers["workers"][0]["state"] = "failed";
  EXPECT_THAT(pool.reasons().front().detail, HasSubstr("1 worker, and none that can take work"));
  pool.workers["workers"][0] = {{"class", "fast"}, {"state", "ready"}, {"health", "stopped"}};
  EXPECT_THAT(pool.rules(), ElementsAre("no-worker"));
  pool.workers["workers"] = json::array();
  EXPECT_THAT(pool.reasons().front().detail, HasSubstr("has no workers"));
  pool.types["types"] = json::array();
  EXPECT_THAT(pool.rules(), ElementsAre("capability"));
}

TEST(Why, WhatRunsOrHasSettledDoesNotWait) {
  Pool pool;
  for (const char* state : {"running", "done", "dead", "cancelled", "expired"}) {
    pool.task["state"] = state;
    EXPECT_TRUE(pool.reasons().empty()) << state;
  }
}

// A daemon of another version: whatever is missing, an answer and no exception.
TEST(Why, DocumentsThatLackEverythingDoNoHarm) {
  const json nothing = json::object();
  EXPECT_TRUE(reasons_of({nothing, nothing, nothing, nothing}).empty());
  const json ready = {{"state", "ready"}, {"holds", 1}};
  EXPECT_EQ(reasons_of({ready, nothing, nothing, nothing}).front().rule, "capability");
}

}  // namespace
}  // namespace warmpool::cli
