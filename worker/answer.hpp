// What a handler says of its run.
#pragma once

#include <chrono>
#include <string>
#include <utility>

#include "pool/words.hpp"

namespace warmpool::worker {

// Bounds: a result over the daemon's result_bytes_max fails the task for good; an error text is cut
// at kErrorBytesMax, and bytes in it that are not UTF-8 are replaced.
struct Answer {
  Outcome outcome = Outcome::Done;
  std::string body;  // the result, or the error
  Content content = Content::Bytes;
  std::chrono::nanoseconds retry_after{};  // of Outcome::RetryAfter
};

inline constexpr std::size_t kErrorBytesMax = 64 * 1024;

inline Answer done(std::string result = {}, Content content = Content::Bytes) {
  return {Outcome::Done, std::move(result), content, {}};
}
// It may be tried again, within its retries.
inline Answer failed(std::string text) {
  return {Outcome::Failed, std::move(text), Content::Utf8, {}};
}
// No retry can help: a dead letter at once.
inline Answer failed_for_good(std::string text) {
  return {Outcome::FailedForGood, std::move(text), Content::Utf8, {}};
}
// A failure too, tried again when `delay` has passed. Bounds: 0 to ten years; others are clamped.
inline Answer retry_after(std::chrono::nanoseconds delay, std::string text) {
  return {Outcome::RetryAfter, std::move(text), Content::Utf8, delay};
}
// Waits until a person releases it.
inline Answer held(std::string text) { return {Outcome::Held, std::move(text), Content::Utf8, {}}; }

}  // namespace warmpool::worker
