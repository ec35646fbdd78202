#include "tests/campaign/ledger.hpp"

#include <chrono>
#include <fcntl.h>
#include <fstream>
#include <unistd.h>

namespace warmpool::campaign {

std::uint64_t monotonic_nanoseconds() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(since).count());
}

Ledger::Ledger(const std::string& directory)
    : runs_path_(directory + "/ran"),
      ends_path_(directory + "/ended"),
      seen_(::open((directory + "/seen").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) {
  std::ofstream(runs_path_, std::ios::trunc);
  std::ofstream(ends_path_, std::ios::trunc);
}

Ledger::~Ledger() {
  if (seen_ >= 0) ::close(seen_);
}

void Ledger::note(std::string line) {
  line += '\n';
  const std::lock_guard lock(mutex_);
  std::string_view rest = line;
  while (!rest.empty()) {
    const auto wrote = ::write(seen_, rest.data(), rest.size());
    if (wrote <= 0) return;
    rest.remove_prefix(static_cast<std::size_t>(wrote));
  }
}

Runs Ledger::runs() const {
  Runs runs;
  std::ifstream file(runs_path_);
  std::uint64_t id = 0, token = 0, at = 0;
  for (Ran ran; file >> id >> ran.round >> ran.attempt >> ran.at >> ran.token >> ran.worker;)
    runs.emplace(id, ran);
  std::ifstream ends(ends_path_);
  while (ends >> id >> token >> at) {
    const auto [begin, end] = runs.equal_range(id);
    for (auto run = begin; run != end; ++run) {
      if (run->second.token == token) run->second.end = at;
    }
  }
  return runs;
}

}  // namespace warmpool::campaign
