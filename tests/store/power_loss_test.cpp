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
#include <mutex>
#include <random>
#include <set>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "daemon/store/body_files.hpp"
#include "daemon/store/journal.hpp"
#include "daemon/store/journal_recovery.hpp"
#include "tests/store/fault_vfs.hpp"
#include "tests/store/record_load.hpp"
#include "tests/store/store_fixture.hpp"

namespace warmpool::daemon {
namespace {

constexpr std::uint64_t kRecords = 120;  // of each seed
constexpr std::uint64_t kLargeOneIn = 15, kRelaxedOneIn = 4;

class PowerLoss {
 public:
  // `journal`: of how many bytes; 0: there is none.
  PowerLoss(std::uint64_t seed, std::uint64_t records, std::uint64_t journal)
      : seed_(seed), load_(seed, kLargeOneIn, kRelaxedOneIn) {
    records_ = load_.take(records);
    fast_.skip_syncs();
    vfs_.skip_syncs();  // what reached the disk it knows by itself
    lives_.place.vfs = vfs_.name();
    lives_.place.checkpoint_pages = 40;
    lives_.place.journal_bytes = journal;
    lives_.place.journal_step = 2048;
  }

  // The `number`-th sync of this file fails, once.
  void fail_sync(DiskFile file, std::uint64_t number) { fault_ = {file, number}; }

  void run() {
    auto* store = lives_.open();
    ASSERT_NE(store, nullptr) << lives_.error.text;
    if (fault_) {
      vfs_.set_fault({DiskCall::Sync, fault_->first, fault_->second, false, SQLITE_IOERR_FSYNC});
    }
    vfs_.on_sync([this](const FaultVfs::Moment& moment) { cut(moment); },
                 [this] { return synced_.load(); });
    std::mt19937_64 random(seed_);
    std::vector<StoreEntry> batch;
    for (std::size_t at = 0; at < records_.size() && !failed_; ++at) {
      batch.push_back(records_[at].entry(at + 1));
      write_file(*store, batch.back());
      if (random() % 4 != 0) continue;
      store->apply(batch);
      note(store->take_answers());
      // Many small groups, so that the fault comes between acknowledged ones.
      while (fault_ && acked_ <= at && !failed_) wait(*store);
    }
    store->apply(batch);
    while (acked_ < records_.size() && !failed_) wait(*store);
    lives_.close();
    vfs_.on_sync({});
  }

  std::uint64_t cuts() const { return cuts_; }
  std::uint64_t large() const { return large_; }
  bool fault_met() const { return vfs_.faults_met() > 0; }

 private:
  void note(StoreAnswers answers) {
    ASSERT_FALSE(answers.broken) << answers.broken->text;
    if (answers.persisted) acked_ = answers.persisted->value;
    // What is relaxed may be lost until something that is not comes behind it.
    auto last = acked_.load();
    while (last > synced_ && records_[last - 1].relaxed) --last;
    synced_ = std::max(last, synced_.load());
    const std::lock_guard lock(mutex_);
    for (const auto& ended : answers.bodies) {
      ASSERT_EQ(ended.fault, "");
      files_.insert(body_name(ended.file));
    }
  }

  void wait(SqliteStore& store) {
    wait_for_news(store);
    note(store.take_answers());
  }

  // A large body is on the disk before its record is given to the store.
  void write_file(SqliteStore& store, StoreEntry& entry) {
    const auto* settled = std::get_if<record::Settled>(&entry.record);
    if (settled != nullptr && settled->verdict != Verdict::Done) return;
    const auto kind = settled == nullptr ? BodyKind::Payload : BodyKind::Result;
    entry.attachment.file = store.begin_body(kind, entry.attachment.body, 0);
    if (!entry.attachment.file) return;
    const auto name = body_name(entry.attachment.file);
    const auto is_there = [&] {
      const std::lock_guard lock(mutex_);
      return files_.contains(name);
    };
    while (!is_there() && !failed_) wait(store);
    ++large_;
  }

  // Of the files with bodies those that were synced, and that nobody has removed by now.
  void put_files(const std::string& database) {
    namespace fs = std::filesystem;
    const fs::path from = bodies_directory(lives_.path()), to = bodies_directory(database);
    const std::lock_guard lock(mutex_);
    std::error_code gone;
    fs::create_directory(to, gone);
    for (const auto& name : files_) fs::create_hard_link(from / name, to / name, gone);
  }

  void cut(const FaultVfs::Moment& moment) {
    const std::lock_guard one(one_);
    for (const auto torn : {Torn::None, Torn::All, Torn::Beginning, Torn::Some, Torn::Pieces}) {
      if (failed_) return;
      check(moment, torn, moment.mark);
      failed_ = testing::Test::HasFailure();
    }
  }

