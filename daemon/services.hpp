// What the parts of the daemon share. Owns: nothing; Daemon owns all of it.
#pragma once

#include <vector>

#include "daemon/config/configuration.hpp"
#include "daemon/engine.hpp"
#include "daemon/flow.hpp"
#include "daemon/large_bodies.hpp"
#include "daemon/log.hpp"
#include "daemon/names.hpp"
#include "daemon/reactor.hpp"
#include "daemon/server_name.hpp"
#include "daemon/settling.hpp"
#include "daemon/stamp_book.hpp"
#include "daemon/store/store.hpp"
#include "daemon/waiters.hpp"

namespace warmpool::daemon {

struct Services {
  Configuration& configuration;
  Log& log;
  Reactor& reactor;
  Engine& engine;
  Store& store;
  TypeTable& types;
  TenantTable& tenants;
  Waiters& waiters;
  Settling& settling;
  LargeBodies& large;
  StampBook& stamps;
  Flow& flow;

  // Of a type that is new, or served by other classes than before.
  void declare(TypeId type) const {
    engine.step(types.declared(type));
    if (is_configured(type)) configure(type);
  }
  // What holds of it by the configuration.
  void configure(TypeId type) const {
    const auto& name = types.at(type).name;
    engine.step(event::TypeConfigured{type, breaker_of(configuration, name),
                                      task_memory_of(configuration, name)});
  }
  // Whether that is anything.
  bool is_configured(TypeId type) const {
    const auto& name = types.at(type).name;
    return breaker_of(configuration, name).on || task_memory_of(configuration, name).any();
  }

  const Options& options() const { return configuration.pool.values; }
  // In no file: workers that others started brought it.
  bool is_brought(ClassId worker_class) const {
    return configuration.classes[worker_class.value].brought;
  }
  const ClassOptions& options_of(ClassId worker_class) const {
    return configuration.classes[worker_class.value].values;
  }
  // Its workers take what they hold one after the other.
  bool one_runs(ClassId worker_class) const { return options_of(worker_class).concurrency <= 1; }
};

// Of body_bytes: the largest payload or result with any meta, a checkpoint, and a little more, so
// that a payload of one byte too many is refused and does not break the connection.
std::uint32_t frame_bytes_max(const Options& options);
// What welcome says: documents of large pools are longer than any payload may be.
std::uint32_t announced_bytes_max(const Options& options);
inline constexpr std::uint32_t kDocumentBytesMax = 16U << 20;

}  // namespace warmpool::daemon
