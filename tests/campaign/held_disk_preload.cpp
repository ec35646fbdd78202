// Put before a daemon: while the file that CAMPAIGN_HOLD names is there, no sync returns, as on a
// disk that does not answer. That one was held is written beside it.
#include <cstdlib>
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <string>
#include <unistd.h>

namespace {

using Sync = int (*)(int);

int hold_then(const char* name, int fd) {
  constexpr int kLookMs = 5;
  const char* file = std::getenv("CAMPAIGN_HOLD");
  if (file != nullptr && ::access(file, F_OK) == 0) {
    const int held = ::open((std::string(file) + ".held").c_str(), O_CREAT | O_CLOEXEC, 0600);
    if (held >= 0) ::close(held);
    while (::access(file, F_OK) == 0) ::poll(nullptr, 0, kLookMs);
  }
  return reinterpret_cast<Sync>(::dlsym(RTLD_NEXT, name))(fd);
}

}  // namespace

extern "C" {
int fsync(int fd) { return hold_then("fsync", fd); }
int fdatasync(int fd) { return hold_then("fdatasync", fd); }
}
