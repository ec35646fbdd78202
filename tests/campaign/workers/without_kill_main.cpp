// Runs a program for which every SIGKILL of its own fails with EPERM, as it does for what the
// kernel does not let go of. Others kill it, and all that it started, as ever.
//   test-without-kill PROGRAM [ARGUMENT...]
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

// Both calls have the signal as their second argument; its low half on a little-endian machine.
constexpr unsigned kNumber = offsetof(seccomp_data, nr);
constexpr unsigned kSignal = offsetof(seccomp_data, args) + sizeof(__u64);

sock_filter kRules[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kNumber),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_kill, 1, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_send_signal, 0, 3),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kSignal),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SIGKILL, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  sock_fprog program{sizeof kRules / sizeof kRules[0], kRules};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    std::perror("test-without-kill: seccomp");
    return 71;
  }
  ::execvp(argv[1], argv + 1);
  std::perror(argv[1]);
  return 127;
}
