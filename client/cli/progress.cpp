#include "client/cli/progress.hpp"

#include <algorithm>
#include <sys/ioctl.h>

#include "client/cli/format.hpp"
#include "client/cli/json_text.hpp"
#include "ipc/bytes.hpp"

namespace warmpool::cli {

namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kDrawInterval{100};
constexpr std::size_t kBarMax = 30;
constexpr std::size_t kPartialColumnsMin = 12;  // less tells nothing

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

bool is_within_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

bool wanted(const Output& out, const std::string& when) {
  return when == "always" || (when == "auto" && out.is_terminal());
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

std::string plain_line(std::string_view text) {
  const std::string readable = ipc::is_utf8(text) ? std::string(text) : readable_text(text);
  std::string line;
  for (std::size_t at = 0; at < readable.size(); ++at) {
    const auto byte = static_cast<unsigned char>(readable[at]);
    const bool more = at + 1 < readable.size();
    // U+0080 to U+009F: to some terminals they are what ESC with another character is.
    if (byte == 0xC2 && more && static_cast<unsigned char>(readable[at + 1]) < 0xA0) {
      ++at;
    } else if (byte == '\n' || byte == '\t') {
      line += ' ';
    } else if (byte >= 0x20 && byte != 0x7F) {
      line += readable[at];
    }
  }
  return line;
}

std::string progress_text(std::uint16_t permille, std::string_view text, std::string_view partial,
                          std::size_t width) {
  const unsigned percent = std::min<unsigned>(permille, 1000) / 10;
  std::string line = bar(percent, 100, kBarMax) +
                     (percent < 10    ? "   "
                      : percent < 100 ? "  "
                                      : " ") +
                     std::to_string(percent) + " %";
  if (!text.empty()) line += "  " + plain_line(text);
  if (line.size() > width) {
    while (width > 0 && is_within_character(line[width])) --width;
    return line.substr(0, width);
  }
  const std::size_t room = width - line.size();
  const std::string so_far = plain_line(partial);
  if (so_far.empty() || room < kPartialColumnsMin) return line;
  line += "  | ";
  if (so_far.size() + 4 <= room) return line + so_far;
  std::size_t from = so_far.size() - (room - 7);
  while (from < so_far.size() && is_within_character(so_far[from])) ++from;
  return line + "..." + so_far.substr(from);
}

TaskProgressLine::TaskProgressLine(Output& out, const std::string& when)
    : out_(out), shown_(wanted(out, when)) {}

void TaskProgressLine::draw(std::uint16_t permille, std::string_view text,
                            std::string_view partial) {
  if (!shown_) return;
  if (!partial.empty()) partial_ = partial;
  const auto line = progress_text(permille, text, partial_, columns_of(out_.fd()) - 1);
  out_.write(out_.is_terminal() ? "\r" + line + "\x1b[K" : line + "\n");
  out_.flush();
  drawn_ = out_.is_terminal();
}

void TaskProgressLine::clear() {
  if (!drawn_) return;
  out_.write("\r\x1b[K");
  out_.flush();
  drawn_ = false;
}

ProgressLine::ProgressLine(Output& out, const std::string& when)
    : out_(out), shown_(wanted(out, when)) {}

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
