// The n-th call of the disk fails, once or from then on until there is room again: at the start, at
// work and at the end of a life. Whatever is acknowledged is there in the next life, and nothing
// twice; also after a power cut, where a sync failed.
//
// In CI some n of each call; WARMPOOL_FAULTS_ALL=1 for all of them, WARMPOOL_FAULTS_SEED for
// others.
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "daemon/exit_status.hpp"
#include "tests/store/fault_vfs.hpp"
#include "tests/store/record_load.hpp"
#include "tests/support/patience.hpp"

namespace warmpool::daemon {
namespace {

constexpr std::uint64_t kRecords = 40, kRecordsBefore = 15;

std::uint64_t asked(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? 0 : std::strtoull(value, nullptr, 10);
}

struct Fault {
  DiskCall call;
  int code;
};

// What an earlier life left when it was killed: a file with a WAL.
class Remains {
 public:
  explicit Remains(std::uint64_t journal)
      : journal_(journal),
        load_(1 + asked("WARMPOOL_FAULTS_SEED")),
        records_(load_.take(kRecords)) {
    FaultVfs fast;
    fast.skip_syncs();
    SqliteLives lives;
    lives.place.vfs = fast.name();
    lives.place.journal_bytes = journal == 0 ? 0 : 1 << 20;  // which is never full
    lives.place.journal_step = 4096;
    auto* store = lives.open();
    std::vector<StoreEntry> batch;
    for (std::uint64_t at = 0; at < kRecordsBefore; ++at) {
      batch.push_back(records_[at].entry(at + 1));
      if (journal == 0 || at != kRecordsBefore / 2) continue;
      // What comes then is in the journal alone.
      store->apply(batch);
      if (!lives.in_tables({at + 1})) std::abort();
      fast.set_fault({DiskCall::Begin, {}, 1, true, SQLITE_BUSY});
    }
    store->apply(batch);
    const auto end = test::patience_ends();
    while (store->take_answers().persisted != RecordNumber{kRecordsBefore}) {
      if (std::chrono::steady_clock::now() > end) std::abort();
      wait_for_news(*store);
    }
    for (const char* suffix : suffixes()) {
      std::filesystem::copy_file(lives.path() + suffix, directory_ / (std::string("db") + suffix));
    }
  }
  void put_in(const std::string& path) const {
    for (const char* suffix : suffixes()) {
      std::filesystem::copy_file(directory_ / (std::string("db") + suffix), path + suffix);
    }
  }
  const std::vector<Kept>& records() const { return records_; }
  std::uint64_t tasks() const { return load_.tasks(); }
  std::uint64_t journal() const { return journal_; }

 private:
  std::vector<const char*> suffixes() const {
    if (journal_ == 0) return {"", "-wal"};
    return {"", "-wal", ".journal"};
  }

  std::uint64_t journal_;  // bytes; 0: there is none
  ipc::test::TemporaryDirectory directory_;
  Load load_;
  std::vector<Kept> records_;
};

class Sweep {
 public:
  Sweep(const Remains& remains, const DiskFault& fault, bool at_start)
      : remains_(remains), fault_(fault), at_start_(at_start) {
    vfs_.skip_syncs();
    lives_.renumbers = false;
    lives_.place.vfs = vfs_.name();
    lives_.place.checkpoint_pages = 12;
    lives_.place.journal_bytes = remains.journal();
    lives_.place.journal_step = 2048;
    lives_.place.refused_wait = lives_.place.busy_wait = milliseconds(1);
    remains.put_in(lives_.path());
  }

  bool refused() const { return refused_start_; }

  // Returns whether the fault was met: else there are not so many calls.
  bool run() {
    if (at_start_) vfs_.set_fault(fault_);
    if (lives_.open() == nullptr) {
      refused_start_ = true;
      EXPECT_TRUE(at_start_) << lives_.error.text;
      EXPECT_NE(lives_.error.code, static_cast<int>(ExitStatus::StoreDamaged)) << lives_.error.text;
      EXPECT_FALSE(lives_.error.text.empty());
    } else {
      if (!at_start_) vfs_.set_fault(fault_);
      work();
      lives_.close();
    }
    const bool met = vfs_.faults_met() > 0;
    vfs_.clear_faults();
    if (met) check(lives_);
    if (met && fault_.call == DiskCall::Sync) check_power_cut();
    return met;
  }

