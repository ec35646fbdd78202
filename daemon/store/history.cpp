// How a task began and how it ended tell most; what is between repeats itself, so it goes first.
#include "daemon/store/history.hpp"

#include "ipc/codec.hpp"

namespace warmpool::daemon {
namespace {

// The last lines that fit.
std::vector<std::string> tail_of(std::vector<std::string> lines) {
  std::size_t bytes = 0;
  std::size_t first = lines.size();
  while (first > 0 && bytes + lines[first - 1].size() <= kOutputKeptMax) {
    bytes += lines[--first].size();
  }
  if (first == lines.size() && first > 0) {
    --first;
    lines[first] = std::string(ipc::cut_text(lines[first], kOutputKeptMax));
  }
  lines.erase(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(first));
  return lines;
}

// Of the newest `most` that have it what `member` names is kept, the new one counted.
template <class Member>
void keep_newest(std::vector<AttemptEntry>& attempts, Member member, std::size_t most) {
  std::size_t with = 1;
  for (auto earlier = attempts.rbegin(); earlier != attempts.rend(); ++earlier) {
    auto& value = (*earlier).*member;
    if (!value.empty() && ++with > most) value = {};
  }
}

}  // namespace

void History::add(AttemptEntry entry, std::string_view error, std::vector<std::string> output,
                  std::string autopsy) {
  if (!error.empty()) last_error_ = std::string(ipc::cut_text(error, kLastErrorKeptMax));
  entry.error = std::string(ipc::cut_text(error, kErrorKeptMax));
  entry.output = tail_of(std::move(output));
  if (autopsy.size() <= kAutopsyBytesMax) entry.autopsy = std::move(autopsy);
  if (!entry.output.empty()) keep_newest(attempts_, &AttemptEntry::output, kOutputsKept);
  if (!entry.autopsy.empty()) keep_newest(attempts_, &AttemptEntry::autopsy, kAutopsiesKept);
  if (attempts_.size() == kFirstAttemptsKept + kLastAttemptsKept) {
    attempts_.erase(attempts_.begin() + kFirstAttemptsKept);
    ++dropped_;
  }
  attempts_.push_back(std::move(entry));
}

}  // namespace warmpool::daemon
