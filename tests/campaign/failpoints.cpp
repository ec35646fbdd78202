// Linked into warmpoold-failpoints, a daemon for tests whose other objects are those of warmpoold.
// The linker puts these functions around calls from one source to another (--wrap), and the calls
// that the database and the daemon make of the system find them first: so the daemon itself has no
// failpoints.
//
//   WARMPOOL_FAILPOINT=commit-before:3   the process kills itself the third time it comes there
//
// Beside them, where memory ends: `new:N` is the N-th allocation of the daemon's own, `sqlite:N`
// the N-th of SQLite's and all after it; these do not kill, they fail.
//
//   WARMPOOL_READ_ONLY=FILE   while FILE is there each change of a file fails as on a file system
//   that
//                             the kernel made read-only
//
// A name that no point has does nothing. All points, one to a line: warmpoold-failpoints with
// WARMPOOL_FAILPOINT=list.
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <new>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <sqlite3.h>

#include "pool/result.hpp"

// name, symbol of a function that gives nothing
#define VOID_POINTS(POINT)                                                       \
  POINT(persist, "_ZN8warmpool6daemon6Keeper5carryERNS_7command7PersistE")       \
  POINT(batch, "_ZN8warmpool6daemon6Keeper6commitEv")                            \
  POINT(ack, "_ZN8warmpool6daemon7Clients5carryERKNS_7command8AcceptedE")        \
  POINT(settle, "_ZN8warmpool6daemon7Clients5carryERKNS_7command8AnnounceE")     \
  POINT(cancelled, "_ZN8warmpool6daemon7Clients5carryERKNS_7command9CancelledE") \
  POINT(reply, "_ZN8warmpool6daemon7Clients5flushEv")                            \
  POINT(spawn, "_ZN8warmpool6daemon7Workers5carryERKNS_7command5SpawnE")         \
  POINT(assign, "_ZN8warmpool6daemon7Workers5carryERKNS_7command6AssignE")       \
  POINT(assigned, "_ZN8warmpool6daemon7Workers5flushEv")                         \
  POINT(bury, "_ZN8warmpool6daemon7Workers4buryEv")                              \
  POINT(recover, "_ZN8warmpool6daemon6Engine13finish_replayERKSt5arrayImLm5EE")
// Of one that gives a Result<void>.
#define RESULT_POINTS(POINT)                                                               \
  POINT(journal, "_ZN8warmpool6daemon7Journal4syncEv")                                     \
  POINT(commit, "_ZN8warmpool6daemon11StoreWriter6commitERKNS0_8GroupEndE")                \
  POINT(migrate, "_ZN8warmpool6daemon11migrate_oneERNS0_8DatabaseERKNS0_13MigrationStepE") \
  POINT(sql,                                                                               \
        "_ZN8warmpool6daemon8Database3runERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE")
#define SYSTEM_POINTS(POINT) \
  POINT(write) POINT(fsync) POINT(link) POINT(rename) POINT(unlink) POINT(truncate)

namespace {

char wanted[64];
char read_only_mark[128];
std::atomic<unsigned long> left{0};

void reach(const char* name, const char* side) {
  if (wanted[0] == '\0') return;
  const auto length = std::strlen(name);
  if (std::strncmp(wanted, name, length) != 0 || wanted[length] != '-') return;
  if (std::strcmp(wanted + length + 1, side) != 0) return;
  if (left.fetch_sub(1) == 1) ::raise(SIGKILL);
}

void list() {
#define NAME(name, symbol) std::puts(#name "-before\n" #name "-after");
#define SYSTEM_NAME(name) NAME(name, "")
  VOID_POINTS(NAME) RESULT_POINTS(NAME) SYSTEM_POINTS(SYSTEM_NAME)
}

std::atomic<unsigned long> news_left{0}, sqlite_left{0};

// Of SQLite's own allocator, with an end.
sqlite3_mem_methods plain;
bool sqlite_ends() {
  if (sqlite_left.load() == 0) return false;
  return sqlite_left.load() == 1 || sqlite_left.fetch_sub(1) == 1;
}
void* sqlite_malloc(int bytes) { return sqlite_ends() ? nullptr : plain.xMalloc(bytes); }
void* sqlite_realloc(void* old, int bytes) {
  return sqlite_ends() ? nullptr : plain.xRealloc(old, bytes);
}

void end_memory_of_sqlite(unsigned long count) {
  ::sqlite3_config(SQLITE_CONFIG_GETMALLOC, &plain);
  auto ending = plain;
  ending.xMalloc = sqlite_malloc;
  ending.xRealloc = sqlite_realloc;
  ::sqlite3_config(SQLITE_CONFIG_MALLOC, &ending);
  sqlite_left = count;
}

// Before main, and taken out of the environment: the daemon knows no such option.
struct Arm {
  Arm() {
    if (const char* mark = std::getenv("WARMPOOL_READ_ONLY")) {
      std::snprintf(read_only_mark, sizeof read_only_mark, "%s", mark);
    }
    ::unsetenv("WARMPOOL_READ_ONLY");
    const char* text = std::getenv("WARMPOOL_FAILPOINT");
    if (text == nullptr) return;
    if (std::strcmp(text, "list") == 0) {
      list();
      std::exit(0);
    }
    const char* colon = std::strchr(text, ':');
    const auto length = colon == nullptr ? 0 : static_cast<std::size_t>(colon - text);
    if (length > 0 && length < sizeof wanted) {
      const auto count = std::strtoul(colon + 1, nullptr, 10);
      std::memcpy(wanted, text, length);
      if (std::strcmp(wanted, "new") == 0) news_left = count;
      if (std::strcmp(wanted, "sqlite") == 0) end_memory_of_sqlite(count);
      left = count;
    }
    ::unsetenv("WARMPOOL_FAILPOINT");
  }
} arm;

}  // namespace

