#include "tests/campaign/run_log.hpp"

#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

#include "tests/campaign/ledger.hpp"

namespace warmpool::campaign {
namespace {

int open_log(const std::string& path) {
  return ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
}

void append(int fd, const std::string& line) {
  if (::write(fd, line.data(), line.size()) != static_cast<ssize_t>(line.size())) ::_exit(74);
}

}  // namespace

RunLog::~RunLog() {
  if (fd_ >= 0) ::close(fd_);
  if (ends_fd_ >= 0) ::close(ends_fd_);
}

bool RunLog::open(const std::string& path, const std::string& ends_path) {
  if (const char* worker = std::getenv("WARMPOOL_WORKER")) worker_ = worker;
  fd_ = open_log(path);
  if (!ends_path.empty()) ends_fd_ = open_log(ends_path);
  return fd_ >= 0 && (ends_path.empty() || ends_fd_ >= 0);
}

void RunLog::begin(const worker::Context& context) const {
  append(fd_, std::to_string(context.task().value) + " " + std::to_string(context.round()) + " " +
                  std::to_string(context.attempt()) + " " +
                  std::to_string(monotonic_nanoseconds()) + " " + std::to_string(context.token()) +
                  " " + worker_ + "\n");
}

void RunLog::end(const worker::Context& context) const {
  if (ends_fd_ < 0) return;
  append(ends_fd_, std::to_string(context.task().value) + " " + std::to_string(context.token()) +
                       " " + std::to_string(monotonic_nanoseconds()) + "\n");
}

}  // namespace warmpool::campaign
