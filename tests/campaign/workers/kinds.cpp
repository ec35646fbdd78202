#include <algorithm>

#include "tests/campaign/workers/kind.hpp"

namespace warmpool::campaign {

Kinds all_kinds() {
  Kinds all;
  for (const auto& part :
       {death_kinds, hang_kinds, memory_kinds, escape_kinds, start_kinds, pool_kinds, time_kinds}) {
    for (auto& kind : part()) all.push_back(std::move(kind));
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const auto& a, const auto& b) { return a.id < b.id; });
  return all;
}

}  // namespace warmpool::campaign
