// Raw bytes are kept and made safe only when somebody looks: a worker may write a gigabyte, and
// people look at 64 lines of it. A piece costs one memchr per line; what is beyond a line's bound
// is not copied.
#include "daemon/output/output_ring.hpp"

#include <algorithm>
#include <optional>

namespace warmpool::daemon {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

unsigned char byte_at(std::string_view bytes, std::size_t index) {
  return static_cast<unsigned char>(bytes[index]);
}

// Length that a sequence with this first byte has; 0 for a byte that begins none.
std::size_t sequence_length(unsigned char first) {
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return 2;
  if (first >= 0xE0 && first <= 0xEF) return 3;
  if (first >= 0xF0 && first <= 0xF4) return 4;
  return 0;
}

bool is_continuation(unsigned char byte) { return (byte & 0xC0) == 0x80; }

// No overlong forms, surrogates or numbers above U+10FFFF: they show in the second byte.
bool second_fits(unsigned char first, unsigned char second) {
  if (first == 0xE0) return second >= 0xA0;
  if (first == 0xED) return second <= 0x9F;
  if (first == 0xF0) return second >= 0x90;
  if (first == 0xF4) return second <= 0x8F;
  return true;
}

// Length of the valid sequence at the beginning; 0 if there is none.
std::size_t valid_sequence(std::string_view bytes) {
  const std::size_t length = sequence_length(byte_at(bytes, 0));
  if (length == 0 || length > bytes.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if (!is_continuation(byte_at(bytes, i))) return 0;
  }
  if (length > 1 && !second_fits(byte_at(bytes, 0), byte_at(bytes, 1))) return 0;
  return length;
}

// What a terminal would act on: C0 but tab, DEL, and C1 (U+0080 to U+009F).
std::optional<std::string> picture_of(std::string_view sequence) {
  const unsigned char first = byte_at(sequence, 0);
  if (sequence.size() == 1) {
    if (first == 0x7F) return "\xE2\x90\xA1";
    if (first >= 0x20 || first == '\t') return std::nullopt;
    return std::string("\xE2\x90") + static_cast<char>(0x80 + first);
  }
  if (sequence.size() == 2 && first == 0xC2 && byte_at(sequence, 1) < 0xA0) {
    return std::string(kReplacement);
  }
  return std::nullopt;
}

// A line that was cut, or has no end yet, may stop in the middle of a character.
std::string_view without_half_character(std::string_view bytes) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, bytes.size()); ++back) {
    const unsigned char byte = byte_at(bytes, bytes.size() - back);
    if (is_continuation(byte)) continue;
    return sequence_length(byte) > back ? bytes.substr(0, bytes.size() - back) : bytes;
  }
  return bytes;
}

}  // namespace

std::string safe_text(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const std::size_t length = valid_sequence(bytes);
    const std::string_view sequence = bytes.substr(0, std::max<std::size_t>(1, length));
    if (length == 0) {
      text += kReplacement;
    } else if (const auto picture = picture_of(sequence)) {
      text += *picture;
    } else {
      text += sequence;
    }
    bytes.remove_prefix(sequence.size());
  }
  return text;
}

OutputRing::OutputRing(OutputBounds bounds) : bounds_(bounds) {
  // Two unfinished lines always fit, so that dropping finished ones is enough to keep the bound.
  bounds_.line_bytes_max = std::min(bounds_.line_bytes_max, bounds_.bytes_max / 2);
}

void OutputRing::append(OutputStream stream, std::string_view bytes, Instant now) {
  counters_.bytes += bytes.size();
  Raw& partial = partial_of(stream);
  while (!bytes.empty()) {
    const std::size_t newline = bytes.find('\n');
    extend(partial, stream, bytes.substr(0, newline), now);
    if (newline == std::string_view::npos) break;
    partial.at = now;
    finish(partial, stream);
    bytes.remove_prefix(newline + 1);
  }
  keep_bounds();
}

// What a task began to write is its own: the line does not go on in the next task's.
void OutputRing::set_task(OutputStream stream, TaskId task) {
  if (task == task_of(stream)) return;
  task_[static_cast<std::size_t>(stream)] = task;
  end_line(stream);
}

