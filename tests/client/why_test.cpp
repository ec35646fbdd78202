// Each rule that keeps a task waiting is named, with what would change it.
#include <algorithm>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "client/cli/format.hpp"
#include "client/cli/why_reasons.hpp"
#include "pool/words.hpp"

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
  json status = {{"store", {{"trouble", nullptr}, {"durable", true}}}};
  json breakers = {{"breakers", json::array()}};

  json& worker() { return workers["workers"][0]; }
  std::vector<Reason> reasons() const {
    return reasons_of({task, types, workers, status, breakers});
  }
  std::vector<std::string> rules() const {
    std::vector<std::string> names;
    for (const auto& reason : reasons()) names.emplace_back(name_of(reason.rule));
    return names;
  }
};

TEST(Why, AllWorkersOfItsClassesAreBusy) {
  const auto reasons = Pool().reasons();
  ASSERT_EQ(reasons.size(), 1U);
  EXPECT_EQ(reasons[0].rule, Rule::Busy);
  EXPECT_THAT(reasons[0].detail, HasSubstr("all 1 worker of class fast are at work, the longest"));
  EXPECT_THAT(reasons[0].detail, HasSubstr("it is the next (priority 10)"));
  EXPECT_THAT(reasons[0].change, HasSubstr("warmpool scale +1 --class fast"));
}

TEST(Why, OfAClassThatWorkersBroughtMoreAreStartedByHand) {
  Pool pool;
  pool.status["classes"] = {{{"name", "fast"}, {"brought", true}}};
  EXPECT_THAT(pool.reasons().front().change,
              HasSubstr("warmpool-worker --connect --class fast --types echo"));
  pool.workers["workers"] = json::array();
  EXPECT_EQ(pool.reasons().front().rule, Rule::NoWorker);
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
  EXPECT_THAT(pool.rules(), ElementsAre("backoff"));
}

TEST(Why, WhatWasGivenAheadWaitsBehindAnother) {
  Pool pool;
  pool.task["state"] = "running";
  pool.task["worker"] = "fast-0";
  EXPECT_TRUE(pool.reasons().empty()) << "it runs";
  pool.task["behind"] = 6;
  EXPECT_EQ(pool.reasons().front().detail,
            "it was given to fast-0 ahead, and waits there behind task 6");
  EXPECT_THAT(pool.reasons().front().change, HasSubstr("recall_after"));
}

TEST(Why, HeldAndRecording) {
  Pool pool;
  pool.task["state"] = "held";
  EXPECT_EQ(pool.reasons().front().change, "warmpool release 7, or: warmpool cancel 7");
  pool.task["state"] = "recording";
  EXPECT_THAT(pool.rules(), ElementsAre("recording"));
  pool.status["store"]["trouble"] = "the disk is full";
  EXPECT_THAT(pool.reasons().front().detail, HasSubstr("the disk is full"));
}

TEST(Why, NobodyCouldRunIt) {
  Pool pool;
  pool.workers["workers"][0]["state"] = "failed";
  EXPECT_THAT(pool.reasons().front().detail, HasSubstr("1 worker, and none that can take work"));
  EXPECT_THAT(pool.rules(), ElementsAre("restarting"));
  pool.workers["workers"][0] = {{"class", "fast"}, {"state", "ready"}, {"health", "stopped"}};
  EXPECT_THAT(pool.rules(), ElementsAre("no-worker"));
  pool.workers["workers"] = json::array();
  EXPECT_THAT(pool.reasons().front().detail, HasSubstr("has no workers"));
  pool.types["types"] = json::array();
  EXPECT_THAT(pool.rules(), ElementsAre("capability"));
}

