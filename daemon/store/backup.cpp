// The connection reads only: there is never more than one that writes.
#include "daemon/store/backup.hpp"

#include <chrono>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/quiet_thread.hpp"
#include "daemon/refusals.hpp"
#include "daemon/store/database_copy.hpp"
#include "daemon/store/storage_words.hpp"

namespace warmpool::daemon {
namespace {

Error told(const Error& error) {
  return refused(refusal_of_storage(error.code), with_hint(error).text);
}

}  // namespace

Result<std::unique_ptr<StoreBackup>> StoreBackup::start(const std::string& database,
                                                        const std::string& path, int wake_fd,
                                                        Ready ready) {
  if (!path.starts_with('/')) {
    return refused(Refusal::BadArgument, "give an absolute path, not '" + path + "'");
  }
  struct stat found {};
  if (::lstat(path.c_str(), &found) == 0) {
    return refused(Refusal::CannotCreate, path + " is there already; give a new name");
  }
  if (const auto bodies = path + ".bodies"; ::lstat(bodies.c_str(), &found) == 0) {
    return refused(Refusal::CannotCreate, bodies + " is there already; give a new name");
  }
  std::unique_ptr<StoreBackup> made(new StoreBackup(database, path, wake_fd, std::move(ready)));
  made->thread_ = quiet_thread("warmpool-backup", [backup = made.get()] { backup->run(); });
  return made;
}

StoreBackup::~StoreBackup() {
  aborted_ = true;
  thread_.join();
}

std::optional<Result<BackupFigures>> StoreBackup::result() const {
  if (!ended_.load(std::memory_order_acquire)) return std::nullopt;
  return result_;
}

void StoreBackup::run() {
  result_ = copy();
  ended_.store(true, std::memory_order_release);
  const std::uint64_t one = 1;
  (void)!::write(wake_fd_, &one, sizeof one);
}

Result<void> StoreBackup::wait() {
  while (!aborted_) {
    const auto ready = ready_();
    if (!ready) return ready.error();
    if (*ready) break;
  }
  return {};
}

Result<BackupFigures> StoreBackup::copy() {
  using std::chrono::steady_clock;
  const auto begun = steady_clock::now();
  if (auto waited = wait(); !waited) return waited.error();
  auto source = Database::open(database_, OpenMode::ReadOnly, {});
  if (!source) return told(source.error());
  auto copied = copy_database(*source, database_, SourceKind::AtWork, path_, aborted_);
  if (!copied && given_up_) {
    return refused(Refusal::StoreUnavailable,
                   "the backup was given up: it took so long that the WAL of " + database_ +
                       " came near its bound, and work would have been refused; make it while "
                       "less comes, or on a faster disk");
  }
  if (!copied) return told(copied.error());
  BackupFigures figures;
  figures.left_out = std::move(copied->left_out);
  figures.bytes = copied->bytes;
  figures.took = {std::chrono::nanoseconds(steady_clock::now() - begun).count()};
  return figures;
}

}  // namespace warmpool::daemon
