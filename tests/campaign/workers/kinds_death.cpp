// Twelve ways to die, and what the daemon must say of each.
#include <csignal>

#include "tests/campaign/workers/kind.hpp"

namespace warmpool::campaign {
namespace {

constexpr std::uint64_t kFrameBytes = 40;  // of the answer that a worker dies in

void kill_it(pid_t pid) { ::kill(pid, SIGKILL); }

Kind dies(std::string id, std::string fault, std::string payload, std::string cause, int code) {
  Fault one;
  one.payload = std::move(payload);
  one.causes = {cause};
  one.code = code;
  std::string expected = "cause " + cause + " " + std::to_string(code) + ", one crash charged";
  return {.id = std::move(id),
          .fault = std::move(fault),
          .expected = std::move(expected),
          .about = About::Death,
          .run = again(one)};
}

// 1 to all but one byte; with few runs spread over the frame.
void die_in_every_offset(Trial& trial, std::uint64_t runs) {
  const std::uint64_t step = runs < kFrameBytes - 1 ? (kFrameBytes - 1) / runs : 1;
  for (std::uint64_t run = 0; run < runs; ++run) {
    const auto bytes = 1 + run * step % (kFrameBytes - 1);
    trial.suffer({.payload = "frame:" + std::to_string(bytes), .causes = {"exited"}, .code = 1});
  }
}

}  // namespace

Kinds death_kinds() {
  Kinds kinds;
  kinds.push_back({.id = "W01",
                   .fault = "kill -9, idle",
                   .expected = "replaced at once",
                   .about = About::Death,
                   .run = again({.act = kill_it, .code = -SIGKILL})});
  kinds.push_back({.id = "W02",
                   .fault = "kill -9, busy",
                   .expected = "its task runs once more",
                   .about = About::Death,
                   .run = again({.payload = "hold", .act = kill_it, .code = -SIGKILL})});
  kinds.push_back(dies("W03", "null pointer", "null", "signalled", -SIGSEGV));
  kinds.push_back(dies("W03", "abort", "raise:6", "signalled", -SIGABRT));
  kinds.push_back(dies("W03", "exception in a thread", "throw", "signalled", -SIGABRT));
  kinds.push_back(dies("W03", "page that is not there", "bus", "signalled", -SIGBUS));
  kinds.push_back(dies("W03", "SIGFPE", "raise:8", "signalled", -SIGFPE));
  kinds.push_back(dies("W03", "SIGILL", "raise:4", "signalled", -SIGILL));
  kinds.push_back(dies("W03", "SIGTERM by itself", "raise:15", "signalled", -SIGTERM));
  kinds.push_back(dies("W03", "exit(0) in a task", "exit:0", "exited", 0));
  kinds.push_back(dies("W03", "exit(1)", "exit:1", "exited", 1));
  kinds.push_back(dies("W03", "_exit(9)", "_exit:9", "exited", 9));
  kinds.push_back({.id = "W04",
                   .fault = "dies within its answer, each offset",
                   .expected = "no part of an answer counts",
                   .about = About::Death,
                   .run = die_in_every_offset});
  kinds.push_back(dies("W24", "with 4 orphans that end with it", "orphans:4", "exited", 42));
  return kinds;
}

}  // namespace warmpool::campaign
