// Between the core's records and the store: one batch a turn, with what belongs to each record.
#pragma once

#include "daemon/services.hpp"

namespace warmpool::daemon {

class Keeper {
 public:
  explicit Keeper(Services& services) : services_(services) {}

  void carry(command::Persist& command);
  // What this turn has brought so far, before somebody reads: the core and the store then say the
  // same of a task.
  void catch_up();
  // Hands the batch over and tells the core what the store answers. Returns whether it answered.
  bool commit();
  void on_backup(std::function<void(const Result<BackupFigures>&)> handler) {
    on_backup_ = std::move(handler);
  }
  void on_body(std::function<void(const BodyEnded&)> handler) { on_body_ = std::move(handler); }
  // The store cannot go on.
  const std::optional<Error>& broken() const { return broken_; }

 private:
  void hand_over();
  void tell(bool accepting);
  void tell_slower(const std::string& why);
  void end_body(const BodyEnded& ended);

  Services& services_;
  std::vector<StoreEntry> batch_;          // kept for its memory
  std::vector<command::Persist> records_;  // and this
  std::size_t bytes_ = 0;                  // of bodies in it
  std::optional<Error> broken_;
  std::function<void(const Result<BackupFigures>&)> on_backup_;
  std::function<void(const BodyEnded&)> on_body_;
};

}  // namespace warmpool::daemon
