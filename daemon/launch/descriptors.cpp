// close_range does in one call what a loop over the limit would do in up to a billion. The fallback
// reads /proc/self/fd by getdents64, because opendir allocates and an inherited limit says nothing
// about the numbers that are open.
#include "daemon/launch/descriptors.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace warmpool::launch {
namespace {

struct Entry {  // as the kernel writes it: getdents64(2)
  unsigned long long inode;
  long long offset;
  unsigned short length;
  unsigned char type;
  char name[1];
};

void close_listed(const char* buffer, long bytes, unsigned first, int keep) {
  for (long at = 0; at < bytes;) {
    const char* entry = buffer + at;
    const char* name = entry + offsetof(Entry, name);
    unsigned short length = 0;
    std::memcpy(&length, entry + offsetof(Entry, length), sizeof length);
    const int fd = std::atoi(name);
    if (name[0] != '.' && fd >= static_cast<int>(first) && fd != keep) close(fd);
    at += length;
  }
}

int close_by_proc(unsigned first) {
  const int directory = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return errno;
  // The listing goes by number, so what is closed behind it changes nothing ahead.
  alignas(8) char buffer[4096];
  long bytes = 0;
  while ((bytes = syscall(SYS_getdents64, directory, buffer, sizeof buffer)) > 0) {
    close_listed(buffer, bytes, first, directory);
  }
  const int error = bytes < 0 ? errno : 0;
  close(directory);
  return error;
}

}  // namespace

int close_from(unsigned first) {
  if (syscall(SYS_close_range, first, ~0U, 0U) == 0) return 0;
  return errno == ENOSYS || errno == EPERM ? close_by_proc(first) : errno;
}

}  // namespace warmpool::launch
