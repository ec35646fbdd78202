// Many equal tasks through one client, and how long each took.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "client/cli/interrupts.hpp"
#include "client/client.hpp"

namespace warmpool::cli {

struct Load {
  std::string type = "echo";
  std::uint64_t tasks = 10'000, in_flight = 64, payload_bytes = 64;
  Durability durability = Durability::Full;
};

struct Measured {
  std::vector<std::int64_t> took_ns;  // from submit to result, shortest first
  std::chrono::nanoseconds elapsed{};
  std::uint64_t failed = 0;
};

// As documents show a ratio: to four places.
double rounded(double value);

// Blocks: until all have settled. Errors: the first refusal, the connection for good, an interrupt.
Result<Measured> run_load(client::Client& client, const Load& load,
                          Interrupts* interrupts = nullptr);

}  // namespace warmpool::cli
