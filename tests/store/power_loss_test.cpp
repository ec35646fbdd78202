// The power fails at every sync: whatever a disk may have kept of the writes since the last one,
// the store opens, and holds exactly what some prefix of the records comes to, at least up to the
// last that was acknowledged.
//
// kill -9 cannot show this: what was written and not synced survives it in the page cache. In CI a
// bounded number of cuts; WARMPOOL_POWER_CUTS=20000 for a long run, or WARMPOOL_POWER_SEEDS=100
// from WARMPOOL_POWER_SEED on (scripts/campaign.sh power).
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <random>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "tests/store/fault_vfs.hpp"
#include "tests/store/store_fixture.hpp"

namespace warmpool::daemon {
namespace {

constexpr std::uint64_t kRecords = 120;  // of each seed

struct Kept {
  Record record;
  std::string body;
};

std::string brief(const std::string& text) {
  return text.substr(0, 12) + "(" + std::to_string(text.size()) + ")";
}

// What is told of a task, as text, so that a difference can be read.
std::string told(const std::optional<StoredTask>& task) {
  if (!task) return "none";
  std::string text = "round " + std::to_string(task->round) + " attempt " +
                     std::to_string(task->attempt) + " failures " +
                     std::to_string(task->used.failures) + " body " + brief(text_of(*task));
  text += task->verdict ? " " + std::string(name_of(*task->verdict)) : " live";
  if (task->error != nullptr) text += " error " + brief(*task->error);
  if (task->attempts != nullptr) text += " history " + std::to_string(task->attempts->size());
  return text;
}

// The writes of a pool at work, without the pool: tasks are accepted, fail, are done, die, are
// revived and removed.
class Load {
 public:
  explicit Load(std::uint64_t seed) : random_(seed) {}

  Kept next() {
    const auto what = random_() % 10;
    if (live_.empty() || what < 4) return accept();
    const auto at = random_() % live_.size();
    auto& task = live_[at];
    if (task.dead) return after_death(at);
    ++task.attempt;
    if (what < 6) return fail(task);
    return settle(at, what == 9 ? Verdict::Dead : Verdict::Done);
  }
  std::uint64_t tasks() const { return last_; }

 private:
  struct Task {
    std::uint64_t id;
    std::uint16_t round = 1, attempt = 0, failures = 0;
    bool dead = false;
  };

  std::string bytes() {
    return std::string(random_() % 9'000, static_cast<char>('a' + last_ % 26));
  }

  Kept accept() {
    live_.push_back({++last_});
    TaskSpec spec;
    spec.priority = static_cast<std::uint8_t>(random_() % 100);
    return {record::Accepted{TaskId{last_}, spec, Instant{1}, Instant{1}}, bytes()};
  }
  Kept fail(Task& task) {
    const record::Used used{++task.failures, 0, 0};
    return {record::Ended{TaskId{task.id}, task.round, task.attempt, WorkerId{5}, EndCause::Failed,
                          Charge::Failure, 0, used, Instant{3}, Instant{4}, false, false},
            "error " + std::to_string(task.attempt)};
  }
  Kept settle(std::size_t at, Verdict verdict) {
    auto& task = live_[at];
    const record::Used used{task.failures, 0, 0};
    const auto cause = verdict == Verdict::Done ? EndCause::Done : EndCause::Failed;
    Kept kept{record::Settled{TaskId{task.id}, task.round, task.attempt, WorkerId{5}, verdict,
                              cause, Charge::Nothing, 0, used, Instant{5}},
              bytes()};
    task.dead = verdict == Verdict::Dead;
    if (!task.dead) live_.erase(live_.begin() + static_cast<std::ptrdiff_t>(at));
    return kept;
  }
  Kept after_death(std::size_t at) {
    auto& task = live_[at];
    if (random_() % 3 == 0) {
      const TaskId id{task.id};
      live_.erase(live_.begin() + static_cast<std::ptrdiff_t>(at));
      return {record::Removed{id, false, Instant{7}}, {}};
    }
    task.dead = false;
    task.attempt = task.failures = 0;
    ++task.round;
    return {record::Revived{TaskId{task.id}, task.round, Instant{6}, Instant{6}}, {}};
  }

  std::mt19937_64 random_;
  std::vector<Task> live_;
  std::uint64_t last_ = 0;
};

// What the first records come to, grown as cuts ask for more of them.
class Model {
 public:
  explicit Model(const std::vector<Kept>& records) : records_(records) { clear(); }

  const TaskImage& at(std::uint64_t count) {
    if (count < applied_) clear();
    for (; applied_ < count; ++applied_) {
      Attachment attachment;
      attachment.body = Blob(ipc::bytes_of(records_[applied_].body));
      attachment.content = Content::Utf8;
      attachment.uid = 7;
      image_->apply(records_[applied_].record, attachment);
    }
    return *image_;
  }

 private:
  void clear() {
    image_ = std::make_unique<TaskImage>(default_options());
    applied_ = 0;
  }

  const std::vector<Kept>& records_;
  std::unique_ptr<TaskImage> image_;
  std::size_t applied_ = 0;
};

class PowerLoss {
 public:
  PowerLoss(std::uint64_t seed, std::uint64_t records) : seed_(seed), load_(seed) {
    for (std::uint64_t i = 0; i < records; ++i) records_.push_back(load_.next());
    fast_.skip_syncs();
    lives_.place.vfs = vfs_.name();
    lives_.place.checkpoint_pages = 40;
  }

  // The `number`-th sync of this file fails, once.
  void fail_sync(DiskFile file, std::uint64_t number) { fault_ = {file, number}; }

