// The daemon's log. Threads: main. A line costs about 0.2 us; it is flushed by flush(), which the
// loop calls each second, and at once from warn up.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "pool/result.hpp"

namespace warmpool::daemon {

enum class LogLevel : std::uint8_t { Trace, Debug, Info, Warn, Error, Off };

class Log {
 public:
  virtual ~Log() = default;
  virtual void write(LogLevel level, std::string_view line) = 0;
  virtual bool enabled(LogLevel level) const = 0;
  virtual void set_level(std::string_view name) = 0;  // a choice of option log_level
  virtual void flush() = 0;
  // After rotation: opens the file of the same name anew. Errors: goes on with the old one.
  virtual Result<void> reopen() = 0;

  void debug(std::string_view line) { write(LogLevel::Debug, line); }
  void info(std::string_view line) { write(LogLevel::Info, line); }
  void warn(std::string_view line) { write(LogLevel::Warn, line); }
  void error(std::string_view line) { write(LogLevel::Error, line); }
};

// To `file` (mode 0600, appended), or to standard error where it is empty.
// Errors: the file cannot be opened; the text says why and what to do.
Result<std::unique_ptr<Log>> open_log(const std::string& file, std::string_view level);

}  // namespace warmpool::daemon
