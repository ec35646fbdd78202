#include "client/cli/progress.hpp"

#include <algorithm>
#include <sys/ioctl.h>

#include "client/cli/format.hpp"

namespace warmpool::cli {

namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kDrawInterval{100};
constexpr std::size_t kBarMax = 30;

std::size_t columns_of(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

std::string bar(std::uint64_t done, std::uint64_t total, std::size_t width) {
  const auto filled = static_cast<std::size_t>(
      static_cast<double>(width) * static_cast<double>(done) / static_cast<double>(total));
  return "[" + std::string(filled, '#') + std::string(width - filled, ' ') + "]";
}

}  // namespace

std::string progress_text(const ProgressState& state, std::size_t width) {
  const double seconds = std::chrono::duration<double>(state.elapsed).count();
  const double rate = seconds > 0 ? static_cast<double>(state.done) / seconds : 0;
  const std::uint64_t total = std::max(state.total.value_or(0), state.done);
  std::string before = grouped(state.done), after;
  if (state.total) {
    before += "/" + grouped(total);
    after += "  " + std::to_string(total == 0 ? 100 : state.done * 100 / total) + " %";
  }
  after +=
      "  " + grouped(static_cast<std::uint64_t>(rate)) + "/s  " + grouped(state.failed) + " failed";
  if (state.total && rate > 0 && state.done < total) {
    const double left = static_cast<double>(total - state.done) / rate;
    after += "  ETA " + short_duration({static_cast<std::int64_t>(left * 1e9)});
  } else {
    after += "  " + short_duration({state.elapsed.count()});
  }
  const std::size_t used = before.size() + after.size() + 3;
  if (state.total && total > 0 && used + 5 <= width) {
    before += " " + bar(state.done, total, std::min(kBarMax, width - used));
  }
  return (before + after).substr(0, width);
}

ProgressLine::ProgressLine(Output& out, const std::string& when)
    : out_(out), shown_(when == "always" || (when == "auto" && out.is_terminal())) {}

void ProgressLine::draw(const ProgressState& state, bool last) {
  if (!shown_) return;
  const auto now = steady_clock::now();
  if (!last && now < due_) return;
  due_ = now + kDrawInterval;
  const std::size_t width = columns_of(out_.fd()) - 1;
  // "\x1b[K" clears what a longer line before it left.
  const std::string line = progress_text(state, width);
  out_.write(out_.is_terminal() ? "\r" + line + "\x1b[K" + (last ? "\n" : "") : line + "\n");
  out_.flush();
}

}  // namespace warmpool::cli