TEST(Why, TheBreakerOverRecoveryOfItsClassHoldsIt) {
  Pool pool;
  pool.worker()["state"] = "backoff";
  pool.status["classes"] = {
      {{"name", "fast"},
       {"recovery", {{"state", "open"}, {"why", "probe-died"}, {"next_probe", "T5"}}}}};
  const auto reason = pool.reasons().front();
  EXPECT_EQ(reason.rule, Rule::Recovery);
  EXPECT_THAT(reason.detail, HasSubstr("replacements kept dying"));
  EXPECT_THAT(reason.detail, HasSubstr("probe-died"));
  EXPECT_THAT(reason.change, HasSubstr("one tries at T5"));
  EXPECT_THAT(reason.change, HasSubstr("warmpool restart --class fast"));
  pool.worker()["state"] = "running";
  EXPECT_THAT(pool.rules(), ElementsAre("busy")) << "what still works goes on";
}

TEST(Why, ATaskThatWaitsForMemoryIsToldTheFigures) {
  Pool pool;
  pool.task["holds"] = {"memory"};
  json& type = pool.types["types"][0];
  type["memory"] = "learned";
  type["memory_need_bytes"] = 3ULL << 30;
  type["memory_runs"] = 12;
  pool.status["memory"] = {{"tasks_total_bytes", 4ULL << 30}, {"tasks_bytes", 2ULL << 30}};
  const auto reason = pool.reasons().front();
  EXPECT_EQ(reason.rule, Rule::TaskMemory);
  EXPECT_THAT(reason.detail, HasSubstr("a run of echo needs " + short_bytes(3ULL << 30)));
  EXPECT_THAT(reason.detail, HasSubstr("learned of 12 runs"));
  EXPECT_THAT(reason.detail, HasSubstr(short_bytes(2ULL << 30) + " of " + short_bytes(4ULL << 30)));
  EXPECT_THAT(reason.change, HasSubstr("raise memory_tasks_total"));
  EXPECT_THAT(pool.rules(), ElementsAre("task-memory")) << "it waits for no worker";
  pool.status["memory"]["kept_for"] = "video";
  EXPECT_THAT(pool.reasons().front().detail, HasSubstr("kept for video, which waits longer"));
  pool.status["memory"]["kept_for"] = "echo";
  EXPECT_THAT(pool.reasons().front().detail, HasSubstr("what becomes free is kept for it"));
  type["memory_need_bytes"] = nullptr;
  EXPECT_THAT(pool.reasons().front().detail, HasSubstr("is not known yet"));
}

TEST(Why, PlacesThatWaitForMemoryAreNamedWithTheFigures) {
  Pool pool;
  pool.workers["workers"][1] = {{"id", "fast-1"}, {"class", "fast"}, {"state", "held"}};
  pool.status["classes"] = {{{"name", "fast"}, {"memory_declared_bytes", 3ULL << 30}}};
  pool.status["memory"] = {{"total_bytes", 4ULL << 30}, {"declared_bytes", 2ULL << 30}};
  const auto reason = pool.reasons().front();
  EXPECT_EQ(reason.rule, Rule::Memory);
  EXPECT_THAT(reason.detail, HasSubstr("1 place of class fast waits to start"));
  EXPECT_THAT(reason.detail, HasSubstr(short_bytes(3ULL << 30) + " (memory_declared)"));
  EXPECT_THAT(reason.detail, HasSubstr(short_bytes(2ULL << 30) + " of " + short_bytes(4ULL << 30)));
  EXPECT_THAT(reason.change, HasSubstr("raise memory_total"));
  EXPECT_THAT(pool.rules(), ElementsAre("memory", "busy"));
  pool.worker()["state"] = "ready";
  EXPECT_THAT(pool.rules(), ElementsAre("next"));
  pool.worker()["state"] = "running";
  pool.workers["workers"][1]["id"] = "fast-0.new";
  EXPECT_THAT(pool.rules(), ElementsAre("busy")) << "a successor is no lack";
}

TEST(Why, ThatNobodyStartsItsWorkersIsSaid) {
  Pool pool;
  pool.worker()["state"] = "failed";
  pool.worker()["next_start_seconds"] = nullptr;
  EXPECT_THAT(pool.reasons().front().detail, HasSubstr("automatic_restart is off"));
}