// The true ones take two words: this, or a first argument, and another, if they have one.
#define VOID_POINT(name, symbol)                                       \
  unsigned char real_##name(void*, const void*) asm("__real_" symbol); \
  unsigned char wrap_##name(void*, const void*) asm("__wrap_" symbol); \
  unsigned char wrap_##name(void* self, const void* argument) {        \
    reach(#name, "before");                                            \
    const auto given = real_##name(self, argument);                    \
    reach(#name, "after");                                             \
    return given;                                                      \
  }
#define RESULT_POINT(name, symbol)                                              \
  warmpool::Result<void> real_##name(void*, const void*) asm("__real_" symbol); \
  warmpool::Result<void> wrap_##name(void*, const void*) asm("__wrap_" symbol); \
  warmpool::Result<void> wrap_##name(void* self, const void* argument) {        \
    reach(#name, "before");                                                     \
    auto given = real_##name(self, argument);                                   \
    reach(#name, "after");                                                      \
    return given;                                                               \
  }

VOID_POINTS(VOID_POINT)
RESULT_POINTS(RESULT_POINT)

namespace {

template <class... Arguments>
long call(const char* name, long number, Arguments... arguments) {
  reach(name, "before");
  const long given = ::syscall(number, arguments...);
  reach(name, "after");
  return given;
}

template <class... Arguments>
long change(const char* name, long number, Arguments... arguments) {
  if (read_only_mark[0] != '\0' && ::access(read_only_mark, F_OK) == 0) {
    errno = EROFS;
    return -1;
  }
  return call(name, number, arguments...);
}

// What sockets, pipes and the log are given is no file of the store.
bool is_file(int fd) {
  struct stat found {};
  return fd > STDERR_FILENO && ::fstat(fd, &found) == 0 && S_ISREG(found.st_mode);
}

}  // namespace

// Those for arrays, and that do not throw, come here. Not inlined: the compiler would take what is
// freed for what another allocated.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  const bool ends = news_left.load() != 0 && news_left.fetch_sub(1) == 1;
  void* given = ends ? nullptr : std::malloc(bytes == 0 ? 1 : bytes);
  if (given != nullptr) return given;
  if (const auto handler = std::get_new_handler()) handler();
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* bytes) noexcept { std::free(bytes); }
[[gnu::noinline]] void operator delete(void* bytes, std::size_t) noexcept { std::free(bytes); }

extern "C" {

ssize_t write(int fd, const void* bytes, size_t count) {
  if (!is_file(fd)) return ::syscall(SYS_write, fd, bytes, count);
  return change("write", SYS_write, fd, bytes, count);
}
ssize_t pwrite(int fd, const void* bytes, size_t count, off_t at) {
  return change("write", SYS_pwrite64, fd, bytes, count, at);
}
ssize_t pwrite64(int fd, const void* bytes, size_t count, off64_t at) {
  return change("write", SYS_pwrite64, fd, bytes, count, at);
}
int fdatasync(int fd) { return static_cast<int>(call("fsync", SYS_fdatasync, fd)); }
int fsync(int fd) { return static_cast<int>(call("fsync", SYS_fsync, fd)); }
int unlink(const char* path) noexcept {
  return static_cast<int>(change("unlink", SYS_unlinkat, AT_FDCWD, path, 0));
}
int unlinkat(int fd, const char* path, int flags) noexcept {
  return static_cast<int>(change("unlink", SYS_unlinkat, fd, path, flags));
}
int linkat(int from_fd, const char* from, int to_fd, const char* to, int flags) noexcept {
  return static_cast<int>(change("link", SYS_linkat, from_fd, from, to_fd, to, flags));
}
int rename(const char* from, const char* to) noexcept {
  return static_cast<int>(change("rename", SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}
int renameat(int from_fd, const char* from, int to_fd, const char* to) noexcept {
  return static_cast<int>(change("rename", SYS_renameat2, from_fd, from, to_fd, to, 0));
}
int renameat2(int from_fd, const char* from, int to_fd, const char* to, unsigned flags) noexcept {
  return static_cast<int>(change("rename", SYS_renameat2, from_fd, from, to_fd, to, flags));
}
int ftruncate(int fd, off_t length) noexcept {
  return static_cast<int>(change("truncate", SYS_ftruncate, fd, length));
}
int ftruncate64(int fd, off64_t length) noexcept {
  return static_cast<int>(change("truncate", SYS_ftruncate, fd, length));
}
}