void OutputRing::end_line(OutputStream stream) {
  Raw& partial = partial_of(stream);
  if (!partial.bytes.empty()) finish(partial, stream);
}

void OutputRing::set_task(TaskId task) {
  set_task(OutputStream::Out, task);
  set_task(OutputStream::Err, task);
}

void OutputRing::skip(OutputStream stream, std::uint64_t bytes, Instant now) {
  if (bytes == 0) return;
  counters_.bytes += bytes;
  counters_.bytes_dropped += bytes;
  Raw& partial = partial_of(stream);
  partial.at = now;
  if (!partial.cut) ++counters_.lines_cut;
  partial.cut = true;
  if (!partial.bytes.empty()) {
    finish(partial, stream);
    partial.cut = true;
    ++counters_.lines_cut;
  }
  keep_bounds();
}

void OutputRing::extend(Raw& partial, OutputStream stream, std::string_view bytes, Instant now) {
  if (bytes.empty()) return;
  if (partial.bytes.empty()) partial.task = task_of(stream);
  const std::size_t taken = std::min(bytes.size(), bounds_.line_bytes_max - partial.bytes.size());
  partial.at = now;
  partial.bytes.append(bytes.substr(0, taken));
  bytes_kept_ += taken;
  if (taken == bytes.size()) return;
  counters_.bytes_dropped += bytes.size() - taken;
  if (!partial.cut) ++counters_.lines_cut;
  partial.cut = true;
}

void OutputRing::finish(Raw& partial, OutputStream stream) {
  ++counters_.lines;
  partial.stream = stream;
  if (partial.bytes.empty()) partial.task = task_of(stream);
  lines_.push_back(std::move(partial));
  partial = Raw{};
  if (lines_.size() > bounds_.lines_max) drop_oldest();
}

void OutputRing::drop_oldest() {
  bytes_kept_ -= lines_.front().bytes.size();
  counters_.bytes_dropped += lines_.front().bytes.size();
  ++counters_.lines_dropped;
  lines_.pop_front();
}

void OutputRing::keep_bounds() {
  while (!lines_.empty() && bytes_kept_ > bounds_.bytes_max) drop_oldest();
}

// `number` 0: unfinished.
OutputLine OutputRing::shown(const Raw& raw, std::uint64_t number) {
  const bool unfinished = number == 0;
  std::string_view bytes = raw.bytes;
  if (raw.cut || unfinished) bytes = without_half_character(bytes);
  if (!unfinished && bytes.ends_with('\r')) bytes.remove_suffix(1);
  return {raw.at, number, raw.task, raw.stream, safe_text(bytes), raw.cut, unfinished};
}

std::vector<OutputLine> OutputRing::lines(std::size_t count) const {
  std::vector<OutputLine> all;
  const bool has_partial[] = {!partial_[0].bytes.empty(), !partial_[1].bytes.empty()};
  const std::size_t partials = std::size_t{has_partial[0]} + std::size_t{has_partial[1]};
  const std::size_t finished = std::min(lines_.size(), count - std::min(count, partials));
  for (std::size_t i = lines_.size() - finished; i < lines_.size(); ++i) {
    all.push_back(shown(lines_[i], number_of(i)));
  }
  for (const auto stream : {OutputStream::Out, OutputStream::Err}) {
    const auto index = static_cast<std::size_t>(stream);
    if (!has_partial[index]) continue;
    all.push_back(shown(partial_[index], 0));
    all.back().stream = stream;
  }
  if (all.size() > count) {
    all.erase(all.begin(), all.end() - static_cast<std::ptrdiff_t>(count));
  }
  return all;
}

std::vector<OutputLine> OutputRing::lines_after(std::uint64_t after) const {
  std::vector<OutputLine> all;
  const auto oldest = number_of(0);
  const auto first =
      after < oldest ? 0 : std::min<std::uint64_t>(after - oldest + 1, lines_.size());
  for (auto i = static_cast<std::size_t>(first); i < lines_.size(); ++i) {
    all.push_back(shown(lines_[i], number_of(i)));
  }
  return all;
}

}  // namespace warmpool::daemon
