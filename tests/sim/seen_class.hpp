// What the oracle remembers of a class of workers.
#pragma once

#include <cstdint>
#include <map>

#include "pool/ids.hpp"
#include "pool/options.hpp"
#include "tests/sim/seen_recovery.hpp"

namespace warmpool::sim {

// Who of a class fails tasks of a type.
struct SeenPeers {
  WorkerId doer{}, failer{};
  bool many_doers = false, many_failers = false;
  bool only_it = false;  // who fails it first failed what another had done
};

struct SeenClass {
  ClassOptions options{};
  std::uint64_t target = 0, parked = 0;
  std::uint64_t unparking = 0;  // told of the step in progress, and not started yet
  SeenRecovery recovery{};
  bool paused = false;
  bool declared = false;  // in this life
  bool oversized_told = false;
  std::map<TypeId, SeenPeers> peers{};
  bool spares = false;                 // had more than it must have, at the last Tick
  Instant needed_at{}, declared_at{};  // something waited that it could run; its options came
  std::uint64_t turns = 0;             // ordinary tasks given to free workers under one strategy
};

}  // namespace warmpool::sim
