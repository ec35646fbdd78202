// A core that comes back from the tables is the same as one that replays every record there ever
// was: random lives, compared task by task and in the order in which they run.
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "pool/pool.hpp"
#include "tests/store/store_fixture.hpp"

namespace warmpool::daemon {
namespace {

constexpr std::uint32_t kTypes = 3;

Genesis genesis_at(Instant now, std::uint64_t life) {
  Genesis genesis;
  genesis.life = life;
  genesis.now = now;
  genesis.wall = WallTime{now.ns + seconds(1'700'000'000).ns};
  genesis.options.backoff_first = milliseconds(10);
  genesis.options.backoff_max = milliseconds(100);
  genesis.options.keys_age_max = seconds(5);
  return genesis;
}

void declare(Pool& pool, Instant now, std::uint64_t size, Commands& out) {
  ClassOptions options = default_class_options();
  options.name = "worker";
  options.command = {"worker"};
  options.size = size;
  options.size_min = 0;
  options.credits = 4;
  pool.step(now, event::ClassDeclared{ClassId{0}, options}, out);
  for (std::uint32_t type = 0; type < kTypes; ++type) {
    pool.step(now, event::TypeDeclared{.type = TypeId{type}, .count = 1}, out);
  }
}

// A life of random events, all of whose records go to the store.
class RandomLife {
 public:
  RandomLife(Store& store, std::uint64_t seed) : driver_(store), random_(seed), pool_(begin()) {
    declare(pool_, now_, 3, commands_);
    carry();
  }

  void run(int events) {
    for (int i = 0; i < events; ++i) {
      now_ = now_ + microseconds(below(3'000));
      act();
      step(event::Tick{});
    }
  }
  std::vector<Record> records;
  RecordDriver& driver() { return driver_; }
  Instant now() const { return now_; }

 private:
  Genesis begin() const { return genesis_at(now_, 1); }
  std::int64_t below(std::int64_t end) {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(end));
  }

  void act() {
    const auto client = ClientId{1};
    const auto request = RequestId{++requests_};
    const auto what = below(20);
    if (what < 7) return step(event::Submit{client, request, random_spec()});
    if (what < 15) return answer();
    if (what < 16) return end_worker();
    const auto task = random_task();
    if (what == 16) return step(event::Cancel{client, request, task});
    if (what == 17) return step(event::RetryDead{client, request, task});
    if (what == 18) return step(event::Release{client, request, task});
    if (below(4) == 0) return step(event::RemoveDead{client, request, task});
    const TypeId type{static_cast<std::uint32_t>(below(kTypes))};
    step(event::Pause{client, request, pause_of(type), below(2) == 0});
  }

  TaskSpec random_spec() {
    TaskSpec spec;
    spec.type = TypeId{static_cast<std::uint32_t>(below(kTypes))};
    spec.priority = static_cast<std::uint8_t>(below(100));
    spec.retries = static_cast<std::uint16_t>(below(3));
    spec.payload_bytes = 1;
    if (below(5) == 0) spec.delay = milliseconds(below(2'000));
    if (below(8) == 0) spec.deadline = milliseconds(1 + below(500));
    if (below(8) == 0) spec.expiry = milliseconds(1 + below(500));
    if (below(4) == 0) spec.key = IdempotencyKey{1, static_cast<std::uint64_t>(below(40)) + 1, 3};
    return spec;
  }

  TaskId random_task() {
    return TaskId{std::uint64_t{1} << 40 |
                  (1 + static_cast<std::uint64_t>(below(static_cast<std::int64_t>(made_) + 1)))};
  }

  void answer() {
    if (running_.empty()) return;
    const auto at = static_cast<std::size_t>(below(static_cast<std::int64_t>(running_.size())));
    const auto assign = running_[at];
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(at));
    constexpr Outcome outcomes[] = {Outcome::Done,   Outcome::Done, Outcome::Failed,
                                    Outcome::Failed, Outcome::Held, Outcome::FailedForGood};
    event::AttemptAnswered answered{assign.worker, assign.key, outcomes[below(6)]};
    answered.service = microseconds(20);
    step(answered);
  }

  void end_worker() {
    const auto slot = pool_.slot(SlotId{static_cast<std::uint16_t>(below(3))});
    if (!slot || !slot->worker) return;
    std::erase_if(running_, [&](const auto& each) { return each.worker == slot->worker; });
    step(event::WorkerExited{slot->worker, ExitCause::Signalled, -9});
  }

  void step(const Event& event) {
    pool_.step(now_, event, commands_);
    carry();
  }

  void carry() {
    while (!commands_.empty()) {
      Commands taken;
      taken.swap(commands_);
      RecordNumber last;
      for (const auto& command : taken) last = std::max(last, carry(command));
      if (last) pool_.step(now_, event::Persisted{last}, commands_);
    }
  }

  RecordNumber carry(const Command& command) {
    if (const auto* persist = std::get_if<command::Persist>(&command)) {
      records.push_back(persist->record);
      driver_.keep(persist->record, "x");
      return persist->number;
    }
    if (const auto* assign = std::get_if<command::Assign>(&command)) running_.push_back(*assign);
    if (std::holds_alternative<command::Accepted>(command)) ++made_;
    if (const auto* spawn = std::get_if<command::Spawn>(&command)) {
      pool_.step(now_, event::WorkerReady{spawn->worker, 4, false}, commands_);
    }
    return {};
  }

  RecordDriver driver_;
  std::mt19937_64 random_;
  Instant now_{seconds(50).ns};
  Pool pool_;
  Commands commands_;
  std::vector<command::Assign> running_;
  std::uint64_t requests_ = 0, made_ = 0;
};

// A pool in its second life.
class NextLife {
 public:
  explicit NextLife(Instant now) : now_(now), pool_(genesis_at(now, 2)) {
    declare(pool_, now_, 0, commands_);
  }
  void replay(const std::vector<Record>& records) {
    for (const auto& record : records) pool_.replay(record);
  }
  void finish(const SettledTotals* totals) {
    if (totals != nullptr) pool_.replay_totals(*totals);
    pool_.finish_replay(now_, commands_);
    keep();
  }
  std::vector<TaskView> tasks() { return pool_.list({.after = {}, .limit = 100'000}); }
  Pool& pool() { return pool_; }

  // Everything that can run, in the order in which one worker gets it.
  std::vector<TaskId> order() {
    std::vector<TaskId> ran;
    commands_.clear();
    pool_.step(now_, event::Scale{{}, {}, ClassId{0}, event::ScaleMode::To, 1}, commands_);
    while (!commands_.empty()) {
      Commands taken;
      taken.swap(commands_);
      for (const auto& command : taken) {
        if (const auto* spawn = std::get_if<command::Spawn>(&command)) {
          pool_.step(now_, event::WorkerReady{spawn->worker, 1, false}, commands_);
        } else if (const auto* assign = std::get_if<command::Assign>(&command)) {
          ran.push_back(assign->key.task);
          pool_.step(now_, event::AttemptAnswered{assign->worker, assign->key, Outcome::Done},
                     commands_);
        }
      }
      keep();
      pool_.step(now_, event::Tick{}, commands_);
    }
    return ran;
  }

 private:
  void keep() {
    std::optional<RecordNumber> last;
    for (const auto& command : commands_) {
      if (const auto* persist = std::get_if<command::Persist>(&command)) last = persist->number;
    }
    if (last) pool_.step(now_, event::Persisted{*last}, commands_);
  }

  Instant now_;
  Pool pool_;
  Commands commands_;
};

std::map<TaskId, Instant> acceptances(const std::vector<Record>& records) {
  std::map<TaskId, Instant> dates;
  for (const auto& record : records) {
    const auto* accepted = std::get_if<record::Accepted>(&record);
    if (accepted != nullptr) dates.emplace(accepted->task, accepted->at);
  }
  return dates;
}

void expect_same_dates(const std::vector<Record>& recovered, const std::vector<Record>& written) {
  const auto expected = acceptances(written);
  for (const auto& [task, at] : acceptances(recovered)) EXPECT_EQ(at, expected.at(task));
}

void expect_same(NextLife& recovered, NextLife& replayed) {
  const auto there = recovered.tasks();
  const auto expected = replayed.tasks();
  ASSERT_EQ(there.size(), expected.size());
  for (std::size_t at = 0; at < there.size(); ++at) {
    const auto& a = there[at];
    const auto& b = expected[at];
    ASSERT_EQ(a.task, b.task);
    EXPECT_EQ(a.state, b.state) << a.task.value;
    EXPECT_EQ(a.type, b.type);
    EXPECT_EQ(a.priority, b.priority);
    EXPECT_EQ(a.round, b.round) << a.task.value;
    EXPECT_EQ(a.attempt, b.attempt) << a.task.value;
    EXPECT_EQ(a.used, b.used) << a.task.value;
    EXPECT_EQ(a.holds, b.holds) << a.task.value;
    if (a.state != TaskState::Dead) {
      EXPECT_EQ(a.eligible_at, b.eligible_at) << a.task.value;
    }
  }
  EXPECT_EQ(recovered.pool().counters().accepted, replayed.pool().counters().accepted);
  EXPECT_EQ(recovered.pool().counters().settled, replayed.pool().counters().settled);
  EXPECT_EQ(recovered.order(), replayed.order());
}

TEST(Recovery, EqualsTheReplayOfEveryRecord) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SqliteLives lives;
    lives.renumbers = false;
    RandomLife life(*lives.open(), seed);
    life.run(400);
    ASSERT_TRUE(life.driver().settled()) << life.driver().broken->text;
    ASSERT_TRUE(lives.open()) << lives.error.text;
    expect_same_dates(lives.replayed, life.records);
    NextLife recovered(life.now());
    recovered.replay(lives.replayed);
    recovered.finish(&lives.totals);
    NextLife replayed(life.now());
    replayed.replay(life.records);
    replayed.finish(nullptr);
    expect_same(recovered, replayed);
    if (testing::Test::HasFailure()) FAIL() << "seed " << seed;
  }
}

}  // namespace
}  // namespace warmpool::daemon
