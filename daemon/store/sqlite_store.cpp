// A batch that leaves nothing to be written is answered at once when nothing before it is on its
// way; else it waits its turn, because answers are cumulative.
#include "daemon/store/sqlite_store.hpp"

#include <algorithm>
#include <fcntl.h>
#include <limits>

#include "daemon/exit_status.hpp"
#include "daemon/store/journal_recovery.hpp"
#include "daemon/store/missing_files.hpp"
#include "daemon/store/wal_tail.hpp"
#include "daemon/whole_files.hpp"
#include "pool/refusal.hpp"

namespace warmpool::daemon {
namespace {

constexpr std::uint64_t kPageBytes = 4096;
// Ids have 24 bits for it.
constexpr std::int64_t kLifeMax = (1 << 24) - 1;
// Where the time of a store stays, should a wall clock run as far: 146 years, and what is planned
// from there on still fits.
constexpr Instant kInstantMax{std::int64_t{1} << 62};

}  // namespace

SqliteStore::SqliteStore(const SqliteStoreSetup& setup)
    : setup_(setup), image_(setup.options), maker_(image_) {}

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const SqliteStoreSetup& setup) {
  std::unique_ptr<SqliteStore> store(new SqliteStore(setup));
  const auto frames = frames_not_whole(setup.place.path + "-wal");
  auto database = open_store_database(setup.place);
  if (!database) return database.error();
  store->database_ = std::move(*database);
  const auto bounds = disk_bounds_of(setup.options);
  auto taken = take_journal(store->database_, setup.place, bounds);
  if (!taken) return store_error(taken.error());
  if (!taken->empty()) store->found_.push_back(std::move(*taken));
  if (frames != 0) {
    store->found_.push_back(
        setup.place.path + "-wal: its last " + std::to_string(frames) +
        " pages are not whole and are left out: a write failed, the power was cut "
        "before they were synced, or the disk has lost them");
  }
  if (auto begun = store->read_life(setup.life_least); !begun) return begun.error();
  return store;
}

Result<void> SqliteStore::close() {
  if (!thread_) return {};
  end_backup();
  if (!batch_.empty()) give();
  return thread_->finish();
}

Result<void> SqliteStore::read_life(std::uint64_t least) {
  const auto wall = setup_.time->wall();
  begin_steady_ns_ = setup_.time->steady_ns();
  auto query = database_.prepare(
      "SELECT life, instant, wall, done, dead, cancelled, expired, skipped FROM store");
  if (!query) return store_error(query.error());
  if (const auto step = query->step(); step != Step::Row) {
    return store_error(database_.no_row("the table store", step));
  }
  RowLimits limits(kInstantMax, kLifeMax);
  const FileRow row(*query, "store", limits);
  last_life_ = static_cast<std::uint64_t>(row.within(0, 0, kLifeMax - 1));
  life_ = std::max(last_life_ + 1, least);
  last_ = row.past(1);
  const auto then = row.within(2, -kInstantMax.ns, std::numeric_limits<std::int64_t>::max());
  const bool is_new = then == 0;
  const auto passed =
      is_new ? 0 : std::max<std::int64_t>(0, wall.ns - std::max<std::int64_t>(then, 0));
  begin_ = Instant{std::max(last_.ns, std::min(kInstantMax.ns - passed, last_.ns) + passed)};
  constexpr auto most = std::numeric_limits<std::int64_t>::max() / 8;  // their sum is told
  for (std::size_t at = 0; at < settled_.size(); ++at) {
    settled_[at] = static_cast<std::uint64_t>(row.within(static_cast<int>(at) + 3, 0, most));
  }
  if (auto good = limits.verdict(); !good) return store_error(good.error());
  return {};
}

