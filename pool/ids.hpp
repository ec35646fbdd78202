// Identities. Strong types, so that a task can never be taken for a worker.
#pragma once

#include <compare>
#include <cstdint>

namespace warmpool {

template <class Tag, class Rep>
struct Id {
  Rep value{};
  friend constexpr auto operator<=>(const Id&, const Id&) = default;
  constexpr explicit operator bool() const { return value != Rep{}; }
};

// Life number << 40 | counter, never reused in the life of a store; 0 is no task.
using TaskId = Id<struct TaskTag, std::uint64_t>;
// One process life: counter << 16 | slot index, never reused in one life of the daemon; 0 is none.
using WorkerId = Id<struct WorkerTag, std::uint64_t>;
// One connection; never reused in one life of the daemon; 0 is none.
using ClientId = Id<struct ClientTag, std::uint64_t>;
// Chosen by a client, echoed in the reply.
using RequestId = Id<struct RequestTag, std::uint64_t>;
// A worker that asks for a place; chosen by the daemon, echoed in the answer.
using RegistrationId = Id<struct RegistrationTag, std::uint64_t>;
// A record given to the store, in order from 1.
using RecordNumber = Id<struct RecordTag, std::uint64_t>;
// Interned by the daemon; dense from 0.
using TypeId = Id<struct TypeTag, std::uint32_t>;
using TenantId = Id<struct TenantTag, std::uint32_t>;
using ClassId = Id<struct ClassTag, std::uint16_t>;
inline constexpr ClassId kNoClass{0xffff};
// A place in the table of slots of the whole pool; dense from 0, reused after the slot is gone.
using SlotId = Id<struct SlotTag, std::uint16_t>;

// One run of a task on one worker. Two keys are equal only for the same run: `token` is a keyed
// hash of the rest that no worker can guess, so a late or foreign result is refused.
struct AttemptKey {
  TaskId task;
  std::uint16_t round = 0;    // from 1
  std::uint16_t attempt = 0;  // from 1 in each round
  std::uint64_t token = 0;
  friend constexpr auto operator<=>(const AttemptKey&, const AttemptKey&) = default;
};

}  // namespace warmpool
