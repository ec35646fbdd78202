// The order at a death is here and not in the port of a platform, so that fakes keep it too.
#include "daemon/process/process_port.hpp"

#include <sys/ioctl.h>

namespace warmpool::daemon {

std::vector<ResourceLimit> default_limits() {
  return {{RLIMIT_CORE, 0, 0}, {RLIMIT_NOFILE, 1024, ResourceLimit::kKeep}};
}

bool ProcessPort::bury(WorkerId worker, const std::function<void(const Exit&)>& drain) {
  const auto exit = inspect(worker);
  if (!exit) return false;
  kill_tree(worker);
  drain(*exit);
  reap(worker);
  return true;
}

std::size_t bytes_waiting(int fd) {
  int bytes = 0;
  return ioctl(fd, FIONREAD, &bytes) == 0 && bytes > 0 ? static_cast<std::size_t>(bytes) : 0;
}

}  // namespace warmpool::daemon
