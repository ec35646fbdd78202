// A frame's header says whether it ends a transaction (bytes 4 to 7 are not 0), so nothing is held
// back when SQLite makes the transaction visible to other connections.
#include "daemon/store/gather_vfs.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <new>

#include <sqlite3.h>

#include "ipc/bytes.hpp"

namespace warmpool::daemon {
namespace {

constexpr int kFrameHeader = 24;
constexpr std::size_t kCommitMark = 4;
// Of SQLite's own VFS a write has less than 128 KiB.
constexpr std::size_t kGatheredMax = 64U << 10;

struct Vfs {
  sqlite3_vfs base{};
  std::string name, below;
  // It may be gone meanwhile, and come again.
  sqlite3_vfs* lower() const { return ::sqlite3_vfs_find(below.empty() ? nullptr : below.c_str()); }
};

// SQLite gives the memory. Threads: as SQLite's; sync() also beside reads, while nothing writes.
class WalFile : public sqlite3_file {
 public:
  explicit WalFile(int size) : memory_(std::make_unique<std::max_align_t[]>(units(size))) {}

  sqlite3_file* below() { return reinterpret_cast<sqlite3_file*>(memory_.get()); }
  const sqlite3_io_methods& methods() { return *below()->pMethods; }

  int write(const void* from, int bytes, sqlite3_int64 offset) {
    const auto* text = static_cast<const char*>(from);
    if (!gathered_.empty() && offset != begin_ + static_cast<sqlite3_int64>(gathered_.size())) {
      if (const int code = flush()) return code;
    }
    if (gathered_.empty()) begin_ = offset;
    gathered_.append(text, static_cast<std::size_t>(bytes));
    if (bytes == kFrameHeader) {
      commits_ =
          std::any_of(text + kCommitMark, text + 2 * kCommitMark, [](char c) { return c != 0; });
      return SQLITE_OK;
    }
    const bool is_page = offset >= kFrameHeader;
    if (is_page && !commits_ && gathered_.size() < kGatheredMax) return SQLITE_OK;
    return flush();
  }

  // What was gathered is given up when it cannot be written: SQLite writes it again, or nothing of
  // it counts.
  int flush() {
    if (gathered_.empty()) return SQLITE_OK;
    int code = SQLITE_OK;
    for (std::size_t at = 0; at < gathered_.size() && code == SQLITE_OK; at += kGatheredMax) {
      const auto count = std::min(kGatheredMax, gathered_.size() - at);
      code = methods().xWrite(below(), gathered_.data() + at, static_cast<int>(count),
                              begin_ + static_cast<sqlite3_int64>(at));
    }
    gathered_.clear();
    commits_ = false;
    return code;
  }

 private:
  static std::size_t units(int size) {
    return (static_cast<std::size_t>(size) + sizeof(std::max_align_t) - 1) /
           sizeof(std::max_align_t);
  }

