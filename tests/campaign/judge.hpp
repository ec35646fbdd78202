// Compares what clients and handlers saw with what was promised (I1, I2, I7 of the fault campaign).
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
  std::uint64_t lost = 0, doubles = 0, resurrected = 0, runs = 0, runs_again = 0;
  std::map<Verdict, std::uint64_t> durable_told{};  // by id
};

// `all` entries of all callers; what must not be goes to the report.
Judged judge(const std::vector<const Entry*>& all, const Runs& runs, Report& report);

}  // namespace warmpool::campaign
