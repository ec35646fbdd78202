// All finished tasks that fit, at once.
#pragma once

#include <limits>
#include <optional>
#include <vector>

#include "daemon/store/store.hpp"

namespace warmpool::daemon {

inline std::vector<TaskId> finished(const Store& store, TaskId after, std::uint32_t limit,
                                    std::optional<Verdict> verdict = {},
                                    std::optional<TypeId> type = {}) {
  FinishedScan scan(after, limit, verdict, type);
  store.scan_finished(scan, std::numeric_limits<std::uint32_t>::max());
  return scan.ids.sorted();
}

}  // namespace warmpool::daemon
