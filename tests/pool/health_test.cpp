// The score of a worker, its bands, and what dispatch, checks and replacement make of them.
#include "pool/health.hpp"

#include <functional>

#include <gtest/gtest.h>

#include "pool/local_url.hpp"
#include "tests/pool/pool_driver.hpp"

namespace warmpool::test {
namespace {

constexpr auto part_of(const PartScores& parts, HealthPart part) {
  return parts[static_cast<std::size_t>(part)];
}

Situation idle_at(Instant now) {
  Situation situation;
  situation.now = situation.heard_at = now;
  situation.moved_at = kNever;
  situation.heartbeat_interval = seconds(5);
  situation.dead_after = seconds(30);
  situation.memory_max = kUnlimited;
  return situation;
}

ClassOptions at_once() {
  ClassOptions options = default_class_options();
  options.health_smoothing = Duration{};
  return options;
}

event::Measures well_measured() {
  event::Measures seen;
  seen.descriptors = 10;
  seen.descriptors_max = 1024;
  seen.throttled = seen.disk_wait = 0;
  return seen;
}

Health measured(const event::Measures& seen, Instant now, bool idle = true) {
  Health health;
  health.begin(now);
  health.measured(seen, idle, now);
  return health;
}

TEST(HealthScore, OfOneThatIsWellIsTheWholeIdleOrBusy) {
  const Instant now{seconds(100).ns};
  Health health = measured(well_measured(), now);
  health.judge(idle_at(now), at_once());
  EXPECT_EQ(health.score(), kScoreMax);
  Situation busy = idle_at(now);
  busy.moved_at = now;
  busy.patience = seconds(240);
  busy.heard_at = now - seconds(200);  // a handler need not beat
  health.judge(busy, at_once());
  EXPECT_EQ(health.score(), kScoreMax);
  EXPECT_FALSE(part_of(health.parts(busy), HealthPart::Liveness).known);
}

TEST(HealthScore, WhatIsNotKnownIsLeftOut) {
  const Instant now{seconds(100).ns};
  Health health;
  health.begin(now);
  Situation situation = idle_at(now);
  situation.beatless = true;
  const auto parts = health.parts(situation);
  EXPECT_FALSE(part_of(parts, HealthPart::Liveness).known);
  EXPECT_FALSE(part_of(parts, HealthPart::Errors).known) << "nobody to be compared with";
  EXPECT_FALSE(part_of(parts, HealthPart::Resources).known);
  EXPECT_FALSE(part_of(parts, HealthPart::Velocity).known);
  EXPECT_TRUE(part_of(parts, HealthPart::Activity).known);
}

TEST(HealthScore, FallsWithTheAgeOfTheBeat) {
  const Instant now{seconds(100).ns};
  Health health = measured(well_measured(), now);
  Situation situation = idle_at(now);
  situation.heard_at = now - seconds(20);
  const auto liveness = part_of(health.parts(situation), HealthPart::Liveness);
  EXPECT_EQ(liveness.value, 500U);
  EXPECT_EQ(liveness.reason, HealthReason::NotHeard);
  health.judge(situation, at_once());
  EXPECT_LT(health.score(), 850U);
  EXPECT_EQ(health.reason(), HealthReason::NotHeard);
}

struct Strain {
  std::function<void(event::Measures&, Situation&)> put;
  HealthReason reason;
};

TEST(HealthScore, FallsWithEachResource) {
  const Instant now{seconds(100).ns};
  using R = HealthReason;
  const Strain strains[] = {
      {[](auto& seen, auto&) { seen.throttled = 900; }, R::Throttled},
      {[](auto& seen, auto&) { seen.disk_wait = 1000; }, R::DiskWait},
      {[](auto& seen, auto&) { seen.descriptors = 99, seen.descriptors_max = 100; },
       R::Descriptors},
      {[](auto& seen, auto&) { seen.descriptors = 310; }, R::Leaks},
      {[](auto& seen, auto&) { seen.cpu = 1000; }, R::IdleCpu},
      {[](auto&, auto& situation) { situation.memory = 99, situation.memory_max = 100; },
       R::Memory},
  };
  for (const Strain& strain : strains) {
    Health health = measured(well_measured(), now);
    auto seen = well_measured();
    Situation situation = idle_at(now);
    strain.put(seen, situation);
    health.measured(seen, true, now);
    const auto part = part_of(health.parts(situation), HealthPart::Resources);
    EXPECT_LT(part.value, 400U) << name_of(strain.reason);
    EXPECT_EQ(part.reason, strain.reason);
    health.judge(situation, at_once());
    EXPECT_EQ(health.reason(), strain.reason);
  }
}

TEST(HealthScore, OfOneThatRunsFallsWhenNothingMoves) {
  const Instant now{seconds(1000).ns};
  auto seen = well_measured();
  Health health = measured(seen, now, false);
  Situation situation = idle_at(now);
  situation.patience = seconds(240);
  situation.moved_at = now;
  const auto activity = [&] { return part_of(health.parts(situation), HealthPart::Activity); };
  situation.now = now + seconds(60);
  EXPECT_EQ(activity().value, kScoreMax);
  situation.now = now + seconds(150);
  EXPECT_EQ(activity().value, 500U);
  EXPECT_EQ(activity().reason, HealthReason::ShowsNothing);
  seen.cpu = 20;
  health.measured(seen, false, situation.now);
  EXPECT_EQ(activity().value, kScoreMax) << "it uses the CPU";
}

TEST(HealthScore, WeightsCountBesideEachOther) {
  const Instant now{seconds(100).ns};
  Health health = measured(well_measured(), now);
  Situation situation = idle_at(now);
  situation.stopped = true;  // liveness 0, activity and resources whole
  ClassOptions options = at_once();
  options.health_liveness = 60;
  options.health_activity = 20;
  options.health_resources = 20;
  health.judge(situation, options);
  EXPECT_EQ(health.score(), 400U);
  options.health_liveness = 0;
  health.judge(situation, options);
  EXPECT_EQ(health.score(), kScoreMax);
}

TEST(HealthScore, IsSmoothed) {
  const Instant now{seconds(100).ns};
  Health health = measured(well_measured(), now);
  ClassOptions options = at_once();
  options.health_smoothing = seconds(10);
  options.health_activity = options.health_resources = 0;
  Situation situation = idle_at(now);
  situation.stopped = true;
  situation.now = now + seconds(1);
  health.judge(situation, options);
  EXPECT_EQ(health.score(), 900U);
  for (int i = 2; i < 100; ++i) {
    situation.now = now + seconds(i);
    health.judge(situation, options);
  }
  EXPECT_EQ(health.score(), 0U) << "it arrives";
}

TEST(HealthScore, ComesToItsPartsAlsoWhereItIsJudgedOften) {
  const Instant now{seconds(100).ns};
  Health health = measured(well_measured(), now);
  ClassOptions options = at_once();
  options.health_smoothing = seconds(10);
  Situation situation = idle_at(now);
  situation.stopped = true;
  for (int i = 1; i <= 20'000; ++i) {
    situation.now = now + milliseconds(i);
    health.judge(situation, options);
  }
  EXPECT_LT(health.score(), 650U);
}

TEST(HealthBands, ComeBackOnlyBeyondTheirHysteresis) {
  const ClassOptions options = default_class_options();
  EXPECT_EQ(band_of(Band::Healthy, 700, options), Band::Healthy);
  EXPECT_EQ(band_of(Band::Healthy, 699, options), Band::Degraded);
  EXPECT_EQ(band_of(Band::Degraded, 749, options), Band::Degraded);
  EXPECT_EQ(band_of(Band::Degraded, 750, options), Band::Healthy);
  EXPECT_EQ(band_of(Band::Degraded, 300, options), Band::Degraded);
  EXPECT_EQ(band_of(Band::Degraded, 299, options), Band::Unhealthy);
  EXPECT_EQ(band_of(Band::Unhealthy, 349, options), Band::Unhealthy);
  EXPECT_EQ(band_of(Band::Unhealthy, 350, options), Band::Degraded);
  EXPECT_EQ(band_of(Band::Unhealthy, 750, options), Band::Healthy);
  ClassOptions one = options;
  one.health_degraded = 0;
  EXPECT_EQ(band_of(Band::Healthy, 300, one), Band::Healthy);
  EXPECT_EQ(band_of(Band::Healthy, 299, one), Band::Unhealthy);
  one.health_unhealthy = 0;
  EXPECT_EQ(band_of(Band::Healthy, 0, one), Band::Healthy);
}

TEST(PeerRates, OnlyAChangeOfWorkerCounts) {
  PeerRates rates;
  const WorkerId bad{1}, good{2};
  const Instant now{seconds(100).ns};
  EXPECT_FALSE(rates.of_others(TypeId{}, bad, now));
  rates.add(TypeId{}, good, false, now);
  EXPECT_FALSE(rates.of_others(TypeId{}, good, now)) << "it alone has run the type";
  for (int i = 0; i < 1000; ++i) rates.add(TypeId{}, bad, true, now);
  EXPECT_LT(*rates.of_others(TypeId{}, bad, now), 200U) << "its own failures do not become usual";
  EXPECT_FALSE(rates.of_others(TypeId{}, bad, now + minutes(11))) << "nobody else since long";
}

TEST(PeerRates, WhatFailsEverywhereIsUsual) {
  PeerRates rates;
  const Instant now{seconds(100).ns};
  rates.add(TypeId{}, WorkerId{1}, false, now);
  for (std::uint64_t i = 2; i < 100; ++i) rates.add(TypeId{}, WorkerId{i % 3 + 1}, true, now);
  EXPECT_EQ(*rates.of_others(TypeId{}, WorkerId{1}, now), kScoreMax);
}

// --- in the pool ---------------------------------------------------------------------------------

Band band(PoolDriver& driver, std::uint16_t slot) {
  return driver.pool().slot(SlotId{slot})->health_state.band();
}

command::Assign run_one(PoolDriver& driver, TypeId type = {}) {
  TaskSpec spec;
  spec.type = type;
  spec.retries = 0;
  driver.submit(spec);
  driver.tick();
  return *driver.last<command::Assign>();
}

void flag(PoolDriver& driver, std::uint16_t slot, bool degraded = true) {
  driver.turn(event::WorkerFlagged{driver.worker(slot), degraded});
}

void check(PoolDriver& driver, std::uint16_t slot, bool passed, int times = 1) {
  for (int i = 0; i < times; ++i) {
    driver.turn(event::WorkerChecked{driver.worker(slot), passed, milliseconds(1)});
  }
}

// The first worker of class 0 fails `times` tasks, each of which the second one does.
void make_spiral(PoolDriver& driver, int times = 30) {
  for (int i = 0; i < times && band(driver, 0) != Band::Unhealthy; ++i) {
    for (int j = 0; j < 2; ++j) {
      const auto assign = run_one(driver);
      const bool first = assign.worker == driver.worker(0);
      driver.answer(assign, first ? Outcome::Failed : Outcome::Done);
      driver.tick();
    }
  }
}

TEST(HealthDispatch, OneThatFailsWhatOthersDoIsGivenNothing) {
  PoolDriver driver;
  ready_class(driver, 2);
  make_spiral(driver);
  ASSERT_EQ(band(driver, 0), Band::Unhealthy);
  const auto view = driver.pool().slot(SlotId{0});
  EXPECT_EQ(view->health, WorkerHealth::Unhealthy);
  EXPECT_EQ(view->health_state.reason(), HealthReason::Spiral);
  EXPECT_GE(driver.notices(Notice::WorkerHealthChanged), 1U);
  const auto first = run_one(driver);
  EXPECT_EQ(first.worker, driver.worker(1));
  const auto assigns = driver.all<command::Assign>().size();
  driver.submit();
  driver.tick();
  // It waits for the healthy one, or with it.
  const auto given = driver.all<command::Assign>();
  for (auto at = assigns; at < given.size(); ++at) EXPECT_EQ(given[at].worker, driver.worker(1));
  EXPECT_EQ(band(driver, 1), Band::Healthy);
}

TEST(HealthDispatch, ATypeThatFailsEverywhereMakesNobodyIll) {
  PoolDriver driver;
  ready_class(driver, 3);
  for (int i = 0; i < 200; ++i) {
    driver.answer(run_one(driver), Outcome::Failed);
    driver.tick();
  }
  for (std::uint16_t slot = 0; slot < 3; ++slot) EXPECT_EQ(band(driver, slot), Band::Healthy);
}

TEST(HealthDispatch, ATypeThatFailsNowAndThenMakesNobodyIll) {
  PoolDriver driver;
  ready_class(driver, 4);
  std::uint64_t luck = 12345;
  for (int i = 0; i < 4000; ++i) {
    luck = luck * 6364136223846793005ULL + 1442695040888963407ULL;
    driver.answer(run_one(driver), (luck >> 33) % 10 < 4 ? Outcome::Failed : Outcome::Done);
    driver.tick();
    for (std::uint16_t slot = 0; slot < 4; ++slot) ASSERT_NE(band(driver, slot), Band::Unhealthy);
    driver.log.clear();
  }
}

TEST(HealthDispatch, InputsThatCannotBeHandledSayNothingOfTheWorker) {
  PoolDriver driver;
  ready_class(driver, 2);
  for (int i = 0; i < 100; ++i) {
    const auto assign = run_one(driver);
    const bool first = assign.worker == driver.worker(0);
    driver.answer(assign, first ? Outcome::FailedForGood : Outcome::Done);
    driver.tick();
  }
  EXPECT_EQ(band(driver, 0), Band::Healthy);
}

TEST(HealthDispatch, APoolOfUnhealthyWorkersWorks) {
  PoolDriver driver;
  ready_class(driver, 1, [](ClassOptions& options) { options.health_smoothing = Duration{}; });
  driver.submit();
  driver.tick();
  check(driver, 0, false, 3);
  ASSERT_EQ(band(driver, 0), Band::Unhealthy);
  PoolDriver two;
  ready_class(two, 2);
  make_spiral(two);
  check(two, 1, true);
  const auto busy = run_one(two);
  EXPECT_EQ(busy.worker, two.worker(1));
  check(two, 1, false, 3);  // busy: marked only
  ASSERT_EQ(band(two, 1), Band::Unhealthy);
  EXPECT_EQ(run_one(two).worker, two.worker(0)) << "all are unhealthy now";
}

TEST(HealthDispatch, DegradedOnesAreChosenLast) {
  PoolDriver driver;
  ready_class(driver, 3);
  flag(driver, 0);
  EXPECT_EQ(driver.pool().slot(SlotId{0})->health, WorkerHealth::Degraded);
  EXPECT_EQ(run_one(driver).worker, driver.worker(1));
  EXPECT_EQ(run_one(driver).worker, driver.worker(2));
  EXPECT_EQ(run_one(driver).worker, driver.worker(0)) << "no healthy one is free";
  flag(driver, 0, false);
  EXPECT_EQ(band(driver, 0), Band::Healthy);
}

TEST(HealthDispatch, DegradedOnesAreGivenNothingAhead) {
  PoolDriver driver;
  ready_class(driver, 1, [](ClassOptions& options) { options.credits = 8; });
  driver.teach();
  flag(driver, 0);
  for (int i = 0; i < 4; ++i) driver.submit();
  driver.tick();
  EXPECT_EQ(driver.hand(0).size(), 1U);
  flag(driver, 0, false);
  driver.tick();
  EXPECT_GT(driver.hand(0).size(), 1U);
}

TEST(HealthDispatch, WhatAnUnhealthyWorkerWasGivenAheadIsTakenBack) {
  PoolDriver driver;
  ready_class(driver, 1, [](ClassOptions& options) {
    options.credits = 8;
    options.check = "ping";
  });
  driver.teach();
  for (int i = 0; i < 3; ++i) driver.submit();
  driver.tick();
  ASSERT_EQ(driver.hand(0).size(), 3U);
  check(driver, 0, false, 3);
  ASSERT_EQ(band(driver, 0), Band::Unhealthy);
  const auto recalls = driver.all<command::Recall>();
  ASSERT_EQ(recalls.size(), 2U);
  for (const auto& recall : recalls) {
    driver.step(event::RecallAnswered{recall.worker, recall.key, true});
  }
  driver.tick();
  EXPECT_EQ(driver.hand(0).size(), 1U) << "and nothing is given ahead again";
  EXPECT_EQ(driver.pool().task(recalls.front().key.task)->used.failures, 0);
}

TEST(HealthDispatch, WhoDidNotAnswerPingsWhileItWorkedIsNotEndedForThem) {
  for (const std::string kind : {"ping", "command"}) {
    PoolDriver driver;
    ready_class(driver, 1, [&](ClassOptions& options) { options.check = kind; });
    driver.submit();
    driver.tick();
    check(driver, 0, false, 4);
    EXPECT_EQ(band(driver, 0), Band::Unhealthy) << "it is marked";
    driver.answer(driver.all<command::Assign>().front());
    driver.tick();
    EXPECT_EQ(driver.all<command::EndWorker>().empty(), kind == "ping") << kind;
    if (kind != "ping") continue;
    EXPECT_EQ(band(driver, 0), Band::Healthy);
    check(driver, 0, false, 3);
    driver.tick();
    EXPECT_FALSE(driver.all<command::EndWorker>().empty()) << "it is idle now";
  }
}

TEST(HealthDispatch, AHealthyWorkerOfALaterClassComesBeforeADegradedOneOfTheFirst) {
  PoolDriver driver;
  driver.declare_class(1, 1, 1, 0);
  driver.declare_class(1, 1, 1, 1);
  driver.declare_type(0, {0, 1});
  driver.hello_all();
  driver.tick();
  flag(driver, 0);
  EXPECT_EQ(run_one(driver).worker, driver.worker(1));
  EXPECT_EQ(run_one(driver).worker, driver.worker(0));
}

TEST(HealthDispatch, OneThatStaysUnhealthyIsReplacedWhileItWorks) {
  PoolDriver driver;
  ready_class(driver, 2, [](ClassOptions& options) { options.health_replace_after = minutes(1); });
  make_spiral(driver);
  ASSERT_EQ(band(driver, 0), Band::Unhealthy);
  const auto spawns = driver.all<command::Spawn>().size();
  driver.pass(seconds(59));
  EXPECT_EQ(driver.all<command::Spawn>().size(), spawns);
  driver.pass(seconds(2));
  EXPECT_EQ(driver.all<command::Spawn>().size(), spawns + 1);
  EXPECT_EQ(driver.pool().slot(SlotId{0})->due, DueReason::Health);
  EXPECT_EQ(driver.notices(Notice::WorkerError), 0U) << "it is not killed";
}

TEST(HealthDispatch, AnOldRowOfFailuresSaysNothingAnyMore) {
  PoolDriver driver;
  ready_class(driver, 2, [](ClassOptions& options) {
    options.health_replace_after = {};
    options.beatless = true;
  });
  make_spiral(driver);
  ASSERT_EQ(band(driver, 0), Band::Unhealthy);
  for (int minute = 0; minute < 9; ++minute) {
    driver.pass(minutes(1));
    driver.turn(event::WorkerMeasured{driver.worker(0), {}});
  }
  EXPECT_EQ(band(driver, 0), Band::Unhealthy);
  for (int minute = 0; minute < 3; ++minute) {
    driver.pass(minutes(1));
    driver.turn(event::WorkerMeasured{driver.worker(0), {}});
  }
  EXPECT_EQ(band(driver, 0), Band::Healthy) << "it is tried again";
}

TEST(HealthScore, FailuresOfRunsThatTakeLongAddUp) {
  Health health;
  health.begin(Instant{});
  ClassOptions options = default_class_options();
  Instant now{};
  for (int run = 0; run < 40; ++run) {
    Situation busy = idle_at(now);
    for (int minute = 0; minute < 15; ++minute) {
      now = now + minutes(1);
      busy.now = busy.heard_at = busy.moved_at = now;
      health.judge(busy, options);
    }
    health.ran({.failed = true, .others = 0, .service = {}, .usual = {}, .at = now});
    health.judge(busy, options);
  }
  EXPECT_EQ(health.band(), Band::Unhealthy);
}

TEST(Checks, AnIdleWorkerThatFailsItsCheckIsReplaced) {
  PoolDriver driver;
  ready_class(driver, 1);
  check(driver, 0, false, 2);
  EXPECT_EQ(band(driver, 0), Band::Healthy);
  check(driver, 0, true);
  check(driver, 0, false, 2);
  EXPECT_TRUE(driver.all<command::EndWorker>().empty()) << "only failures in a row count";
  check(driver, 0, false);
  const auto end = driver.last<command::EndWorker>();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->cause, ExitCause::CheckFailed);
  EXPECT_EQ(end->force, command::Force::Kill);
}

TEST(Checks, ABusyWorkerIsMarkedAndEndedWhenItIsIdle) {
  PoolDriver driver;
  ready_class(driver, 1);
  const auto running = run_one(driver);
  check(driver, 0, false, 9);
  EXPECT_EQ(band(driver, 0), Band::Unhealthy);
  EXPECT_TRUE(driver.all<command::EndWorker>().empty());
  driver.answer(running);
  driver.tick();
  EXPECT_EQ(driver.last<command::EndWorker>()->cause, ExitCause::CheckFailed);
}

TEST(Checks, ThatAreSwitchedOffSayNothingAnyMore) {
  PoolDriver driver;
  ClassOptions options;
  ready_class(driver, 1, [&](ClassOptions& its) {
    its.check = "process";
    options = its;
  });
  const auto running = run_one(driver);
  check(driver, 0, false, 3);
  ASSERT_EQ(band(driver, 0), Band::Unhealthy);
  options.check = "none";
  driver.turn(event::ClassDeclared{ClassId{0}, options});
  EXPECT_EQ(band(driver, 0), Band::Healthy);
  driver.answer(running);
  driver.tick();
  EXPECT_TRUE(driver.all<command::EndWorker>().empty());
}

TEST(Checks, OneThatPassesAgainGoesOn) {
  PoolDriver driver;
  ready_class(driver, 1);
  const auto running = run_one(driver);
  check(driver, 0, false, 3);
  check(driver, 0, true);
  EXPECT_EQ(band(driver, 0), Band::Healthy);
  driver.answer(running);
  driver.tick();
  EXPECT_TRUE(driver.all<command::EndWorker>().empty());
}

TEST(Checks, NobodyIsJudgedByTheDaemonsOwnStall) {
  PoolDriver driver;
  ready_class(driver, 1);
  check(driver, 0, false, 2);
  driver.now = driver.now + hours(1);  // nothing ran meanwhile
  driver.step(event::WorkerChecked{driver.worker(0), false, hours(1)});
  driver.tick();
  check(driver, 0, false, 3);
  EXPECT_EQ(band(driver, 0), Band::Healthy);
  EXPECT_TRUE(driver.all<command::EndWorker>().empty());
}

TEST(HealthOptions, ThatMakeNoSenseAreRefused) {
  const auto fault = [](auto set) {
    ClassOptions options = default_class_options();
    options.name = "x";
    options.command = {"/bin/true"};
    set(options);
    const auto checked = check_options(options);
    return checked ? std::string() : checked.error().text;
  };
  EXPECT_EQ(fault([](ClassOptions&) {}), "");
  EXPECT_NE(fault([](ClassOptions& o) { o.health_unhealthy = 700; }).find("below"),
            std::string::npos);
  EXPECT_NE(fault([](ClassOptions& o) { o.health_hysteresis = 400; }).find("1000"),
            std::string::npos);
  EXPECT_NE(fault([](ClassOptions& o) {
              o.health_liveness = o.health_activity = o.health_errors = 0;
              o.health_resources = o.health_velocity = 0;
            }).find("weights"),
            std::string::npos);
  EXPECT_NE(fault([](ClassOptions& o) { o.check = "command"; }).find("check_command"),
            std::string::npos);
  EXPECT_NE(fault([](ClassOptions& o) { o.check = "http"; }).find("check_url"), std::string::npos);
}

TEST(LocalUrls, StayOnThisMachine) {
  const UrlFacts facts{.pid = 4711, .slot = "images-3", .number = 3};
  const auto url = local_url("http://127.0.0.1:{port:8100}/health?w={slot}&p={pid}", facts);
  ASSERT_TRUE(url);
  EXPECT_EQ(url->port, 8103U);
  EXPECT_EQ(url->target, "/health?w=images-3&p=4711");
  EXPECT_EQ(local_url("http://[::1]:80", facts)->host, "::1");
  EXPECT_EQ(local_url("http://localhost/x", facts)->port, 80U);
  for (const auto* bad : {"https://127.0.0.1/", "http://example.com/", "http://127.0.0.1.evil/",
                          "http://127.0.0.1:99999/", "http://127.0.0.1:0/", "http://127.0.0.1/{x}",
                          "http://127.0.0.1/{pid", "http://127.0.0.1/a b", ""}) {
    EXPECT_FALSE(local_url(bad, facts)) << bad;
  }
}

}  // namespace
}  // namespace warmpool::test
