// Where the time of a task goes: how long each hop of its way took, of many tasks.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "client/stamps.hpp"

namespace warmpool::cli {

// Of the tasks whose ends of this hop are both known.
struct Hop {
  std::string_view name, where;
  std::uint64_t tasks = 0;
  std::int64_t p50_ns = 0, p99_ns = 0, mean_ns = 0;
};

// In the order of the way; the last is the whole of it.
std::vector<Hop> hops_of(std::span<const client::TaskStamps> tasks);

struct HopsOfLoad {
  std::uint64_t in_flight = 0;
  std::vector<Hop> hops;
};

// A row for each hop, columns for each load. Order: at least one load.
std::string hops_table(const std::vector<HopsOfLoad>& loads, bool bold);
// [{"in_flight":1,"hops":[{"hop":"handler","where":"worker","tasks":9,"p50_ns":1,...}]}]
std::string hops_json(const std::vector<HopsOfLoad>& loads);

}  // namespace warmpool::cli
