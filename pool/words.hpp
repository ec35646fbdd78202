// The closed vocabularies that core, wire and people share. Each is one table: the numbers go over
// the wire and into the store and never change; the names are what people read and type.
#pragma once

#include <array>
#include <cstdint>

#include "pool/word.hpp"
#include "pool/worker_words.hpp"

namespace warmpool {

// What a handler says of its run.
enum class Outcome : std::uint8_t { Done, Failed, FailedForGood, RetryAfter, Held };
template <>
struct Words<Outcome> {
  static constexpr std::array<Word<Outcome>, 5> rows{{
      {Outcome::Done, "done", "finished, with a result"},
      {Outcome::Failed, "failed", "failed; may be tried again within its retries"},
      {Outcome::FailedForGood, "failed-for-good",
       "failed; no retry can help: a dead letter at once"},
      {Outcome::RetryAfter, "retry-after", "failed; to be tried again after the time given"},
      {Outcome::Held, "held", "waits for a person to release it"},
  }};
};

// How a round of a task ended.
enum class Verdict : std::uint8_t { Done, Dead, Cancelled, Expired, Skipped };
template <>
struct Words<Verdict> {
  static constexpr std::array<Word<Verdict>, 5> rows{{
      {Verdict::Done, "done", "its handler finished it"},
      {Verdict::Dead, "dead", "out of budget or failed for good; kept as a dead letter"},
      {Verdict::Cancelled, "cancelled", "somebody cancelled it"},
      {Verdict::Expired, "expired", "it waited longer than its expiry or missed its deadline"},
      {Verdict::Skipped, "skipped", "a task it depends on did not succeed"},
  }};
};

enum class TaskState : std::uint8_t {
  Recording,
  Ready,
  Delayed,
  Blocked,
  Held,
  Running,
  Done,
  Dead,
  Cancelled,
  Expired,
  Skipped
};
template <>
struct Words<TaskState> {
  static constexpr std::array<Word<TaskState>, 11> rows{{
      {TaskState::Recording, "recording", "waits for the store to keep its last change"},
      {TaskState::Ready, "ready", "may start as soon as a worker is free"},
      {TaskState::Delayed, "delayed", "waits for a time: a delay, a run-at or a retry"},
      {TaskState::Blocked, "blocked", "waits for other tasks"},
      {TaskState::Held, "held", "waits for a reason that somebody or something must lift"},
      {TaskState::Running, "running", "is with a worker"},
      {TaskState::Done, "done", "settled: done"},
      {TaskState::Dead, "dead", "settled: in the dead letter queue"},
      {TaskState::Cancelled, "cancelled", "settled: cancelled"},
      {TaskState::Expired, "expired", "settled: expired"},
      {TaskState::Skipped, "skipped", "settled: skipped"},
  }};
};

// Why an attempt ended. The middle column of R2's budgets: what each costs is in budget.hpp.
enum class EndCause : std::uint8_t {
  Done,
  Failed,
  FailedForGood,
  RetryAfter,
  Held,
  Timeout,
  Crashed,
  Memory,
  Hung,
  Suspect,
  Recalled,
  Drained,
  Interrupted,
  Cancelled,
  NeverStarted,
  Deadline,
  Expired,
  Dropped
};
template <>
struct Words<EndCause> {
  static constexpr std::array<Word<EndCause>, 18> rows{{
      {EndCause::Done, "done", "the handler finished"},
      {EndCause::Failed, "failed", "the handler failed"},
      {EndCause::FailedForGood, "failed-for-good", "the handler said that no retry can help"},
      {EndCause::RetryAfter, "retry-after", "the handler asked for another try later"},
      {EndCause::Held, "held", "the handler handed it to a person"},
      {EndCause::Timeout, "timeout", "it ran longer than its timeout"},
      {EndCause::Crashed, "crashed", "its worker died while it ran"},
      {EndCause::Memory, "memory",
       "its worker was killed for memory while it ran, or what it had started was"},
      {EndCause::Hung, "hung",
       "its worker was stopped while it ran, or it made no progress for progress_timeout"},
      {EndCause::Suspect, "suspect", "its worker died with several tasks in hand; nothing charged"},
      {EndCause::Recalled, "recalled", "taken back before it started; nothing charged"},
      {EndCause::Drained, "drained", "its worker was drained; nothing charged"},
      {EndCause::Interrupted, "interrupted",
       "the daemon ended while it ran, or had no room for its result"},
      {EndCause::Cancelled, "cancelled", "cancelled while it ran"},
      {EndCause::NeverStarted, "never-started",
       "its worker ended before it began; nothing charged"},
      {EndCause::Deadline, "deadline", "the deadline of the whole task passed"},
      {EndCause::Expired, "expired", "it waited longer than its expiry"},
      {EndCause::Dropped, "dropped",
       "its client left and had asked for that to cancel it, or it was refused because the disk "
       "could not take it"},
  }};
};

// What an ended attempt is charged to (requirements R2).
enum class Charge : std::uint8_t { Nothing, Failure, Crash, Interruption };
template <>
struct Words<Charge> {
  static constexpr std::array<Word<Charge>, 4> rows{{
      {Charge::Nothing, "nothing", "a free end"},
      {Charge::Failure, "failure", "counts against retries"},
      {Charge::Crash, "crash", "counts against crashes_max"},
      {Charge::Interruption, "interruption", "counts against interruptions_max"},
  }};
};

// Why a task or a lane waits. Bit numbers.
enum class Hold : std::uint8_t { Paused, Breaker, Rate, Lock, Dependency, Memory, Suspect, Manual };
template <>
struct Words<Hold> {
  static constexpr std::array<Word<Hold>, 8> rows{{
      {Hold::Paused, "paused", "its type, its class or the pool is paused; resume it"},
      {Hold::Breaker, "breaker", "its type fails too often; opens again by itself"},
      {Hold::Rate, "rate", "its rate limit is used up for now"},
      {Hold::Lock, "lock", "a lock it needs is taken"},
      {Hold::Dependency, "dependency", "a task it depends on has not settled"},
      {Hold::Memory, "memory", "its memory does not fit beside what runs"},
      {Hold::Suspect, "suspect", "it may have killed a worker; runs next, alone on a worker"},
      {Hold::Manual, "manual", "held for a person; release or cancel it"},
  }};
};

// How surely an accepted task is kept.
enum class Durability : std::uint8_t { Full, Relaxed, None };
template <>
struct Words<Durability> {
  static constexpr std::array<Word<Durability>, 3> rows{{
      {Durability::Full, "full", "acknowledged after it is on disk"},
      {Durability::Relaxed, "relaxed", "acknowledged after it is written, before it is synced"},
      {Durability::None, "none", "kept in memory only"},
  }};
};

// What a client gave an idempotency key for.
enum class KeyUse : std::uint8_t { Lasting, Reconnect };
template <>
struct Words<KeyUse> {
  static constexpr std::array<Word<KeyUse>, 2> rows{{
      {KeyUse::Lasting, "lasting", "remembered for keys_age_max after its task was done"},
      {KeyUse::Reconnect, "reconnect",
       "to submit again after a lost connection: forgotten when it is received, or "
       "reconnect_age_max after its task settled"},
  }};
};

// What a payload or a result is, for people and programs that print it.
enum class Content : std::uint8_t { Bytes, Utf8, Json, Msgpack };
template <>
struct Words<Content> {
  static constexpr std::array<Word<Content>, 4> rows{{
      {Content::Bytes, "bytes", "opaque bytes"},
      {Content::Utf8, "utf8", "UTF-8 text"},
      {Content::Json, "json", "a JSON document"},
      {Content::Msgpack, "msgpack", "a msgpack object"},
  }};
};

// Which step made a running attempt end that was told to.
enum class Rung : std::uint8_t { NotRunning, Frame, Term, Kill };
template <>
struct Words<Rung> {
  static constexpr std::array<Word<Rung>, 4> rows{{
      {Rung::NotRunning, "not-running", "it was not with a worker"},
      {Rung::Frame, "frame", "its handler heeded the cancel frame"},
      {Rung::Term, "term", "its worker ended at SIGTERM"},
      {Rung::Kill, "kill", "its worker was killed"},
  }};
};

}  // namespace warmpool