TEST(Why, WhatRunsOrHasSettledDoesNotWait) {
  Pool pool;
  for (const char* state : {"running", "done", "dead", "cancelled", "expired"}) {
    pool.task["state"] = state;
    EXPECT_TRUE(pool.reasons().empty()) << state;
  }
}

TEST(Why, WhatDoesNotWaitSaysWhereItIsAndWhatCanBeDone) {
  json task = {{"id", 7}, {"state", "running"}, {"worker", "fast-0"}, {"started_at", "T1"}};
  EXPECT_EQ(elsewhere(task), "it runs on fast-0 since T1");
  task = {{"id", 7}, {"state", "dead"}, {"cause", "crashed"}};
  EXPECT_EQ(elsewhere(task), "it is a dead letter (crashed); warmpool dlq retry 7");
  task["state"] = "done";
  EXPECT_EQ(elsewhere(task), "it is done; warmpool result 7");
  for (const auto& row : kElsewhereRows) {
    task["state"] = row.state;
    EXPECT_THAT(elsewhere(task), HasSubstr(std::string(row.text)));
  }
}

TEST(Why, AnOpenBreakerSaysWhenItTriesNext) {
  Pool pool;
  pool.task["holds"] = {"breaker"};
  json& breaker = pool.breakers["breakers"][0] = {{"name", "echo"},
                                                  {"state", "open"},
                                                  {"since", "T1"},
                                                  {"why", "failures-in-a-row"},
                                                  {"next_probe", "T2"}};
  EXPECT_THAT(pool.rules(), ElementsAre("breaker"));
  EXPECT_EQ(pool.reasons().front().detail,
            "the circuit breaker of echo is open since T1 (failures-in-a-row)");
  EXPECT_EQ(pool.reasons().front().change,
            "it lets a few try at T2, or: warmpool breaker close echo");
  breaker["state"] = "half-open";
  breaker["at_once"] = 2;
  EXPECT_THAT(pool.reasons().front().detail, HasSubstr("is half-open since T1"));
  EXPECT_THAT(pool.reasons().front().detail, HasSubstr("lets 2 run at once"));
}

TEST(Why, HowManyComeBeforeItIsSaid) {
  Pool pool;
  pool.task["before"] = 1;
  EXPECT_THAT(pool.reasons().front().detail, HasSubstr("1 task comes before it"));
  pool.task["before"] = 10'000;
  EXPECT_THAT(pool.reasons().front().detail, HasSubstr("at least 10000 tasks come before it"));
  pool.worker()["current_seconds"] = 12.0;
  EXPECT_THAT(pool.reasons().front().detail, HasSubstr("the longest for 12s"));
}

TEST(Why, AClassThatIsPausedBesideOthersHasNoHands) {
  Pool pool;
  pool.types["types"][0]["classes"] = {"fast", "slow"};
  EXPECT_THAT(pool.rules(), ElementsAre("next"));
  pool.status["classes"] = {{{"name", "slow"}, {"paused", true}}};
  EXPECT_THAT(pool.rules(), ElementsAre("busy"));
}

TEST(Why, AStopSaysWhetherTheTaskOutlivesIt) {
  Pool pool;
  pool.status["pool"] = {{"shutting_down", true}};
  EXPECT_EQ(pool.reasons().front().change, "the next start of the daemon");
  pool.task["durability"] = "none";
  EXPECT_THAT(pool.reasons().front().change, HasSubstr("ends with the daemon"));
}

json bound_to_fast() {
  return {{"class", "fast"},
          {"memory_max_bytes", 2ULL << 30},
          {"timeout_seconds", 300.0},
          {"after",
           {{"attempt", 2},
            {"cause", "memory"},
            {"worker", "slow-0"},
            {"class", "slow"},
            {"memory_max_bytes", 512ULL << 20},
            {"timeout_seconds", 300.0}}}};
}