  std::unique_ptr<std::max_align_t[]> memory_;  // the file below
  std::string gathered_;
  sqlite3_int64 begin_ = 0;
  bool commits_ = false;  // the frame that is being written
};

WalFile& of(sqlite3_file* file) { return *static_cast<WalFile*>(file); }
const Vfs& of(sqlite3_vfs* vfs) { return *static_cast<const Vfs*>(vfs->pAppData); }

// Calls before which what was gathered is written.
template <class Call>
int after_flush(sqlite3_file* file, const Call& call) {
  if (const int code = of(file).flush()) return code;
  return call(of(file).below(), of(file).methods());
}

int close(sqlite3_file* file) {
  auto& mine = of(file);
  const int flushed = mine.flush();
  const int closed = mine.methods().xClose(mine.below());
  mine.~WalFile();
  return flushed == SQLITE_OK ? closed : flushed;
}
int read(sqlite3_file* file, void* to, int bytes, sqlite3_int64 offset) {
  return after_flush(file, [&](auto* below, const auto& methods) {
    return methods.xRead(below, to, bytes, offset);
  });
}
int write(sqlite3_file* file, const void* from, int bytes, sqlite3_int64 offset) {
  return of(file).write(from, bytes, offset);
}
int truncate(sqlite3_file* file, sqlite3_int64 size) {
  return after_flush(
      file, [&](auto* below, const auto& methods) { return methods.xTruncate(below, size); });
}
int sync(sqlite3_file* file, int flags) {
  return after_flush(file,
                     [&](auto* below, const auto& methods) { return methods.xSync(below, flags); });
}
int file_size(sqlite3_file* file, sqlite3_int64* size) {
  return after_flush(
      file, [&](auto* below, const auto& methods) { return methods.xFileSize(below, size); });
}
int lock(sqlite3_file* file, int level) {
  return of(file).methods().xLock(of(file).below(), level);
}
int unlock(sqlite3_file* file, int level) {
  return of(file).methods().xUnlock(of(file).below(), level);
}
int check_lock(sqlite3_file* file, int* out) {
  return of(file).methods().xCheckReservedLock(of(file).below(), out);
}
int control(sqlite3_file* file, int what, void* argument) {
  return of(file).methods().xFileControl(of(file).below(), what, argument);
}
int sector_size(sqlite3_file* file) { return of(file).methods().xSectorSize(of(file).below()); }
int traits(sqlite3_file* file) {
  return of(file).methods().xDeviceCharacteristics(of(file).below());
}

// A WAL is never mapped, and the index in shared memory is the database file's.
const sqlite3_io_methods kWalMethods{1,       close,       read,    write,   truncate,
                                     sync,    file_size,   lock,    unlock,  check_lock,
                                     control, sector_size, traits,  nullptr, nullptr,
                                     nullptr, nullptr,     nullptr, nullptr};

int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out) {
  file->pMethods = nullptr;
  auto* lower = of(vfs).lower();
  if (lower == nullptr) return SQLITE_CANTOPEN;
  if ((flags & SQLITE_OPEN_WAL) == 0) return lower->xOpen(lower, name, file, flags, out);
  auto* mine = new (file) WalFile(lower->szOsFile);
  mine->below()->pMethods = nullptr;
  mine->pMethods = &kWalMethods;
  const int code = lower->xOpen(lower, name, mine->below(), flags, out);
  if (code == SQLITE_OK) return code;
  if (mine->below()->pMethods != nullptr) mine->methods().xClose(mine->below());
  mine->~WalFile();
  file->pMethods = nullptr;
  return code;
}

int remove(sqlite3_vfs* vfs, const char* name, int sync_directory) {
  auto* lower = of(vfs).lower();
  return lower == nullptr ? SQLITE_IOERR : lower->xDelete(lower, name, sync_directory);
}
int access(sqlite3_vfs* vfs, const char* name, int flags, int* out) {
  auto* lower = of(vfs).lower();
  return lower == nullptr ? SQLITE_IOERR : lower->xAccess(lower, name, flags, out);
}
int full_name(sqlite3_vfs* vfs, const char* name, int bytes, char* out) {
  auto* lower = of(vfs).lower();
  return lower == nullptr ? SQLITE_CANTOPEN : lower->xFullPathname(lower, name, bytes, out);
}

std::unique_ptr<Vfs> make(const std::string& below) {
  auto made = std::make_unique<Vfs>();
  made->below = below;
  made->name = "warmpool-gather" + (below.empty() ? "" : "-" + below);
  const auto* lower = made->lower();
  if (lower == nullptr) return nullptr;
  made->base = *lower;
  made->base.szOsFile = std::max(lower->szOsFile, static_cast<int>(sizeof(WalFile)));
  made->base.pNext = nullptr;
  made->base.zName = made->name.c_str();
  made->base.pAppData = made.get();
  made->base.xOpen = open;
  made->base.xDelete = remove;
  made->base.xAccess = access;
  made->base.xFullPathname = full_name;
  ::sqlite3_vfs_register(&made->base, 0);
  return made;
}

}  // namespace

std::string gathering_vfs(const std::string& below) {
  static std::mutex mutex;
  static auto& made = *new std::map<std::string, std::unique_ptr<Vfs>>;
  const std::lock_guard guard(mutex);
  auto& vfs = made[below];
  if (!vfs) vfs = make(below);
  return vfs ? vfs->name : below;
}

}  // namespace warmpool::daemon
