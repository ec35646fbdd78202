// Waiting is a poll on the cancel descriptor and no condition variable: the same descriptor then
// serves handlers that poll for their own.
#include "worker/context.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <poll.h>
#include <system_error>

#include "worker/attempt.hpp"
#include "worker/cancel_signal.hpp"

namespace warmpool::worker {

Context::Context(const Attempt& attempt, const CancelSignal& cancel, ProgressSink& sink,
                 Clock::time_point started)
    : attempt_(attempt), cancel_(cancel), sink_(sink), started_(started) {}

const AttemptKey& Context::key() const { return attempt_.key; }
TaskId Context::task() const { return attempt_.key.task; }
std::uint16_t Context::round() const { return attempt_.key.round; }
std::uint16_t Context::attempt() const { return attempt_.key.attempt; }
std::uint64_t Context::token() const { return attempt_.key.token; }
std::string_view Context::type() const { return attempt_.type; }
int Context::payload_fd() const { return attempt_.descriptor ? attempt_.descriptor.get() : -1; }

ipc::Bytes Context::payload() const {
  if (attempt_.large) return attempt_.large->bytes();
  if (attempt_.shared.size() != 0) return attempt_.shared.bytes();
  return ipc::bytes_of(attempt_.payload);
}
std::string_view Context::text() const { return ipc::text_of(payload()); }
Content Context::content() const { return attempt_.content; }
std::uint16_t Context::failures() const { return attempt_.failures; }
std::uint16_t Context::crashes() const { return attempt_.crashes; }
std::string_view Context::directory() const { return attempt_.directory; }

std::string Context::workdir() const {
  if (!attempt_.directory.empty()) return attempt_.directory;
  std::error_code failed;
  auto path = std::filesystem::current_path(failed);
  return failed ? std::string() : path.string();
}

std::chrono::nanoseconds Context::timeout() const {
  return std::chrono::nanoseconds(attempt_.timeout.ns);
}

Context::Clock::time_point Context::deadline() const {
  if (timeout().count() <= 0) return attempt_.deadline;
  return std::min(attempt_.deadline, started_ + timeout());
}

bool Context::cancelled() const { return cancel_.raised(); }

int Context::cancel_fd() const { return cancel_.fd(); }

bool Context::wait_for(std::chrono::nanoseconds duration) const {
  const auto end = Clock::now() + duration;
  pollfd fd{cancel_.fd(), POLLIN, 0};
  while (!cancelled()) {
    const auto left = std::chrono::nanoseconds(end - Clock::now());
    if (left.count() <= 0) return false;
    const auto whole = std::chrono::duration_cast<std::chrono::seconds>(left);
    const timespec limit{.tv_sec = whole.count(), .tv_nsec = (left - whole).count()};
    ::ppoll(&fd, 1, &limit, nullptr);
  }
  return true;
}

void Context::progress(unsigned permille, std::string_view text) {
  const auto done = static_cast<std::uint16_t>(std::min(permille, 1000U));
  sink_.report({.permille = done, .text = std::string(text), .partial = {}});
}

Result<void> Context::partial(unsigned permille, std::string_view bytes, Content content,
                              std::string_view text) {
  const bool fits = !bytes.empty() && bytes.size() <= ipc::kPartialBytesMax;
  if (!fits || !sink_.passes_partials()) {
    progress(permille, text);
    if (!fits) {
      return Error{EMSGSIZE, "the partial result has " + std::to_string(bytes.size()) +
                                 " bytes, 1 to " + std::to_string(ipc::kPartialBytesMax) +
                                 " are passed on; pass on a part"};
    }
    return Error{ENOTSUP, "this daemon passes no partial results on; update it"};
  }
  sink_.report({.permille = static_cast<std::uint16_t>(std::min(permille, 1000U)),
                .text = std::string(text),
                .partial = std::string(bytes),
                .content = content});
  return {};
}

Result<void> Context::checkpoint(std::string_view bytes, Content content) {
  if (bytes.size() > ipc::kCheckpointBytesMax) {
    return Error{EMSGSIZE, "the checkpoint has " + std::to_string(bytes.size()) +
                               " bytes, at most " + std::to_string(ipc::kCheckpointBytesMax) +
                               " are kept; keep a path to the rest in it"};
  }
  attempt_.checkpoint_wanted.store(false, std::memory_order_relaxed);
  if (sink_.save(bytes, content)) return {};
  return Error{ENOTSUP, "this daemon keeps no checkpoints; update it"};
}

std::string_view Context::checkpointed() const { return attempt_.checkpoint; }
Content Context::checkpointed_content() const { return attempt_.checkpoint_content; }

bool Context::checkpoint_wanted() const {
  return attempt_.checkpoint_wanted.load(std::memory_order_relaxed);
}

void Context::gauge(std::string_view name, std::optional<std::int64_t> value) {
  WorkerReport report;
  report.gauge = name;
  report.value = value;
  sink_.say(report);
}

void Context::degraded(std::string_view reason) {
  WorkerReport report;
  report.reason = reason;
  report.degraded = true;
  sink_.say(report);
}

void Context::well() {
  WorkerReport report;
  report.well = true;
  sink_.say(report);
}

}  // namespace warmpool::worker
