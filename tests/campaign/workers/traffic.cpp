#include "tests/campaign/workers/traffic.hpp"

#include <poll.h>

namespace warmpool::campaign {
namespace {

constexpr std::chrono::seconds kLongest{120};  // a daemon may be stopped for a minute

}  // namespace

Traffic::Traffic(const std::string& socket, std::chrono::milliseconds pause)
    : pause_(pause), sender_(socket, "traffic"), thread_([this] { run(); }) {}

void Traffic::end() {
  ending_ = true;
  if (thread_.joinable()) thread_.join();
}

Times Traffic::times_between(std::uint64_t from, std::uint64_t to) const {
  Times times;
  for (const auto& took : took_) {
    if (took.submitted_at >= from && took.submitted_at < to) {
      times.add_between(took.submitted_at, took.told_at);
    }
  }
  return times;
}

void Traffic::run() {
  while (!ending_) {
    const auto at = sender_.submit("other", "1");
    if (const Sent* sent = sender_.settled(at, kLongest)) {
      took_.push_back({sent->submitted_at, sent->entry.told.back().at});
    } else if (!sender_.oddities().empty()) {
      return;
    }
    ::poll(nullptr, 0, static_cast<int>(pause_.count()));
  }
}

Mass::Mass(const std::string& socket) : sender_(socket, "mass"), thread_([this] { run(); }) {}

void Mass::end() {
  ending_ = true;
  if (thread_.joinable()) thread_.join();
}

void Mass::run() {
  constexpr std::uint64_t kAtOnce = 100;
  constexpr int kPauseMs = 200;
  while (!ending_ && sender_.oddities().empty()) {
    done_ += sender_.flood("mass", kAtOnce);
    ::poll(nullptr, 0, kPauseMs);
  }
}

}  // namespace warmpool::campaign
