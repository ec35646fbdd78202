// A copy of the store while the daemon works.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "daemon/store/store.hpp"

namespace warmpool::daemon {

// Reason for the thread ("warmpool-backup"): copying takes as long as the disk does, and neither
// the loop nor the acknowledgements of the store thread may wait for it. It touches a read-only
// connection of its own, and the result until it is told.
class StoreBackup {
 public:
  // `wake_fd`: an eventfd that is written at the end; it outlives this. Errors: the path is no
  // absolute one, or something is there.
  // `ready`: whether the tables have all that the copy is to have; asked again and again on the
  // thread, so it waits for a while itself. Errors of it end the backup.
  using Ready = std::function<Result<bool>()>;
  static Result<std::unique_ptr<StoreBackup>> start(const std::string& database,
                                                    const std::string& path, int wake_fd,
                                                    Ready ready);
  // Blocks: until the copy was given up, some pages.
  ~StoreBackup();

  // Ends it soon: the result says why.
  void give_up() { given_up_ = aborted_ = true; }
  // None: it is not at its end.
  std::optional<Result<BackupFigures>> result() const;

 private:
  StoreBackup(std::string database, std::string path, int wake_fd, Ready ready)
      : database_(std::move(database)),
        path_(std::move(path)),
        wake_fd_(wake_fd),
        ready_(std::move(ready)) {}
  void run();
  Result<void> wait();
  Result<BackupFigures> copy();

  std::string database_, path_;
  int wake_fd_;
  Ready ready_;
  std::atomic<bool> aborted_{false}, given_up_{false}, ended_{false};
  std::optional<Result<BackupFigures>> result_;  // the thread's until it has ended
  std::thread thread_;
};

}  // namespace warmpool::daemon
