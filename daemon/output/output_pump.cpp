// A read of 64 KiB costs about 10 us, so a flood takes its share of each turn and no more. The pipe
// is always emptied: leaving it to fill would push back on the worker's task, which may be innocent
// of what a library of it prints.
#include "daemon/output/output_pump.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <unistd.h>

#include "daemon/process/process_port.hpp"

namespace warmpool::daemon {

OutputPump::OutputPump(OutputStream stream, PumpRate rate)
    : stream_(stream), rate_(rate), allowance_(rate.burst_bytes) {}

PumpResult OutputPump::pump(int fd, OutputRing& ring, Instant now, std::size_t limit) {
  std::array<char, kReadBytesMax> buffer;  // 64 KiB of stack, not set
  const std::size_t wanted = std::min(limit, buffer.size());
  if (wanted == 0) return {};
  ssize_t bytes = 0;
  do {
    bytes = ::read(fd, buffer.data(), wanted);
  } while (bytes < 0 && errno == EINTR);
  if (bytes <= 0) {
    const bool closed = bytes == 0 || errno != EAGAIN;
    if (closed && marks_) {
      marks_->end([&](TaskId task, std::string_view rest) { append_piece(task, rest, ring, now); });
    }
    return {0, false, closed};
  }
  const auto count = static_cast<std::size_t>(bytes);
  deliver({buffer.data(), count}, ring, now);
  return {count, count == wanted, false};
}

std::size_t OutputPump::drain(int fd, OutputRing& ring, Instant now) {
  const std::size_t waiting = bytes_waiting(fd);
  std::size_t read = 0;
  while (read < waiting) {
    const PumpResult result = pump(fd, ring, now, waiting - read);
    if (result.read == 0) break;
    read += result.read;
  }
  return read;
}

void OutputPump::deliver(std::string_view bytes, OutputRing& ring, Instant now) {
  refill(now);
  if (bytes.size() <= allowance_) {
    allowance_ -= bytes.size();
    append(bytes, ring, now);
    return;
  }
  allowance_ = 0;
  const std::size_t unseen = bytes.size() - std::min(bytes.size(), kTailBytes);
  ring.skip(stream_, unseen, now);
  if (unseen != 0 && marks_) marks_->forget();
  append(bytes.substr(unseen), ring, now);
}

void OutputPump::append(std::string_view bytes, OutputRing& ring, Instant now) {
  if (!marks_) return ring.append(stream_, bytes, now);
  marks_->split(bytes,
                [&](TaskId task, std::string_view piece) { append_piece(task, piece, ring, now); });
}

void OutputPump::append_piece(TaskId task, std::string_view bytes, OutputRing& ring, Instant now) {
  // Also where what has no mark is taken to be of the same task: its line was at its end.
  if (task != marked_) ring.end_line(stream_);
  marked_ = task;
  ring.set_task(stream_, task ? task : unmarked_);
  ring.append(stream_, bytes, now);
}

void OutputPump::refill(Instant now) {
  constexpr std::int64_t kSecond = seconds(1).ns;
  const std::int64_t passed = std::clamp<std::int64_t>((now - refilled_at_).ns, 0, kSecond);
  const std::uint64_t earned =
      rate_.bytes_per_second * static_cast<std::uint64_t>(passed / 1000) / 1'000'000;
  if (earned == 0) return;
  allowance_ = std::min(rate_.burst_bytes, allowance_ + earned);
  refilled_at_ = now;
}

}  // namespace warmpool::daemon
