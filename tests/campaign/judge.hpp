// Compares what clients and handlers saw with what was promised (I1, I2, I3, I7 of the fault
// campaign).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/campaign/ledger.hpp"
#include "tests/campaign/report.hpp"

namespace warmpool::campaign {

struct Judged {
  std::uint64_t keys = 0, acknowledged = 0, durable = 0, in_memory = 0;  // tasks, by id
  std::uint64_t rounds_again = 0;  // beyond the first of a task
  std::uint64_t lost = 0, doubles = 0, resurrected = 0, runs = 0, runs_again = 0;
  std::map<Verdict, std::uint64_t> durable_told{};  // by id
};

// Ends of processes that the campaign caused or saw. Order: noted before the next life begins.
struct Deaths {
  struct Moment {
    std::uint64_t from = 0, until = 0;  // nanoseconds
  };
  std::vector<Moment> lives{}, workers{};
};

// `all` entries of all callers; what must not be goes to the report. With `deaths`: also runs and
// charges beyond what each task had a reason for.
Judged judge(const std::vector<const Entry*>& all, const Runs& runs, Report& report,
             const Deaths* deaths = nullptr);

}  // namespace warmpool::campaign
