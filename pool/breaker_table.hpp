// The breakers that there are, and when the next one that is open half-opens.
// Bounds: one for each type that has its option on.
#pragma once

#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "pool/breaker.hpp"
#include "pool/ids.hpp"

namespace warmpool {

class BreakerTable {
 public:
  Breaker* find(TypeId type) {
    const auto found = breakers_.find(type);
    return found == breakers_.end() ? nullptr : &found->second;
  }
  const Breaker* find(TypeId type) const { return const_cast<BreakerTable*>(this)->find(type); }
  Breaker& add(TypeId type, const BreakerOptions& options, Instant now) {
    return breakers_.emplace(type, Breaker(options, now)).first->second;
  }
  void erase(TypeId type) { breakers_.erase(type); }

  // Order: when one opens, and before one that is open becomes something else.
  void wait_for(TypeId type, Instant until) { due_.emplace(until, type); }
  void stop_waiting(TypeId type, Instant until) {
    const auto [first, last] = due_.equal_range(until);
    for (auto each = first; each != last; ++each) {
      if (each->second == type) return static_cast<void>(due_.erase(each));
    }
  }
  // The time of the first; kNever if none is open.
  Instant next() const { return due_.empty() ? kNever : due_.begin()->first; }
  TypeId first() const { return due_.begin()->second; }

  // Those that opened within the turn.
  std::vector<TypeId> opened;
  // How often each row of kBreakerRows was taken in this life.
  std::array<std::uint64_t, kBreakerRows.size()> row_hits{};

  static auto fields(auto& self) {
    auto& [opened, row_hits, breakers, due] = self;
    return std::tie(opened, row_hits, breakers, due);
  }

 private:
  std::map<TypeId, Breaker> breakers_;
  std::multimap<Instant, TypeId> due_;
};

}  // namespace warmpool
