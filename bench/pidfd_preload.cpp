// For a daemon under valgrind (bench/instructions.py): versions up to 3.19 know no pidfd_open. A
// descriptor that never becomes readable stands for each process, so that none is seen to end.
#include <cerrno>
#include <cstdarg>
#include <dlfcn.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

namespace {

template <class Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

long syscall(long number, ...) noexcept {
  va_list list;
  va_start(list, number);
  long arguments[6];
  for (long& argument : arguments) argument = va_arg(list, long);
  va_end(list);
  if (number == SYS_pidfd_open) return ::eventfd(0, EFD_CLOEXEC);
  if (number == SYS_pidfd_send_signal) return 0;
  static const auto real = next<long (*)(long, ...)>("syscall");
  return real(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
              arguments[5]);
}

int waitid(idtype_t type, id_t id, siginfo_t* info, int options) {
  constexpr int by_pidfd = 3;  // P_PIDFD, which older headers lack
  static const auto real = next<int (*)(idtype_t, id_t, siginfo_t*, int)>("waitid");
  if (static_cast<int>(type) != by_pidfd) return real(type, id, info, options);
  errno = ECHILD;
  return -1;
}

}  // extern "C"