  void run() {
    auto* store = lives_.open();
    ASSERT_NE(store, nullptr) << lives_.error.text;
    if (fault_) {
      vfs_.set_fault({DiskCall::Sync, fault_->first, fault_->second, false, SQLITE_IOERR_FSYNC});
    }
    vfs_.on_sync([this](const FaultVfs::Moment& moment) { cut(moment); });
    std::mt19937_64 random(seed_);
    std::vector<StoreEntry> batch;
    for (std::size_t at = 0; at < records_.size() && !failed_; ++at) {
      StoreEntry entry{RecordNumber{at + 1}, records_[at].record, {}};
      entry.attachment.body = Blob(ipc::bytes_of(records_[at].body));
      entry.attachment.content = Content::Utf8;
      entry.attachment.uid = 7;
      batch.push_back(std::move(entry));
      if (random() % 4 != 0) continue;
      store->apply(batch);
      note(store->take_answers());
      // Many small groups, so that the fault comes between acknowledged ones.
      while (fault_ && acked_ <= at && !failed_) note(store->take_answers());
    }
    store->apply(batch);
    while (acked_ < records_.size() && !failed_) note(store->take_answers());
    lives_.close();
    vfs_.on_sync({});
  }

  std::uint64_t cuts() const { return cuts_; }
  bool fault_met() const { return vfs_.faults_met() > 0; }

 private:
  void note(StoreAnswers answers) {
    ASSERT_FALSE(answers.broken) << answers.broken->text;
    if (answers.persisted) acked_ = answers.persisted->value;
  }

  void cut(const FaultVfs::Moment& moment) {
    const auto acked = acked_.load();
    for (const auto torn : {Torn::None, Torn::All, Torn::Beginning, Torn::Some, Torn::Pieces}) {
      if (failed_) return;
      check(moment, torn, acked);
      failed_ = testing::Test::HasFailure();
    }
  }

  void check(const FaultVfs::Moment& moment, Torn torn, std::uint64_t acked) {
    const auto number = ++cuts_;
    SqliteLives after;
    after.renumbers = false;
    after.place.vfs = fast_.name();
    FaultVfs::make_files(moment, torn, seed_ * 1'000'003 + number, after.path());
    std::uint64_t count = 0;
    {
      auto raw = Database::open(after.path(), OpenMode::ReadWrite, fast_.name());
      ASSERT_TRUE(raw);
      const auto kept = raw->integer("SELECT record FROM store");
      ASSERT_TRUE(kept) << kept.error().text << " cut " << number;
      count = static_cast<std::uint64_t>(*kept);
    }
    ASSERT_GE(count, acked) << "acknowledged and lost: seed " << seed_ << " cut " << number;
    ASSERT_NE(after.open(), nullptr) << after.error.text << " cut " << number;
    ASSERT_TRUE(after.store()->damaged().empty()) << "cut " << number;
    const auto& model = model_.at(count);
    for (std::uint64_t task = 1; task <= load_.tasks(); ++task) {
      ASSERT_EQ(told(after.store()->find(TaskId{task})), told(model.find(TaskId{task})))
          << "task " << task << " after " << count << " records, seed " << seed_ << " cut "
          << number << " torn " << static_cast<int>(torn);
    }
  }

  std::uint64_t seed_;
  Load load_;
  std::vector<Kept> records_;
  Model model_{records_};
  FaultVfs vfs_, fast_;
  std::optional<std::pair<DiskFile, std::uint64_t>> fault_;
  SqliteLives lives_;
  std::atomic<std::uint64_t> acked_{0};
  std::uint64_t cuts_ = 0;
  std::atomic<bool> failed_{false};
};

TEST(PowerLoss, LosesNothingThatWasAcknowledged) {
  const auto asked = [](const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? 0 : std::strtoull(value, nullptr, 10);
  };
  const std::uint64_t seeds_max = asked("WARMPOOL_POWER_SEEDS"),
                      cuts_asked = asked("WARMPOOL_POWER_CUTS");
  const std::uint64_t first = std::max<std::uint64_t>(asked("WARMPOOL_POWER_SEED"), 1);
  const std::uint64_t cuts_max = seeds_max > 0 ? ~0ULL : cuts_asked > 0 ? cuts_asked : 600;
  std::uint64_t cuts = 0, seeds = 0;
  while (cuts < cuts_max && (seeds_max == 0 || seeds < seeds_max) && !HasFailure()) {
    PowerLoss power(first + seeds++, kRecords);
    power.run();
    cuts += power.cuts();
  }
  RecordProperty("cuts", std::to_string(cuts));
  if (seeds_max + cuts_asked > 0 && !HasFailure()) {
    std::printf("power: seeds %s cuts %s records %s\n", std::to_string(seeds).c_str(),
                std::to_string(cuts).c_str(), std::to_string(seeds * kRecords).c_str());
  }
}

// The kernel forgets what a failed sync could not write and lets it be read all the same: nothing
// of it may count as kept, nor be moved into the file, before it was written anew.
TEST(PowerLoss, LosesNothingThatWasAcknowledgedWhenASyncFailsSlow) {
  for (std::uint64_t seed = 1; seed <= 4 && !HasFailure(); ++seed) {
    PowerLoss power(seed, kRecords / 2);
    if (seed % 3 == 0) {
      power.fail_sync(DiskFile::Database, 1);
    } else {
      power.fail_sync(DiskFile::Wal, 2 * seed);
    }
    power.run();
    EXPECT_TRUE(power.fault_met()) << seed;
  }
}

}  // namespace
}  // namespace warmpool::daemon
