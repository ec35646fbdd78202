// Between the core's records and the store: one batch a turn, with what belongs to each record.
#pragma once

#include "daemon/archive.hpp"
#include "daemon/services.hpp"

namespace warmpool::daemon {

class Keeper {
 public:
  Keeper(Services& services, Archive& archive) : services_(services), archive_(archive) {}

  void carry(command::Persist& command);
  // Hands the batch over and tells the core what the store answers. Returns whether it answered.
  bool commit();

 private:
  Services& services_;
  Archive& archive_;
  std::vector<StoreEntry> batch_;  // kept for its memory
};

}  // namespace warmpool::daemon
