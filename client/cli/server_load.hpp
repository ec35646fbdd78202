// How fast a queue server takes jobs, and has them done.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "client/cli/bench_servers.hpp"
#include "client/cli/interrupts.hpp"

namespace warmpool::cli {

struct Accepting {
  double per_second = 0;
  std::int64_t p50_ns = 0;  // from request to answer; only of one outstanding
};

// Blocks: until all are answered, or those that were asked in the first 2 s. Errors: the first
// answer that says no, an interrupt.
Result<Accepting> measure_accepting(Pipeline& client, const std::string& request,
                                    std::uint64_t jobs, std::uint64_t outstanding,
                                    Interrupts& interrupts);

// Jobs a second from put to result, with two workers that take and answer one job at a time.
Result<double> measure_cycle(const PeerServer& server, const std::string& socket,
                             std::uint64_t jobs, std::uint64_t outstanding, Interrupts& interrupts);

// A connection that has said `greeting` and was answered.
Result<Pipeline> greeted(const std::string& socket, ReadAnswers read,
                         const std::vector<std::string>& greeting);

}  // namespace warmpool::cli
