// Lines of submit.fifo that became no task: nobody waits for an answer, so they are kept for
// whoever looks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/bounded_file.hpp"
#include "daemon/clock.hpp"
#include "daemon/log.hpp"
#include "pool/time.hpp"

namespace warmpool::daemon {

// Each goes to a file as a JSON object {"time","reason","line"}, and to the log, at most kLogged in
// kWindow; what is beyond is told by its number.
class Rejects {
 public:
  // `path` empty: the log alone.
  Rejects(std::string path, Log& log, Clock& clock)
      : file_(std::move(path), kBytesMax), log_(log), clock_(clock) {}

  void add(std::string_view line, std::string_view reason, Instant now);
  // Now and then: tells what was left out of the log.
  void tell_rest(Instant now);
  std::uint64_t count() const { return count_; }
  const std::string& path() const { return file_.path(); }

  static constexpr std::uint64_t kBytesMax = 4U << 20;
  static constexpr std::uint64_t kLogged = 10;
  static constexpr Duration kWindow = seconds(10);

 private:
  void log(std::string_view line, std::string_view reason, Instant now);

  BoundedFile file_;
  Log& log_;
  Clock& clock_;
  std::uint64_t count_ = 0, logged_ = 0, left_out_ = 0;
  Instant window_began_;
  bool file_failed_ = false;
};

}  // namespace warmpool::daemon
