// A batch that leaves nothing to be written is answered at once when nothing before it is on its
// way; else it waits its turn, because answers are cumulative.
#include "daemon/store/sqlite_store.hpp"

#include <algorithm>

#include "daemon/exit_status.hpp"

namespace warmpool::daemon {

SqliteStore::SqliteStore(const SqliteStoreSetup& setup)
    : setup_(setup), image_(setup.options), maker_(image_) {}

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const SqliteStoreSetup& setup) {
  std::unique_ptr<SqliteStore> store(new SqliteStore(setup));
  auto database = open_store_database(setup.place);
  if (!database) return database.error();
  store->database_ = std::move(*database);
  if (auto begun = store->begin_life(setup.life_least); !begun) return begun.error();
  return store;
}

Result<void> SqliteStore::close() {
  backup_.reset();
  if (!thread_) return {};
  if (!batch_.empty()) give();
  return thread_->finish();
}

// The first write of a life: its number is never used again, whatever happens then.
Result<void> SqliteStore::begin_life(std::uint64_t least) {
  const auto wall = setup_.time->wall();
  begin_steady_ns_ = setup_.time->steady_ns();
  auto query = database_.prepare(
      "SELECT life, instant, wall, done, dead, cancelled, expired, skipped FROM store");
  if (!query) return store_error(query.error());
  if (query->step() != Step::Row) return store_error(database_.error("the table store"));
  life_ = std::max(query->number<std::uint64_t>(0) + 1, least);
  const bool is_new = query->integer(2) == 0;
  const auto passed = is_new ? 0 : std::max<std::int64_t>(0, wall.ns - query->integer(2));
  last_ = Instant{query->integer(1)};
  begin_ = last_ + Duration{passed};
  for (std::size_t at = 0; at < settled_.size(); ++at) {
    settled_[at] = query->number<std::uint64_t>(static_cast<int>(at) + 3);
  }
  query->reset();
  auto update = database_.prepare(
      "UPDATE store SET life = ?, record = 0, groups = 0, instant = ?, wall = ? WHERE only");
  if (!update) return store_error(update.error());
  if (!update->with(life_, begin_.ns, wall.ns).run()) {
    return store_error(database_.error("cannot write to " + setup_.place.path));
  }
  return {};
}

Result<SettledTotals> SqliteStore::recover(StoreNames& names, const Replay& replay) {
  maker_.set_names(names);
  Recovery recovery(database_, image_, maker_, names, replay,
                    last_ - setup_.options.reconnect_age_max);
  auto recovered = recovery.run();
  if (!recovered) return recovered.error();
  recovered_ = std::move(*recovered);
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
  if (batch.empty()) {
    if (!batch_.changes.empty()) give();  // of drop()
    return;
  }
  for (auto& entry : batch) {
    maker_.before(entry);
    if (image_.apply(entry.record, entry.attachment)) maker_.after(entry, batch_);
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
  const auto kept = std::max(thread_->written(), direct_);
  if (kept > told_) answers.persisted = told_ = kept;
  auto news = thread_->take_news();
  answers.accepting = news.accepting;
  answers.broken = std::move(news.broken);
  if (backup_) answers.backup = backup_->result();
  if (answers.backup) backup_.reset();
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
  if (kept) batch_.changes.push_back(change::Cleaned{task});
  return true;
}

Result<void> SqliteStore::begin_backup(const std::string& path) {
  if (backup_) return Error{0, "a backup is being made; wait for its end"};
  auto begun = StoreBackup::start(setup_.place.path, path, thread_->fd());
  if (!begun) return begun.error();
  backup_ = std::move(*begun);
  return {};
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
  figures.trouble = disk.trouble;
  figures.stalled = disk.stalled;
  return figures;
}

}  // namespace warmpool::daemon