namespace {

// An empty file, before the tables say that one belongs to them: what is missing then was lost.
bool make_journal(const std::string& path) {
  const ipc::UniqueFd made(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  return made && sync_parent(path);
}

}  // namespace

// The first write of a life: its number is never used again, whatever happens then.
Result<void> SqliteStore::keep_life() {
  if (auto words = write_words(database_); !words) return store_error(words.error());
  auto update = database_.prepare(
      "UPDATE store SET life = ?, record = 0, groups = 0, journal = 0, open = ?, instant = ?, "
      "wall = ? WHERE only");
  if (!update) return store_error(update.error());
  const auto& place = setup_.place;
  const bool ahead = place.journal_bytes != 0 && make_journal(journal_path(place.path));
  const auto open = ahead ? kOpenWithJournal : kOpen;
  if (!update->with(life_, open, begin_.ns, setup_.time->wall().ns).run()) {
    return store_error(database_.error("cannot write to " + setup_.place.path));
  }
  return {};
}

Result<SettledTotals> SqliteStore::recover(StoreNames& names, const Replay& replay) {
  maker_.set_names(names);
  const auto bodies = bodies_directory(setup_.place.path);
  Recovery recovery(database_, image_, maker_, names, replay,
                    last_ - setup_.options.reconnect_age_max, {last_, last_life_}, bodies);
  auto recovered = recovery.run();
  if (!recovered) return recovered.error();
  recovered_ = std::move(*recovered);
  // Those that only the journal knew: of the others it was asked before anything was changed.
  if (const auto files = recovered_.files.size(); files != 0 && !is_there(bodies)) {
    return store_error(bodies_are_missing(bodies, files));
  }
  if (auto kept = keep_life(); !kept) return kept.error();
  sweep_bodies(bodies, std::move(recovered_.files));
  if (auto started = start_thread(); !started) return started.error();
  batch_ = recovery.take_repairs();
  settled_[static_cast<std::size_t>(Verdict::Dead)] += recovered_.buried;
  if (!batch_.empty()) give();
  return settled_;
}

Result<void> SqliteStore::start_thread() {
  StoreThreadSetup setup;
  setup.place = setup_.place;
  setup.database = std::move(database_);
  setup.life = life_;
  setup.begin = begin_;
  setup.begin_steady_ns = begin_steady_ns_;
  setup.time = setup_.time;
  setup.bounds = disk_bounds_of(setup_.options);
  auto thread = StoreThread::start(std::move(setup));
  if (!thread) return thread.error();
  thread_ = std::move(*thread);
  return {};
}

void SqliteStore::apply(std::vector<StoreEntry>& batch) {
  if (!batch.empty()) {
    take(batch);
  } else if (!batch_.changes.empty()) {
    give();  // of drop()
  }
}

void SqliteStore::take(std::vector<StoreEntry>& batch) {
  for (auto& entry : batch) {
    maker_.before(entry);
    if (image_.apply(entry.record, entry.attachment)) maker_.after(entry, batch_);
    for (const auto task : image_.take_dropped_checkpoints()) {
      batch_.changes.push_back(change::CheckpointGone{task});
    }
    batch_.through = entry.number;
  }
  records_ += batch.size();
  ++batches_;
  batch.clear();
  image_.keep_bounds();
  give();
}

void SqliteStore::give() {
  const auto through = std::max(given_, batch_.through);
  const bool idle = std::max(thread_->written(), direct_) >= given_;
  given_ = batch_.through = through;
  if (batch_.empty() && idle) {
    direct_ = through;
  } else {
    thread_->give(std::move(batch_));
  }
  batch_ = {};
}

StoreAnswers SqliteStore::take_answers() {
  StoreAnswers answers;
  if (std::exchange(undone_, false)) thread_->go_on();
  // News first: what was written before the thread said "undone" must be told with it.
  auto news = thread_->take_news();
  const auto kept = std::max(thread_->written(), direct_);
  if (kept > told_) answers.persisted = told_ = kept;
  answers.accepting = news.accepting;
  answers.undone = news.undone;
  undone_ = news.undone;
  answers.broken = std::move(news.broken);
  answers.slower = std::move(news.slower);
  if (backup_) {
    const auto most = std::uint64_t{setup_.place.wal_pages_max} * kPageBytes;
    if (thread_->figures().wal_bytes >= most / 4 * 3) backup_->give_up();
    answers.backup = backup_->result();
  }
  if (answers.backup) end_backup();
  answers.bodies = thread_->bodies().take_ended();
  return answers;
}

// What has not settled for sure has no result to receive, so its row is on disk by now.
void SqliteStore::received(TaskId task) {
  const auto* row = image_.row(task);
  const bool kept = row != nullptr && row->durability != Durability::None;
  if (image_.received(task) && kept) batch_.receipts.push_back({task});
}

bool SqliteStore::drop(TaskId task) {
  const auto* row = image_.row(task);
  const bool kept = row != nullptr && row->durability != Durability::None;
  if (!image_.drop(task)) return false;
  if (!kept) return true;
  batch_.changes.push_back(change::Cleaned{task});
  batch_.demand = std::max(batch_.demand, Demand::Written);
  return true;
}

Result<void> SqliteStore::begin_backup(const std::string& path) {
  if (backup_) {
    return Error{static_cast<int>(Refusal::StoreUnavailable),
                 "a backup is being made; wait for its end"};
  }
  // It copies what rows of one moment name, which may be gone from the tables when it comes to it.
  thread_->bodies().hold_removals(true);
  thread_->set_backup(true);
  const auto all = thread_->hurry();
  const auto ready = [thread = thread_.get(), all]() -> Result<bool> {
    if (thread->wait_in_tables(all)) return true;
    const auto trouble = thread->figures().trouble;
    if (trouble.empty()) return false;
    return Error{static_cast<int>(Refusal::StoreUnavailable), trouble};
  };
  auto begun = StoreBackup::start(setup_.place.path, path, thread_->fd(), ready);
  if (!begun) {
    end_backup();
    return begun.error();
  }
  backup_ = std::move(*begun);
  return {};
}

void SqliteStore::end_backup() {
  backup_.reset();
  thread_->bodies().hold_removals(false);
  thread_->set_backup(false);
}

BodyFile SqliteStore::begin_body(BodyKind kind, const Blob& body, std::uint64_t seed) {
  if (body.size() <= kBodyInRowMax && !body.is_by_descriptor()) return {};
  return thread_->bodies().begin(kind, body.share(), seed);
}

void SqliteStore::trim(Instant now) {
  image_.trim(now);
  if (!batch_.empty()) give();  // receipts of a quiet time
  thread_->trim();
}

void SqliteStore::set_bounds(const Options& options) {
  setup_.options = options;
  image_.set_bounds(options);
  thread_->set_bounds(disk_bounds_of(options));
}

StoreFigures SqliteStore::figures() const {
  auto figures = image_.figures();
  const auto disk = thread_->figures();
  figures.name = "sqlite";
  figures.durable = true;
  figures.records = records_;
  figures.batches = batches_;
  figures.commits = disk.commits;
  figures.syncs = disk.syncs;
  figures.wal_bytes = disk.wal_bytes;
  figures.ahead = disk.ahead;
  figures.trouble = disk.trouble;
  figures.journal_trouble = disk.journal_trouble;
  figures.stalled = disk.stalled;
  return figures;
}

}  // namespace warmpool::daemon
