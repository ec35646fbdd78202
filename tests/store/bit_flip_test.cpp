// A disk that gives back other bytes than it was given: bits flipped, a page of zeros, an end cut
// off, in the database or in its WAL. A start comes back with what was kept, or without the end of
// a WAL, or it refuses with a message. It never crashes or hangs, and never hands out a payload or
// a result that is not the stored one.
//
// In CI a few hundred flips; WARMPOOL_FLIPS=10000 for a long run, WARMPOOL_FLIPS_SEED for others.
#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "daemon/exit_status.hpp"
#include "tests/store/fault_vfs.hpp"
#include "tests/store/record_load.hpp"

namespace warmpool::daemon {
namespace {

std::uint64_t asked(const char* name, std::uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

struct Files {
  std::string database, wal, journal;
};

// Rows of all kinds, the newest of them in the WAL, or in the journal, where there is one.
Files made_files(const std::vector<Kept>& records, FaultVfs& fast, bool has_journal) {
  SqliteLives lives;
  lives.renumbers = false;
  lives.place.vfs = fast.name();
  lives.place.journal_bytes = has_journal ? 1 << 20 : 0;
  lives.place.journal_step = 512;
  auto half = records.begin() + static_cast<std::ptrdiff_t>(records.size() / 2);
  {
    RecordDriver driver(*lives.open());
    for (auto at = records.begin(); at != half; ++at) driver.keep(at->record, at->body);
    EXPECT_TRUE(driver.settled());
    lives.close();
  }
  RecordDriver driver(*lives.open());
  for (auto at = half; at != records.end(); ++at) {
    driver.keep(at->record, at->body);
    if (!has_journal || at - half != (records.end() - half) / 2) continue;
    EXPECT_TRUE(lives.in_tables(driver.last()));
    fast.set_fault({DiskCall::Begin, {}, 1, true, SQLITE_BUSY});
  }
  driver.keep(record::Paused{pause_of(TypeId{0}), true});
  EXPECT_TRUE(driver.settled());
  Files files{content_of(lives.path()), content_of(lives.path() + "-wal"), ""};
  if (has_journal) files.journal = content_of(lives.path() + ".journal");
  fast.clear_faults();
  return files;
}

// Returns what was done, for people.
std::string spoil(std::string& bytes, std::mt19937_64& random) {
  if (bytes.empty()) return "nothing";
  const auto at = random() % bytes.size();
  switch (random() % 6) {
    case 0: {
      const auto begin = at / 4096 * 4096;
      const auto count = std::min<std::size_t>(4096, bytes.size() - begin);
      bytes.replace(begin, count, count, '\0');
      return "zeros from " + std::to_string(begin);
    }
    case 1:
      bytes.resize(at);
      return "cut at " + std::to_string(at);
    default: {
      const int bits = random() % 2 == 0 ? 1 : 8;
      for (int bit = 0; bit < bits; ++bit) {
        const auto place = std::min(bytes.size() - 1, at + random() % 16);
        bytes[place] = static_cast<char>(bytes[place] ^ (1 << (random() % 8)));
      }
      return std::to_string(bits) + " bits at " + std::to_string(at);
    }
  }
}

class Flips {
 public:
  explicit Flips(std::uint64_t seed) : random_(seed), load_(seed), records_(load_.take(60)) {
    fast_.skip_syncs();
    files_ = made_files(records_, fast_, seed % 100 > 50);
    // All that a body may be.
    for (const auto& record : records_) {
      if (const auto* accepted = std::get_if<record::Accepted>(&record.record)) {
        bodies_[accepted->task.value].push_back(record.body);
      }
      if (const auto* settled = std::get_if<record::Settled>(&record.record)) {
        bodies_[settled->task.value].push_back(record.body);
      }
      if (const auto* revived = std::get_if<record::Revived>(&record.record)) {
        bodies_[revived->task.value].push_back(record.body);
      }
    }
  }

  void flip() {
    SqliteLives lives;
    lives.renumbers = false;
    lives.place.vfs = fast_.name();
    auto files = files_;
    const bool in_journal = !files_.journal.empty() && random_() % 2 == 0,
               in_wal = in_journal || random_() % 3 == 0;
    auto& spoiled = in_journal ? files.journal : in_wal ? files.wal : files.database;
    const auto done = spoil(spoiled, random_);
    SCOPED_TRACE((in_journal ? "journal: " : in_wal ? "WAL: " : "database: ") + done);
    std::ofstream(lives.path(), std::ios::binary) << files.database;
    std::ofstream(lives.path() + "-wal", std::ios::binary) << files.wal;
    if (!files_.journal.empty()) {
      std::ofstream(lives.path() + ".journal", std::ios::binary) << files.journal;
    }
    if (lives.open() == nullptr) {
      ++refused_;
      EXPECT_EQ(lives.error.code, static_cast<int>(ExitStatus::StoreDamaged)) << lives.error.text;
      EXPECT_NE(lives.error.text.find("restore a backup"), std::string::npos) << lives.error.text;
      return;
    }
    ++opened_;
    look_at(*lives.store(), in_wal);
    // It is a store that one can go on with.
    RecordDriver driver(*lives.store());
    driver.accept(lives.store()->life() << 40 | 1, "new");
    EXPECT_TRUE(driver.settled()) << (driver.broken ? driver.broken->text : "hangs");
  }

  std::uint64_t refused() const { return refused_; }
  std::uint64_t opened() const { return opened_; }
  std::uint64_t whole() const { return whole_; }

 private:
  void look_at(const Store& store, bool in_wal) {
    const auto& model = model_.at(records_.size());
    const auto damaged = store.damaged();
    bool all = damaged.empty();
    for (std::uint64_t task = 1; task <= load_.tasks(); ++task) {
      const auto stored = store.find(TaskId{task});
      all = all && told(stored) == told(model.find(TaskId{task}));
      // The end of a WAL or of a journal is lost without a word; nothing else is.
      const bool gone = !stored && model.find(TaskId{task}).has_value();
      EXPECT_TRUE(in_wal || !gone || !damaged.empty()) << "task " << task << " is gone";
      if (!stored || stored->body->size() == 0) continue;
      if (std::ranges::find(damaged, TaskId{task}) != damaged.end()) {
        EXPECT_EQ(stored->verdict, Verdict::Dead) << "it would run: " << task;
        continue;
      }
      const auto& bodies = bodies_[task];
      EXPECT_NE(std::ranges::find(bodies, text_of(*stored)), bodies.end())
          << "task " << task << " has what was never stored";
    }
    whole_ += all;
  }

  std::mt19937_64 random_;
  Load load_;
  std::vector<Kept> records_;
  Model model_{records_};
  FaultVfs fast_;
  Files files_;
  std::map<std::uint64_t, std::vector<std::string>> bodies_;
  std::uint64_t refused_ = 0, opened_ = 0, whole_ = 0;
};

TEST(BitFlips, AreRefusedOrLeaveWhatWasStored) {
  constexpr std::uint64_t of_one_store = 50;
  const auto flips = asked("WARMPOOL_FLIPS", 150);
  const auto seed = asked("WARMPOOL_FLIPS_SEED", 1);
  std::uint64_t refused = 0, opened = 0, whole = 0;
  for (std::uint64_t done = 0; done < flips && !HasFailure(); done += of_one_store) {
    SCOPED_TRACE("seed " + std::to_string(seed + done));
    Flips stores(seed + done);
    for (std::uint64_t at = 0; at < of_one_store && !HasFailure(); ++at) stores.flip();
    refused += stores.refused();
    opened += stores.opened();
    whole += stores.whole();
  }
  EXPECT_GT(refused, 0U);
  EXPECT_GT(opened, 0U);
  std::printf("flips: refused %s opened %s whole %s\n", std::to_string(refused).c_str(),
              std::to_string(opened).c_str(), std::to_string(whole).c_str());
}

}  // namespace
}  // namespace warmpool::daemon