 private:
  // Every record by itself, so that the fault comes between acknowledged ones. Where nothing goes
  // any more, room is made.
  void work() {
    std::uint64_t number = kRecordsBefore;
    // Records are kept by their number of this life.
    const auto last = remains_.records().size() - kRecordsBefore;
    const auto end = test::patience_ends();
    while (acked_ < last && !broken_) {
      lives_.time.pass(milliseconds(100));
      if (number - kRecordsBefore == acked_) {
        std::vector<StoreEntry> batch;
        batch.push_back(remains_.records()[number].entry(number - kRecordsBefore + 1));
        lives_.store()->apply(batch);
        ++number;
      }
      const auto answers = lives_.store()->take_answers();
      if (answers.persisted) acked_ = answers.persisted->value;
      if (answers.accepting == false) {
        refused_ = true;
        EXPECT_FALSE(lives_.store()->figures().trouble.empty());
        vfs_.clear_faults();
      }
      broken_ = answers.broken.has_value();
      if (broken_) told_ = answers.broken->text;
      ASSERT_LT(std::chrono::steady_clock::now(), end) << "it does not go on";
      if (!answers.persisted && !answers.undone) wait_for_news(*lives_.store());
    }
    // Three syncs in a row, where nobody makes room meanwhile, are the end; nothing else is.
    EXPECT_TRUE(!broken_ || fault_.sticky) << told_;
  }

  void check(SqliteLives& lives) {
    ASSERT_NE(lives.open(), nullptr) << lives.error.text;
    std::uint64_t count = kRecordsBefore + acked_;
    const auto there = [&](std::uint64_t records) {
      for (std::uint64_t task = 1; task <= remains_.tasks(); ++task) {
        if (told(lives.store()->find(TaskId{task})) !=
            told(model_.at(records).find(TaskId{task}))) {
          return false;
        }
      }
      return lives.totals == model_.totals(records);
    };
    // What was on its way may be there as well.
    while (count < kRecords && !there(count)) ++count;
    EXPECT_TRUE(there(count)) << "after " << acked_ << " that were acknowledged";
    EXPECT_LE(count, kRecordsBefore + acked_ + 1);
    EXPECT_TRUE(lives.store()->damaged().empty());
  }

  void check_power_cut() {
    FaultVfs fast;
    fast.skip_syncs();
    SqliteLives after;
    after.renumbers = false;
    after.place.vfs = fast.name();
    lives_.close();
    FaultVfs::make_files(vfs_.moment(), Torn::None, 1, after.path());
    check(after);
  }

  const Remains& remains_;
  DiskFault fault_;
  bool at_start_;
  FaultVfs vfs_;
  SqliteLives lives_;
  Model model_{remains_.records()};
  std::uint64_t acked_ = 0;
  bool refused_ = false, refused_start_ = false, broken_ = false;
  std::string told_;
};

// Lives in which a fault was met, and what became of them.
struct Sweeps {
  std::uint64_t met = 0, refused = 0;
};

void sweep_with(std::uint64_t journal, std::initializer_list<Fault> faults) {
  const bool all = asked("WARMPOOL_FAULTS_ALL") != 0;
  const Remains remains(journal);
  Sweeps sweeps;
  for (const auto& [call, code] : faults) {
    for (const bool at_start : {true, false}) {
      for (const bool sticky : {false, true}) {
        bool met = true;
        for (std::uint64_t n = 1; met; n += all ? 1 : 1 + n / 2) {
          SCOPED_TRACE("call " + std::to_string(static_cast<int>(call)) + " code " +
                       std::to_string(code) + " n " + std::to_string(n) +
                       (sticky ? " sticky" : " once") + (at_start ? " at the start" : " at work") +
                       " journal " + std::to_string(journal));
          Sweep sweep(remains, {call, std::nullopt, n, sticky, code}, at_start);
          met = sweep.run();
          sweeps.met += met;
          sweeps.refused += met && sweep.refused();
          if (testing::Test::HasFailure()) return;
        }
      }
    }
  }
  std::printf("faults: met %s refused %s\n", std::to_string(sweeps.met).c_str(),
              std::to_string(sweeps.refused).c_str());
}

// Without a journal, and with one that both halves are used of.
void sweep(std::initializer_list<Fault> faults) {
  for (const std::uint64_t journal : {0U, 6U * 1024}) sweep_with(journal, faults);
}

TEST(FaultSweep, OfReads) {
  sweep({{DiskCall::Read, SQLITE_IOERR_READ}, {DiskCall::Size, SQLITE_IOERR_FSTAT}});
}

TEST(FaultSweep, OfWrites) {
  sweep({{DiskCall::Write, SQLITE_IOERR_WRITE}, {DiskCall::Write, SQLITE_FULL}});
}

TEST(FaultSweep, OfSyncs) {
  sweep({{DiskCall::Sync, SQLITE_IOERR_FSYNC}, {DiskCall::Truncate, SQLITE_IOERR_TRUNCATE}});
}

TEST(FaultSweep, OfFilesAndLocks) {
  sweep({{DiskCall::Open, SQLITE_CANTOPEN},
         {DiskCall::Delete, SQLITE_IOERR_DELETE},
         {DiskCall::Access, SQLITE_IOERR_ACCESS},
         {DiskCall::Lock, SQLITE_IOERR_LOCK},
         {DiskCall::Lock, SQLITE_BUSY},
         {DiskCall::Share, SQLITE_IOERR_SHMSIZE}});
}

}  // namespace
}  // namespace warmpool::daemon
