// Why a request is refused: one table of codes, names and what to do next. Numbers by purpose:
// 1xx try again later, 2xx the request is wrong, 3xx no such thing, 4xx not allowed, 5xx protocol.
#pragma once

#include "pool/words.hpp"

namespace warmpool {

enum class Refusal : std::uint16_t {
  QueueFull = 101, BytesFull = 102, Draining = 103, Stopping = 104, StoreUnavailable = 105,
  ConnectionsFull = 106, InFlightFull = 107,
  UnknownType = 201, BadPriority = 202, BadTime = 203, BadRetries = 204, PayloadTooLarge = 205,
  KeyConflict = 206, BadKey = 207, BadArgument = 208, SizeOutOfRange = 209, RoundsExhausted = 210,
  NoSuchTask = 301, NoSuchWorker = 302, NoSuchClass = 303, NotDead = 304, AlreadySettled = 305,
  NoResult = 306, NotHeld = 307,
  NotAllowed = 401, NotYours = 402,
  BadFrame = 501, BadVersion = 502, FrameTooLarge = 503, BadMeta = 504, UnknownKind = 505,
  HelloExpected = 506, TooSlow = 507, BadUtf8 = 509,
};

template <>
struct Words<Refusal> {
  static constexpr std::array<Word<Refusal>, 34> rows{{
      {Refusal::QueueFull, "queue-full", "too many tasks wait (tasks_max); try again after the time given"},
      {Refusal::BytesFull, "bytes-full", "payloads of waiting tasks fill payload_bytes_total_max; try again later"},
      {Refusal::Draining, "draining", "the pool is drained and takes nothing new; undo with: warmpool drain --undo"},
      {Refusal::Stopping, "stopping", "the pool stops; submit again when it is back"},
      {Refusal::StoreUnavailable, "store-unavailable", "the store takes nothing; see: warmpool status"},
      {Refusal::ConnectionsFull, "connections-full", "too many connections (connections_max); close some or raise it"},
      {Refusal::InFlightFull, "in-flight-full", "this connection has too many open requests; wait for replies"},
      {Refusal::UnknownType, "unknown-type", "no worker class serves this type; name one that is served, or set types_later"},
      {Refusal::BadPriority, "bad-priority", "a priority is a whole number from 0 (first) to 100 (last)"},
      {Refusal::BadTime, "bad-time", "a time is out of range: more than 0 and at most 10 years"},
      {Refusal::BadRetries, "bad-retries", "retries are a whole number from 0 to 1000"},
      {Refusal::PayloadTooLarge, "payload-too-large", "the payload is over payload_bytes_max; send a path instead, or raise it"},
      {Refusal::KeyConflict, "key-conflict", "this key was used with another type or payload; use another key"},
      {Refusal::BadKey, "bad-key", "a key is 1 to 255 bytes of UTF-8"},
      {Refusal::BadArgument, "bad-argument", "an argument is missing or of the wrong kind"},
      {Refusal::SizeOutOfRange, "size-out-of-range", "the size is outside the minimum and maximum of the class"},
      {Refusal::RoundsExhausted, "rounds-exhausted", "this task was retried 65535 times; submit it anew"},
      {Refusal::NoSuchTask, "no-such-task", "no task has this id, or it settled and was cleaned up"},
      {Refusal::NoSuchWorker, "no-such-worker", "no slot has this name; see: warmpool workers"},
      {Refusal::NoSuchClass, "no-such-class", "no worker class has this name; see: warmpool config show"},
      {Refusal::NotDead, "not-dead", "only a dead letter can be retried or removed; see: warmpool dlq ls"},
      {Refusal::AlreadySettled, "already-settled", "the task has settled; nothing can be cancelled"},
      {Refusal::NoResult, "no-result", "the task has not settled; wait for it with: warmpool wait ID"},
      {Refusal::NotHeld, "not-held", "the task is not held for a person"},
      {Refusal::NotAllowed, "not-allowed", "your user may not do this; see roles in the configuration"},
      {Refusal::NotYours, "not-yours", "this belongs to another user"},
      {Refusal::BadFrame, "bad-frame", "the frame breaks the protocol; see docs/protocol.md"},
      {Refusal::BadVersion, "bad-version", "no common protocol version; update the older side"},
      {Refusal::FrameTooLarge, "frame-too-large", "the frame is over frame_bytes_max"},
      {Refusal::BadMeta, "bad-meta", "the meta part is not the array that this kind of frame has"},
      {Refusal::UnknownKind, "unknown-kind", "this kind of frame is not known or not sent in this direction"},
      {Refusal::HelloExpected, "hello-expected", "the first frame must be a hello"},
      {Refusal::TooSlow, "too-slow", "a frame was begun and not finished in time, or replies were not read"},
      {Refusal::BadUtf8, "bad-utf8", "a text is not valid UTF-8"},
  }};
};

}  // namespace warmpool
