// What is kept of a worker that ended badly, or of an attempt that had to be ended: the cause in
// one sentence, what to do, and what its process looked like before. docs/cli.md (autopsy) shows
// one, docs/protocol.md (section 6) has its members.
#pragma once

#include <memory>
#include <string>

#include "daemon/worker_places.hpp"
#include "daemon/worker_process.hpp"

namespace warmpool::daemon {

// What a handler said of its failure. `error`: its whole text. `out_of_memory`: the kernel killed
// for memory what it had started. `ungiven`: the worker never heard of it. `no_room`: it was done,
// and the daemon could not take its result.
struct SaidFailure {
  Outcome outcome = Outcome::Failed;
  std::string_view error;
  bool out_of_memory = false;
  bool ungiven = false;
  bool no_room = false;
};

// `exit`: null while the process lives. `cause`: of the worker's end; of an attempt that ended
// before it came to that: Timeout or Hung. `ours`: the daemon ended it.
struct AutopsyCase {
  const WorkerProcess& worker;
  const Exit* exit = nullptr;
  ExitCause cause{};
  bool ours = false;
  const InHand* attempt = nullptr;  // null: it was idle, or the case is the worker's
  bool stays = false;               // it was killed and does not go
};

// Why, in one sentence: "worker-0 (pid 12) was ended by signal 11 (SIGSEGV), and not by warmpool".
std::string cause_sentence(const std::string& name, const AutopsyCase& one);

// A JSON object. Bounds: kAutopsyBytesMax; what is longest goes first (output, descriptors,
// threads).
std::string autopsy_of(const Services& services, const WorkerPlaces& places,
                       const AutopsyCase& one);

// What it looks like now. Null: it is gone.
std::shared_ptr<const Portrait> portrait_of(const Services& services, const WorkerProcess& worker,
                                            std::string when);

// Why it ended, as the core will say: the first order counts.
ExitCause cause_of(const WorkerProcess& worker, const Exit& exit);

// Of one that has ended, or of what it had in hand. Empty: there is nothing to explain.
std::string autopsy_of_end(const Services& services, const WorkerPlaces& places,
                           const WorkerProcess& worker, const Exit& exit,
                           const InHand* attempt = nullptr);

// What goes with the record of an attempt that failed: why, its last lines, and its autopsy (empty:
// none).
Attachment failure_attachment(std::string_view why, std::vector<std::string> output,
                              std::string autopsy);

// Of an attempt that was told to end because its time was over, and did: what it was at by then. Of
// one that failed by itself: what it said, and of a command (type exec) how it ended. Empty: it was
// cancelled, or waits for a person.
std::string autopsy_of_answer(const Services& services, const WorkerPlaces& places,
                              const WorkerProcess& worker, const InHand& attempt,
                              const SaidFailure& said);

bool is_over_time(EndCause cause);

// Whether there is anything to explain: an end that was asked for is none.
bool is_worth_autopsy(const WorkerProcess& worker, ExitCause cause);

}  // namespace warmpool::daemon