  void check(const FaultVfs::Moment& moment, Torn torn, std::uint64_t acked) {
    const auto number = ++cuts_;
    SqliteLives after;
    after.renumbers = false;
    after.place.vfs = fast_.name();
    after.place.journal_bytes = lives_.place.journal_bytes;
    FaultVfs::make_files(moment, torn, seed_ * 1'000'003 + number, after.path());
    put_files(after.path());
    std::uint64_t count = 0;
    {
      auto raw = Database::open(after.path(), OpenMode::ReadWrite, fast_.name());
      ASSERT_TRUE(raw);
      const auto kept = raw->integer("SELECT record FROM store");
      ASSERT_TRUE(kept) << kept.error().text << " cut " << number;
      count = static_cast<std::uint64_t>(*kept);
    }
    count = std::max(count, last_in_journal(after));
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

  // The newest record in what the cut left of the journal, beyond the tables; 0: none.
  static std::uint64_t last_in_journal(SqliteLives& after) {
    if (!std::filesystem::exists(journal_path(after.path()))) return 0;
    auto raw = Database::open(after.path(), OpenMode::ReadWrite, after.place.vfs);
    EXPECT_TRUE(raw);
    const auto life = raw->integer("SELECT life FROM store");
    const auto sequence = raw->integer("SELECT journal FROM store");
    EXPECT_TRUE(life && sequence);
    std::uint64_t last = 0;
    if (*sequence == kJournalClosed) return 0;
    const auto read =
        read_journal(journal_path(after.path()), after.place.vfs, static_cast<std::uint64_t>(*life),
                     static_cast<std::uint64_t>(*sequence), [&](const JournalGroup& group, auto&&) {
                       last = group.through.value;
                       return Result<void>();
                     });
    EXPECT_TRUE(read) << read.error().text;
    return last;
  }

  std::uint64_t seed_;
  Load load_;
  std::vector<Kept> records_;
  Model model_{records_};
  FaultVfs vfs_, fast_;
  std::optional<std::pair<DiskFile, std::uint64_t>> fault_;
  SqliteLives lives_;
  std::atomic<std::uint64_t> acked_{0};
  std::atomic<std::uint64_t> synced_{0};  // as far as a power cut leaves it
  std::uint64_t cuts_ = 0, large_ = 0;
  std::atomic<bool> failed_{false};
  std::mutex one_;               // cut at a time: two threads sync
  std::mutex mutex_;             // of what follows: the store thread looks for files, too
  std::set<std::string> files_;  // that were written and synced
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
  std::uint64_t cuts = 0, seeds = 0, large = 0;
  while (cuts < cuts_max && (seeds_max == 0 || seeds < seeds_max) && !HasFailure()) {
    // With a small journal, so that both halves are used; with one that is never full; with none.
    constexpr std::uint64_t journals[] = {12 * 1024, 256 * 1024, 0};
    PowerLoss power(first + seeds, kRecords, journals[(first + seeds) % 3]);
    ++seeds;
    power.run();
    cuts += power.cuts();
    large += power.large();
  }
  EXPECT_GT(large, 0U);
  RecordProperty("cuts", std::to_string(cuts));
  if (seeds_max + cuts_asked > 0 && !HasFailure()) {
    std::printf("power: seeds %s cuts %s records %s large %s\n", std::to_string(seeds).c_str(),
                std::to_string(cuts).c_str(), std::to_string(seeds * kRecords).c_str(),
                std::to_string(large).c_str());
  }
}

void run_with_failing_sync(std::uint64_t seed, std::uint64_t journal) {
  PowerLoss power(seed, kRecords / 2, journal);
  if (seed % 3 == 0) {
    power.fail_sync(DiskFile::Database, 1);
  } else if (journal != 0 && seed % 2 == 0) {
    power.fail_sync(DiskFile::Journal, seed);
  } else {
    power.fail_sync(DiskFile::Wal, journal != 0 ? 1 : 2 * seed);
  }
  power.run();
  EXPECT_TRUE(power.fault_met()) << seed;
}

// The kernel forgets what a failed sync could not write and lets it be read all the same: nothing
// of it may count as kept, nor be moved into the file, before it was written anew.
TEST(PowerLoss, LosesNothingThatWasAcknowledgedWhenASyncFailsSlow) {
  for (std::uint64_t seed = 1; seed <= 4 && !HasFailure(); ++seed) {
    for (const std::uint64_t journal : {0U, 12U * 1024}) {
      run_with_failing_sync(seed, journal);
      if (HasFailure()) return;
    }
  }
}

// A life ends with a sync that failed: what it wrote last reads as written and is not on the disk.
// The next life finds it, and goes on from there.
TEST(PowerLoss, AStartBuildsOnNothingThatIsNotOnTheDisk) {
  FaultVfs vfs, fast;
  fast.skip_syncs();
  SqliteLives lives;
  lives.renumbers = false;
  lives.place.vfs = vfs.name();
  RecordDriver first(*lives.open());
  first.accept(1, "kept");
  ASSERT_TRUE(first.settled());
  vfs.set_fault({DiskCall::Sync, DiskFile::Wal, 1, true, SQLITE_IOERR_FSYNC});
  first.accept(2, "written, and not synced");
  ASSERT_FALSE(lives.store()->close());
  lives.close();
  vfs.clear_faults();
  RecordDriver second(*lives.open());
  ASSERT_TRUE(lives.store()->find(TaskId{2})) << "the page cache has it";
  second.accept(3, "kept too");
  ASSERT_TRUE(second.settled());
  SqliteLives after;
  after.renumbers = false;
  after.place.vfs = fast.name();
  FaultVfs::make_files(vfs.moment(), Torn::None, 1, after.path());
  ASSERT_NE(after.open(), nullptr) << after.error.text;
  for (std::uint64_t task = 1; task <= 3; ++task) {
    EXPECT_TRUE(after.store()->find(TaskId{task})) << task;
  }
}

}  // namespace
}  // namespace warmpool::daemon
