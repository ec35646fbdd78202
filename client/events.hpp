// What the daemon says about tasks, as values that own what they hold.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "ipc/large_body.hpp"
#include "pool/ids.hpp"
#include "pool/time.hpp"
#include "pool/words.hpp"

namespace warmpool::client {

// Names one call of submit, await or cancel; never reused in the life of a Client.
using Ticket = Id<struct TicketTag, std::uint64_t>;

// Order: before anything else about the ticket. It comes again, with another id, when the daemon
// lost the task with its memory, or cancelled it as we seemed to be gone, and took it anew.
struct Accepted {
  Ticket ticket{};
  TaskId task{};
  bool duplicate = false;  // an earlier task has this key
  // Full: it is synced to disk; Relaxed: written, and synced within a second; None: in memory.
  Durability durability = Durability::Full;
};

// The last event of its ticket. `code`: a number of Refusal, or one that a later version added.
struct Refused {
  Ticket ticket{};
  TaskId task{};  // 0 for a submit that was not accepted
  std::uint16_t code = 0;
  std::string text{};
  Duration retry_after{};  // 0: trying again makes no sense
};

// The last event of its ticket.
struct Settled {
  Ticket ticket{};
  TaskId task{};
  std::uint16_t round = 0, attempt = 0;
  Verdict verdict = Verdict::Done;
  EndCause cause = EndCause::Done;
  std::uint16_t failures = 0, crashes = 0;  // charged
  Content content = Content::Bytes;
  std::string result{};                           // or the last error
  std::shared_ptr<const ipc::LargeView> large{};  // set: the result, which came by descriptor
  // The result, wherever it is, or the last error.
  std::string_view text() const { return large ? ipc::text_of(large->bytes()) : result; }
};

struct Progressed {
  Ticket ticket{};
  TaskId task{};
  std::uint16_t round = 0, attempt = 0;
  std::uint16_t permille = 0;
  std::string text{};
  // What there is of the result so far, where the handler gives that: each stands for the whole.
  // Empty: this report has none.
  std::string partial{};
  Content content = Content::Bytes;  // of it
};

// The last event of the ticket of a cancel.
struct Cancelled {
  Ticket ticket{};
  TaskId task{};
  Rung rung = Rung::NotRunning;
  TaskState state = TaskState::Cancelled;
  bool kept = true;  // false: not on disk yet, which takes nothing; a daemon that dies forgets it
};

// The last event of its ticket: the connection ended before the answer came and asking again could
// do it twice (no key), or no daemon came back. The task may run, or may never have been accepted.
struct Unknown {
  Ticket ticket{};
  TaskId task{};  // 0: not even its acceptance is known
  std::string text{};
};

// Of the ticket of events(): something that happened in the pool, as a JSON document. `gap`: what
// is missing before the next one, because this client read too slowly or began too late.
struct Happened {
  Ticket ticket{};
  std::uint64_t number = 0;  // rises, also over restarts of the daemon
  bool gap = false;
  std::string document{};
};

// The last event of the ticket of events() without `follow`.
struct HappenedAll {
  Ticket ticket{};
};

using Event =
    std::variant<Accepted, Refused, Settled, Progressed, Cancelled, Unknown, Happened, HappenedAll>;

inline Ticket ticket_of(const Event& event) {
  return std::visit([](const auto& one) { return one.ticket; }, event);
}

}  // namespace warmpool::client