TEST(Why, WhoIsBoundToAClassWaitsForThatOne) {
  Pool pool;
  pool.types["types"][0]["classes"] = {"slow", "fast"};
  EXPECT_THAT(pool.rules(), ElementsAre("next"));
  pool.task["bound"] = bound_to_fast();
  ASSERT_THAT(pool.rules(), ElementsAre("busy"));
  EXPECT_THAT(pool.reasons().front().detail,
              HasSubstr("all 1 worker of class fast are at work, the longest"));
  EXPECT_THAT(pool.reasons().front().detail,
              HasSubstr("; its next attempt goes to class fast alone, because attempt 2 ended as "
                        "memory on slow-0 (memory there at most 512MiB, here 2.0GiB)"));
  pool.status["classes"] = {{{"name", "fast"}, {"paused", true}}};
  ASSERT_THAT(pool.rules(), ElementsAre("paused"));
  EXPECT_THAT(pool.reasons().front().detail, HasSubstr("the class fast is paused; its next"));
  EXPECT_EQ(pool.reasons().front().change, "warmpool resume --class fast");
}

TEST(Why, WhyItIsBoundIsSaidWhileItWaitsForItsTimeToo) {
  Pool pool;
  pool.task["state"] = "delayed";
  pool.task["attempts"] = {{{"cause", "timeout"}}};
  pool.task["bound"] = bound_to_fast();
  pool.task["bound"]["timeout_seconds"] = 600.0;
  pool.task["bound"]["after"]["cause"] = "timeout";
  EXPECT_THAT(pool.reasons().front().detail,
              HasSubstr("because attempt 2 ended as timeout on slow-0 (the timeout there"));
  pool.task["bound"].erase("after");
  EXPECT_THAT(pool.reasons().front().detail,
              testing::EndsWith("its next attempt goes to class fast alone"));
}

TEST(Why, ASuspectWaitsForItsTurnWhereAsManyRunAsMay) {
  Pool pool;
  pool.task["holds"] = {"suspect"};
  pool.types["types"][0]["classes"] = {"fast", "slow"};
  pool.status["classes"] = {{{"name", "fast"}, {"suspects", 2}, {"suspects_max", 2}},
                            {{"name", "slow"}, {"suspects", 0}, {"suspects_max", nullptr}}};
  EXPECT_THAT(pool.rules(), ElementsAre("suspect")) << "the other class has no bound";
  pool.status["classes"][1]["suspects_max"] = 1;
  EXPECT_THAT(pool.rules(), ElementsAre("suspect")) << "or runs none now";
  pool.task["bound"] = bound_to_fast();
  ASSERT_THAT(pool.rules(), ElementsAre("suspect-turn"));
  EXPECT_THAT(pool.reasons().front().detail,
              HasSubstr("class fast runs 2 such tasks now, which is as many as may at once "
                        "(suspects_max = 2); all else passes it; its next attempt goes to"));
  EXPECT_THAT(pool.reasons().front().change, HasSubstr("a larger suspects_max of class fast"));
}

// One way to meet each rule.
struct Meeting {
  Rule rule;
  std::function<void(Pool&)> arrange;
};

