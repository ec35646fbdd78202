#include "tests/campaign/run_log.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "tests/campaign/ledger.hpp"

namespace warmpool::campaign {

RunLog::~RunLog() {
  if (fd_ >= 0) ::close(fd_);
}

bool RunLog::open(const std::string& path) {
  fd_ = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  return fd_ >= 0;
}

void RunLog::begin(const worker::Context& context) const {
  const std::string line =
      std::to_string(context.task().value) + " " + std::to_string(context.round()) + " " +
      std::to_string(context.attempt()) + " " + std::to_string(monotonic_nanoseconds()) + "\n";
  if (::write(fd_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) ::_exit(74);
}

}  // namespace warmpool::campaign
