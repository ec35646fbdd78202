// alarm() bounds every one of them: it is not inherited, so each sets its own first; it is kept
// over execve. The table's last way also throws away its environment, by which processes are told
// where there is no cgroup.
#include "tests/campaign/workers/strays.hpp"

#include <array>
#include <cstdio>
#include <fcntl.h>
#include <new>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/campaign/ledger.hpp"
#include "tests/campaign/workers/process_table.hpp"

namespace warmpool::campaign {
namespace {

// Shared by all that descend from one worker.
struct Shared {
  unsigned made;      // atomically
  unsigned there;     // likewise
  std::uint64_t end;  // nanoseconds: of all, also of those that are made later
};

Shared* shared = nullptr;
int list_fd = -1;

void await_there(unsigned count) {
  for (int i = 0; i < 2'000 && __atomic_load_n(&shared->there, __ATOMIC_ACQUIRE) < count; ++i) {
    ::poll(nullptr, 0, 1);
  }
}

// In the new process, once it is where it wants to be.
void write_down() {
  const auto line =
      std::to_string(::getpid()) + " " + std::to_string(start_time_of(::getpid())) + "\n";
  if (::write(list_fd, line.data(), line.size()) < 0) ::_exit(74);
  __atomic_add_fetch(&shared->there, 1, __ATOMIC_ACQ_REL);
}

[[noreturn]] void linger() {
  for (;;) ::pause();
}

void end_in_time() {
  const auto now = monotonic_nanoseconds();
  if (now >= shared->end) ::_exit(0);
  ::alarm(static_cast<unsigned>((shared->end - now) / 1'000'000'000 + 1));
}

// 0 in the child; -1 when there are enough of them.
pid_t fork_one() {
  if (__atomic_add_fetch(&shared->made, 1, __ATOMIC_ACQ_REL) > kStraysMax) return -1;
  const pid_t pid = ::fork();
  if (pid == 0) {
    end_in_time();
    ::signal(SIGTERM, SIG_DFL);
  }
  return pid;
}

void end_at_once(pid_t child) { ::waitpid(child, nullptr, 0); }

unsigned by_fork() {
  if (fork_one() == 0) {
    write_down();
    linger();
  }
  return 1;
}

unsigned by_double_fork() {
  const pid_t between = fork_one();
  if (between == 0) {
    if (fork_one() == 0) {
      write_down();
      linger();
    }
    ::_exit(0);
  }
  end_at_once(between);
  return 1;
}

unsigned by_setsid() {
  if (fork_one() == 0) {
    ::setsid();
    write_down();
    linger();
  }
  return 1;
}

unsigned by_setpgid() {
  if (fork_one() == 0) {
    ::setpgid(0, 0);
    write_down();
    linger();
  }
  return 1;
}

// As nohup(1) and setsid(1) do, with another program.
unsigned by_nohup() {
  if (fork_one() == 0) {
    ::signal(SIGHUP, SIG_IGN);
    ::setsid();
    ::fcntl(list_fd, F_SETFD, 0);
    write_down();
    ::execlp("sleep", "sleep", std::to_string(kStrayLifeSeconds).c_str(), nullptr);
    ::_exit(127);
  }
  return 1;
}

unsigned by_daemon() {
  const pid_t between = fork_one();
  if (between == 0) {
    if (::daemon(0, 1) != 0) ::_exit(71);  // forks, and its parent ends
    end_in_time();
    write_down();
    linger();
  }
  end_at_once(between);
  return 1;
}

// Two that watch each other: the end of one makes the other fork a new one, until there were
// enough.
[[noreturn]] void watch_and_respawn() {
  for (;;) {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) ::_exit(71);
    const pid_t child = fork_one();
    if (child < 0) linger();
    if (child == 0) {
      ::setsid();
      ::close(ends[1]);
      write_down();
      char byte = 0;
      while (::read(ends[0], &byte, 1) > 0) {
      }
      watch_and_respawn();  // the one before has ended
    }
    ::close(ends[0]);
    ::waitpid(child, nullptr, 0);
    ::close(ends[1]);
  }
}

unsigned by_respawn() {
  if (fork_one() == 0) {
    ::setsid();
    write_down();
    watch_and_respawn();
  }
  return 2;
}

[[noreturn]] void storm() {
  write_down();
  for (pid_t pid = 0; pid >= 0;) {
    pid = fork_one();
    if (pid == 0) write_down();
  }
  linger();
}

unsigned by_storm() {
  if (fork_one() == 0) storm();
  return kStraysMax / 8;  // the kill comes while it goes on
}

unsigned without_mark() {
  const pid_t between = fork_one();
  if (between == 0) {
    ::setsid();
    if (fork_one() == 0) {
      write_down();
      char name[] = "sleep", *arguments[] = {name, nullptr, nullptr};
      std::string life = std::to_string(kStrayLifeSeconds);
      arguments[1] = life.data();
      char* none[] = {nullptr};
      ::execve("/bin/sleep", arguments, none);
      ::_exit(127);
    }
    ::_exit(0);
  }
  end_at_once(between);
  return 1;
}

struct Way {
  std::string_view name;
  unsigned (*make)();  // returns how many will have written themselves down
};

constexpr std::array<Way, 9> kWays{{{"fork", by_fork},
                                    {"double-fork", by_double_fork},
                                    {"setsid", by_setsid},
                                    {"setpgid", by_setpgid},
                                    {"nohup", by_nohup},
                                    {"daemon", by_daemon},
                                    {"respawn", by_respawn},
                                    {"storm", by_storm},
                                    {"without-mark", without_mark}}};

bool prepare(const std::string& file) {
  list_fd = ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  void* memory =
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (list_fd < 0 || memory == MAP_FAILED) return false;
  const auto life = std::uint64_t{kStrayLifeSeconds} * 1'000'000'000;
  shared = new (memory) Shared{0, 0, monotonic_nanoseconds() + life};
  return true;
}

}  // namespace

std::vector<std::string_view> stray_ways() {
  std::vector<std::string_view> names;
  for (const auto& way : kWays) names.push_back(way.name);
  return names;
}

bool make_strays(std::string_view name, const std::string& file) {
  if (!prepare(file)) return false;
  for (const auto& way : kWays) {
    if (way.name != name) continue;
    await_there(way.make());
    return true;
  }
  return false;
}

void make_orphans(unsigned count) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) ::_exit(71);
  for (unsigned i = 0; i < count; ++i) {
    const pid_t between = ::fork();
    if (between == 0) {
      if (::fork() == 0) {
        ::alarm(kStrayLifeSeconds);
        ::close(ends[1]);
        char byte = 0;
        if (::read(ends[0], &byte, 1) < 0) ::_exit(71);
        ::_exit(static_cast<int>(i + 1));
      }
      ::_exit(0);
    }
    end_at_once(between);
  }
}

void make_witness(const std::string& file, const std::string& name) {
  if (::fork() != 0) return;
  ::alarm(kStrayLifeSeconds);
  ::setsid();
  const int fd = ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  for (;;) {
    const auto line = name + " " + std::to_string(monotonic_nanoseconds()) + "\n";
    if (::write(fd, line.data(), line.size()) < 0) ::_exit(74);
    ::poll(nullptr, 0, 2);
  }
}

}  // namespace warmpool::campaign