const std::vector<Meeting> kMeetings = {
    {Rule::Recording, [](Pool& p) { p.task["state"] = "recording"; }},
    {Rule::Outlived,
     [](Pool& p) {
       p.task["state"] = "recording";
       p.status["outlived"] = {{"processes", {{{"pid", 42}, {"tasks", {7}}}}}, {"until", "T"}};
     }},
    {Rule::Delayed, [](Pool& p) { p.task["state"] = "delayed"; }},
    {Rule::Backoff,
     [](Pool& p) {
       p.task["state"] = "delayed";
       p.task["attempts"] = {{{"cause", "failed"}}};
     }},
    {Rule::Manual, [](Pool& p) { p.task["state"] = "held"; }},
    {Rule::Dependency, [](Pool& p) { p.task["state"] = "blocked"; }},
    {Rule::Ahead,
     [](Pool& p) {
       p.task["state"] = "running";
       p.task["worker"] = "fast-0";
       p.task["behind"] = 6;
     }},
    {Rule::Stopping,
     [](Pool& p) {
       p.status["pool"] = {{"shutting_down", true}};
     }},
    {Rule::Suspect, [](Pool& p) { p.task["holds"] = {"suspect"}; }},
    {Rule::SuspectTurn,
     [](Pool& p) {
       p.task["holds"] = {"suspect"};
       p.status["classes"] = {{{"name", "fast"}, {"suspects", 1}, {"suspects_max", 1}}};
     }},
    {Rule::Paused, [](Pool& p) { p.types["types"][0]["paused_by"] = "pool"; }},
    {Rule::Breaker, [](Pool& p) { p.task["holds"] = {"breaker"}; }},
    {Rule::TaskMemory, [](Pool& p) { p.task["holds"] = {"memory"}; }},
    {Rule::Capability, [](Pool& p) { p.types["types"][0]["classes"] = json::array(); }},
    {Rule::NoWorker, [](Pool& p) { p.workers["workers"] = json::array(); }},
    {Rule::Starting, [](Pool& p) { p.worker()["state"] = "starting"; }},
    {Rule::Restarting,
     [](Pool& p) {
       p.worker()["state"] = "failed";
       p.worker()["next_start_seconds"] = 4.0;
     }},
    {Rule::Recovery,
     [](Pool& p) {
       p.worker()["state"] = "failed";
       p.status["classes"] = {{{"name", "fast"}, {"recovery", {{"state", "open"}}}}};
     }},
    {Rule::Memory, [](Pool& p) { p.worker()["state"] = "held"; }},
    {Rule::Reserved,
     [](Pool& p) {
       p.worker()["state"] = "ready";
       p.worker()["reserved"] = true;
     }},
    {Rule::Busy, [](Pool&) {}},
    {Rule::Next, [](Pool& p) { p.worker()["state"] = "ready"; }}};

TEST(Why, EveryRuleCanBeMetAndHasItsRow) {
  ASSERT_EQ(kMeetings.size(), kRuleRows.size());
  for (std::size_t i = 0; i < kRuleRows.size(); ++i) {
    EXPECT_EQ(static_cast<std::size_t>(kRuleRows[i].rule), i);
    EXPECT_EQ(kMeetings[i].rule, kRuleRows[i].rule);
    Pool pool;
    kMeetings[i].arrange(pool);
    const auto reasons = pool.reasons();
    ASSERT_EQ(reasons.size(), 1U) << kRuleRows[i].name;
    EXPECT_EQ(reasons[0].rule, kRuleRows[i].rule) << kRuleRows[i].name;
    EXPECT_FALSE(reasons[0].detail.empty() || reasons[0].change.empty()) << kRuleRows[i].name;
  }
}

// What holds a task or its lane is explained, but for what nothing sets yet.
TEST(Why, EveryHoldThatIsSetHasARule) {
  for (const auto& row : Words<Hold>::rows) {
    const bool later = row.value == Hold::Rate || row.value == Hold::Lock;
    const bool has_rule = std::ranges::count(kRuleRows, row.name, &RuleRow::name) != 0;
    EXPECT_NE(later, has_rule) << row.name;
  }
}

// A daemon of another version: whatever is missing, an answer and no exception.
TEST(Why, DocumentsThatLackEverythingDoNoHarm) {
  const json nothing = json::object();
  EXPECT_TRUE(reasons_of({nothing, nothing, nothing, nothing, nothing}).empty());
  const json ready = {{"state", "ready"}, {"holds", 1}};
  EXPECT_EQ(reasons_of({ready, nothing, nothing, nothing, nothing}).front().rule, Rule::Capability);
}

}  // namespace
}  // namespace warmpool::cli
