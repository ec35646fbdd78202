// Synchronous: an asynchronous logger wakes its thread for the first line after a pause, which
// costs the loop 7 us, against 0.2 us for the line itself.
#include "daemon/log.hpp"

#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "ipc/fd.hpp"

namespace warmpool::daemon {
namespace {

constexpr char kPattern[] = "%Y-%m-%dT%H:%M:%S.%e%z %-5l %v";

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::Trace:
      return spdlog::level::trace;
    case LogLevel::Debug:
      return spdlog::level::debug;
    case LogLevel::Info:
      return spdlog::level::info;
    case LogLevel::Warn:
      return spdlog::level::warn;
    case LogLevel::Error:
      return spdlog::level::err;
    case LogLevel::Off:
      break;
  }
  return spdlog::level::off;
}

// The file with its final mode, or why not: spdlog would make it by the umask.
Result<void> make_file(const std::string& file) {
  const ipc::UniqueFd fd(
      ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (fd) return {};
  const int code = errno;
  return Error{code, "log file " + file + " cannot be opened: " + std::strerror(code) +
                         "; name another with --log-file, or make its directory"};
}

class SpdLog : public Log {
 public:
  SpdLog(std::string file, std::shared_ptr<spdlog::logger> logger)
      : file_(std::move(file)), logger_(std::move(logger)) {}

  static std::shared_ptr<spdlog::logger> make(const std::string& file) {
    spdlog::sink_ptr sink;
    if (file.empty()) {
      sink = std::make_shared<spdlog::sinks::stderr_sink_st>();
    } else {
      sink = std::make_shared<spdlog::sinks::basic_file_sink_st>(file);
    }
    auto logger = std::make_shared<spdlog::logger>("warmpoold", std::move(sink));
    logger->set_pattern(kPattern);
    logger->flush_on(spdlog::level::warn);
    return logger;
  }

  void write(LogLevel level, std::string_view line) override {
    logger_->log(spdlog_level(level), spdlog::string_view_t(line.data(), line.size()));
  }
  bool enabled(LogLevel level) const override { return logger_->should_log(spdlog_level(level)); }
  void set_level(std::string_view name) override {
    logger_->set_level(spdlog::level::from_str(std::string(name)));
  }
  void flush() override { logger_->flush(); }

  Result<void> reopen() override {
    if (file_.empty()) return {};
    if (auto made = make_file(file_); !made) return made;
    try {
      auto fresh = make(file_);
      fresh->set_level(logger_->level());
      logger_ = std::move(fresh);
    } catch (const spdlog::spdlog_ex& failure) {
      return Error{EIO, failure.what()};
    }
    return {};
  }

 private:
  std::string file_;
  std::shared_ptr<spdlog::logger> logger_;
};

}  // namespace

Result<std::unique_ptr<Log>> open_log(const std::string& file, std::string_view level) {
  if (!file.empty()) {
    if (auto made = make_file(file); !made) return made.error();
  }
  try {
    std::unique_ptr<Log> log = std::make_unique<SpdLog>(file, SpdLog::make(file));
    log->set_level(level);
    return log;
  } catch (const spdlog::spdlog_ex& failure) {
    return Error{EIO, failure.what()};
  }
}

}  // namespace warmpool::daemon
