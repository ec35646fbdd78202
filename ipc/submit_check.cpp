// What a client may ask of a task. Not part of decoding: a wish that cannot be granted is refused
// by name, and the connection lives on.
#include "ipc/codec.hpp"
#include "ipc/fault.hpp"

namespace warmpool::ipc {
namespace {

constexpr std::uint64_t kPriorityMax = 100;
constexpr std::uint64_t kRetriesMax = 1'000;
constexpr std::size_t kKeyBytesMax = 255;

// `least`: 0 where no time at all is a sensible wish.
Result<void> check_time(std::string_view name, const std::optional<Duration>& time,
                        std::int64_t least) {
  if (!time || (time->ns >= least && *time <= kDurationMax)) return {};
  return refusal(Refusal::BadTime, std::string(name) + " is " + std::to_string(time->ns) +
                                       " ns; give more than 0 and at most 10 years");
}

Result<void> check_count(std::string_view name, const std::optional<std::uint64_t>& count,
                         std::uint64_t most, Refusal code) {
  if (!count || *count <= most) return {};
  return refusal(code, std::string(name) + " is " + std::to_string(*count) + "; the most is " +
                           std::to_string(most));
}

Result<void> check_times(const SubmitMeta& meta) {
  if (auto good = check_time("timeout", meta.timeout, 1); !good) return good;
  if (auto good = check_time("deadline", meta.deadline, 1); !good) return good;
  if (auto good = check_time("expiry", meta.expiry, 1); !good) return good;
  if (auto good = check_time("delay", meta.delay, 0); !good) return good;
  if (meta.run_at && meta.run_at->ns <= 0) {
    return refusal(Refusal::BadTime, "run_at is before 1970");
  }
  if (meta.run_at && meta.delay) {
    return refusal(Refusal::BadArgument, "delay and run_at exclude each other; give one");
  }
  return {};
}

}  // namespace

Result<void> check_submit(const SubmitMeta& meta) {
  if (auto good = check_count("priority", meta.priority, kPriorityMax, Refusal::BadPriority);
      !good) {
    return good;
  }
  if (auto good = check_times(meta); !good) return good;
  if (auto good = check_count("retries", meta.retries, kRetriesMax, Refusal::BadRetries); !good) {
    return good;
  }
  if (auto good = check_count("crashes_max", meta.crashes_max, kRetriesMax, Refusal::BadRetries);
      !good) {
    return good;
  }
  if (meta.key && (meta.key->empty() || meta.key->size() > kKeyBytesMax)) {
    return refusal(Refusal::BadKey, "the key has " + std::to_string(meta.key->size()) +
                                        " bytes; a key is 1 to 255 bytes of UTF-8");
  }
  return {};
}

}  // namespace warmpool::ipc
