// Every call goes to the system's VFS after it was judged and noted. Locks and the WAL's index in
// shared memory pass through: they do not survive a machine.
#include "tests/store/fault_vfs.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <fstream>
#include <random>

#include <sqlite3.h>

namespace warmpool::daemon {

struct FaultVfs::Vfs {
  sqlite3_vfs base{};
  sqlite3_vfs* system = nullptr;
  FaultVfs* owner = nullptr;
};

// SQLite allocates szOsFile bytes: this, and behind it the system's.
struct FaultVfs::File {
  sqlite3_file base;
  FaultVfs* owner;
  DiskFile kind;
  sqlite3_file* below() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  const sqlite3_io_methods& methods() { return *below()->pMethods; }
};

namespace {

std::string next_name() {
  static std::atomic<int> last{0};
  return "warmpool-fault-" + std::to_string(++last);
}

DiskFile kind_of(const char* name, int flags) {
  if ((flags & SQLITE_OPEN_MAIN_DB) != 0) {
    // A new store is made whole under another name first; that is not what is cut.
    const std::string_view text(name == nullptr ? "" : name);
    return text.ends_with(".new") ? DiskFile::Other : DiskFile::Database;
  }
  if (name != nullptr && std::string_view(name).ends_with(".journal")) return DiskFile::Journal;
  return (flags & SQLITE_OPEN_WAL) != 0 ? DiskFile::Wal : DiskFile::Other;
}

void apply(std::string& bytes, std::uint64_t offset, std::string_view written) {
  if (bytes.size() < offset + written.size()) bytes.resize(offset + written.size());
  std::memcpy(bytes.data() + offset, written.data(), written.size());
}

void apply(std::string& bytes, const FaultVfs::Image::Write& write) {
  if (write.truncates) {
    bytes.resize(write.offset);
  } else {
    apply(bytes, write.offset, write.bytes);
  }
}

}  // namespace

// The functions that SQLite calls.
struct FaultCalls {
  using File = FaultVfs::File;
  static File& of(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }
  static FaultVfs::Vfs& of(sqlite3_vfs* vfs) { return *reinterpret_cast<FaultVfs::Vfs*>(vfs); }

  static int close(sqlite3_file* file) {
    auto& mine = of(file);
    return mine.below()->pMethods == nullptr ? SQLITE_OK : mine.methods().xClose(mine.below());
  }
  static int read(sqlite3_file* file, void* to, int bytes, sqlite3_int64 offset) {
    auto& mine = of(file);
    if (const int code = mine.owner->judge(DiskCall::Read, mine.kind)) return code;
    return mine.methods().xRead(mine.below(), to, bytes, offset);
  }
  static int write(sqlite3_file* file, const void* from, int bytes, sqlite3_int64 offset) {
    auto& mine = of(file);
    bool carried_out = false;
    const int told = mine.owner->judge(DiskCall::Write, mine.kind, &carried_out);
    if (told != SQLITE_OK && !carried_out) return told;
    const int code = mine.methods().xWrite(mine.below(), from, bytes, offset);
    if (code != SQLITE_OK) return code;
    const std::lock_guard lock(mine.owner->mutex_);
    if (auto* image = mine.owner->image_of(mine.kind)) {
      image->unsynced.push_back(
          {static_cast<std::uint64_t>(offset),
           std::string(static_cast<const char*>(from), static_cast<std::size_t>(bytes)), false});
    }
    return told;
  }
  static int truncate(sqlite3_file* file, sqlite3_int64 size) {
    auto& mine = of(file);
    if (const int code = mine.owner->judge(DiskCall::Truncate, mine.kind)) return code;
    const int code = mine.methods().xTruncate(mine.below(), size);
    if (code != SQLITE_OK) return code;
    const std::lock_guard lock(mine.owner->mutex_);
    if (auto* image = mine.owner->image_of(mine.kind)) {
      image->unsynced.push_back({static_cast<std::uint64_t>(size), {}, true});
    }
    return code;
  }
  static int sync(sqlite3_file* file, int flags) {
    auto& mine = of(file);
    auto& owner = *mine.owner;
    owner.tell_sync();
    owner.wait_for_sync(mine.kind);
    if (const int code = owner.judge(DiskCall::Sync, mine.kind)) {
      // As a kernel does: what could not be written reads as before, and no later sync writes it.
      const std::lock_guard lock(owner.mutex_);
      if (auto* image = owner.image_of(mine.kind)) image->unsynced.clear();
      return code;
    }
    if (!owner.skips_syncs_) {
      if (const int code = mine.methods().xSync(mine.below(), flags)) return code;
    }
    {
      const std::lock_guard lock(owner.mutex_);
      if (auto* image = owner.image_of(mine.kind)) {
        for (const auto& write : image->unsynced) apply(image->synced, write);
        image->unsynced.clear();
        image->existed = true;
      }
    }
    owner.tell_sync();
    return SQLITE_OK;
  }
  static int file_size(sqlite3_file* file, sqlite3_int64* size) {
    auto& mine = of(file);
    if (const int code = mine.owner->judge(DiskCall::Size, mine.kind)) return code;
    return mine.methods().xFileSize(mine.below(), size);
  }
  static int lock(sqlite3_file* file, int level) {
    auto& mine = of(file);
    if (const int code = mine.owner->judge(DiskCall::Lock, mine.kind)) return code;
    return mine.methods().xLock(mine.below(), level);
  }
  static int unlock(sqlite3_file* file, int level) {
    return of(file).methods().xUnlock(of(file).below(), level);
  }
  static int check_lock(sqlite3_file* file, int* out) {
    return of(file).methods().xCheckReservedLock(of(file).below(), out);
  }
  static int control(sqlite3_file* file, int what, void* argument) {
    return of(file).methods().xFileControl(of(file).below(), what, argument);
  }
  static int sector_size(sqlite3_file* file) {
    return of(file).methods().xSectorSize(of(file).below());
  }
  // No promise of the disk is believed: neither whole sectors nor order.
  static int traits(sqlite3_file*) { return 0; }
  static int shm_map(sqlite3_file* file, int page, int size, int extend, void volatile** out) {
    *out = nullptr;
    if (const int code = of(file).owner->judge(DiskCall::Share, of(file).kind)) return code;
    return of(file).methods().xShmMap(of(file).below(), page, size, extend, out);
  }
  static int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
    constexpr int writer = 0, takes = SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE;
    if (offset == writer && flags == takes) {
      if (const int code = of(file).owner->judge(DiskCall::Begin, of(file).kind)) return code;
    }
    return of(file).methods().xShmLock(of(file).below(), offset, count, flags);
  }
  static void shm_barrier(sqlite3_file* file) { of(file).methods().xShmBarrier(of(file).below()); }
  static int shm_unmap(sqlite3_file* file, int remove) {
    return of(file).methods().xShmUnmap(of(file).below(), remove);
  }

  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out) {
    static const sqlite3_io_methods methods{2,           close,       read,    write,   truncate,
                                            sync,        file_size,   lock,    unlock,  check_lock,
                                            control,     sector_size, traits,  shm_map, shm_lock,
                                            shm_barrier, shm_unmap,   nullptr, nullptr};
    auto& mine = of(file);
    mine.base.pMethods = nullptr;
    mine.owner = of(vfs).owner;
    mine.kind = kind_of(name, flags);
    mine.below()->pMethods = nullptr;
    if (const int code = mine.owner->judge(DiskCall::Open, mine.kind)) return code;
    auto* system = of(vfs).system;
    const int code = system->xOpen(system, name, mine.below(), flags, out);
    if (code != SQLITE_OK) return code;
    mine.base.pMethods = &methods;
    note_opened(mine);
    return SQLITE_OK;
  }

  // What is there when it is opened first was there before the test began.
  static void note_opened(File& file) {
    const std::lock_guard lock(file.owner->mutex_);
    auto* image = file.owner->image_of(file.kind);
    if (image == nullptr || image->exists) return;
    sqlite3_int64 size = 0;
    if (file.methods().xFileSize(file.below(), &size) != SQLITE_OK) return;
    image->synced.resize(static_cast<std::size_t>(size));
    if (size > 0) {
      file.methods().xRead(file.below(), image->synced.data(), static_cast<int>(size), 0);
    }
    image->exists = true;
    image->existed = image->existed || size > 0;
  }

  static int remove(sqlite3_vfs* vfs, const char* name, int sync_directory) {
    auto& mine = of(vfs);
    const bool is_wal = std::string_view(name).ends_with("-wal");
    const auto kind = is_wal ? DiskFile::Wal : DiskFile::Other;
    if (const int code = mine.owner->judge(DiskCall::Delete, kind)) return code;
    const int code = mine.system->xDelete(mine.system, name, sync_directory);
    const std::lock_guard lock(mine.owner->mutex_);
    if (auto* image = mine.owner->image_of(kind); image != nullptr && code == SQLITE_OK) {
      *image = {};
    }
    return code;
  }
  static int access(sqlite3_vfs* vfs, const char* name, int flags, int* out) {
    const int code = of(vfs).owner->judge(DiskCall::Access, DiskFile::Other);
    if (code != SQLITE_OK) return code;
    return of(vfs).system->xAccess(of(vfs).system, name, flags, out);
  }
  static int full_name(sqlite3_vfs* vfs, const char* name, int bytes, char* out) {
    return of(vfs).system->xFullPathname(of(vfs).system, name, bytes, out);
  }
};

FaultVfs::FaultVfs() : name_(next_name()), vfs_(std::make_unique<Vfs>()) {
  vfs_->owner = this;
  vfs_->system = ::sqlite3_vfs_find(nullptr);
  vfs_->base = *vfs_->system;
  vfs_->base.szOsFile = static_cast<int>(sizeof(File)) + vfs_->system->szOsFile;
  vfs_->base.pNext = nullptr;
  vfs_->base.zName = name_.c_str();
  vfs_->base.xOpen = FaultCalls::open;
  vfs_->base.xDelete = FaultCalls::remove;
  vfs_->base.xAccess = FaultCalls::access;
  vfs_->base.xFullPathname = FaultCalls::full_name;
  ::sqlite3_vfs_register(&vfs_->base, 0);
}

FaultVfs::~FaultVfs() { ::sqlite3_vfs_unregister(&vfs_->base); }

void FaultVfs::set_fault(const DiskFault& fault) {
  const std::lock_guard lock(mutex_);
  faults_.push_back({fault});
}

void FaultVfs::clear_faults() {
  const std::lock_guard lock(mutex_);
  faults_.clear();
}

std::uint64_t FaultVfs::faults_met() const {
  const std::lock_guard lock(mutex_);
  return met_;
}

std::uint64_t FaultVfs::calls(DiskCall call) const {
  const std::lock_guard lock(mutex_);
  const auto found = calls_.find(call);
  return found == calls_.end() ? 0 : found->second;
}

int FaultVfs::judge(DiskCall call, DiskFile file, bool* carried_out) {
  const std::lock_guard lock(mutex_);
  ++calls_[call];
  for (auto& [fault, seen] : faults_) {
    if (fault.call != call || (fault.file && *fault.file != file)) continue;
    ++seen;
    if (seen != fault.first && !(fault.sticky && seen > fault.first)) continue;
    ++met_;
    if (carried_out != nullptr) *carried_out = fault.carried_out;
    return fault.code;
  }
  return 0;
}

void FaultVfs::hold_syncs(std::optional<DiskFile> file) {
  const std::lock_guard lock(mutex_);
  held_ = file;
  holds_ = true;
}

void FaultVfs::let_syncs_go() {
  {
    const std::lock_guard lock(mutex_);
    holds_ = false;
  }
  released_.notify_all();
}

bool FaultVfs::sync_waits() const {
  const std::lock_guard lock(mutex_);
  return waiting_ != 0;
}

void FaultVfs::wait_for_sync(DiskFile file) {
  std::unique_lock lock(mutex_);
  if (held_ && *held_ != file) return;
  ++waiting_;
  released_.wait(lock, [this] { return !holds_; });
  --waiting_;
}

FaultVfs::Image* FaultVfs::image_of(DiskFile file) {
  if (file == DiskFile::Database) return &moment_.database;
  if (file == DiskFile::Journal) return &moment_.journal;
  return file == DiskFile::Wal ? &moment_.wal : nullptr;
}

void FaultVfs::on_sync(OnSync handler, Mark mark) {
  const std::lock_guard lock(mutex_);
  on_sync_ = std::move(handler);
  mark_ = std::move(mark);
}

FaultVfs::Moment FaultVfs::moment() const {
  const std::lock_guard lock(mutex_);
  return moment_;
}

void FaultVfs::tell_sync() {
  OnSync handler;
  Moment now;
  {
    const std::lock_guard lock(mutex_);
    if (!on_sync_) return;
    handler = on_sync_;
    const auto mark = mark_ ? mark_() : 0;
    now = moment_;
    now.mark = mark;
  }
  handler(now);
}

namespace {

constexpr std::size_t kSector = 512;

// Of a write some sectors are there and some are not.
void apply_pieces(std::string& bytes, const FaultVfs::Image::Write& write,
                  std::mt19937_64& random) {
  if (write.truncates) return apply(bytes, write);
  for (std::size_t at = 0; at < write.bytes.size(); at += kSector) {
    if (random() % 2 == 0) continue;
    apply(bytes, write.offset + at, std::string_view(write.bytes).substr(at, kSector));
  }
}

std::optional<std::string> bytes_after(const FaultVfs::Image& image, Torn torn,
                                       std::mt19937_64& random) {
  const bool is_new = image.exists && !image.existed;
  if (!image.exists || (is_new && (torn == Torn::None || random() % 2 == 0))) return std::nullopt;
  auto bytes = image.synced;
  const auto& writes = image.unsynced;
  const auto beginning = writes.empty() ? 0 : random() % (writes.size() + 1);
  for (std::size_t at = 0; at < writes.size(); ++at) {
    const bool some = torn == Torn::Some && random() % 2 == 0;
    if (torn == Torn::All || some || (torn == Torn::Beginning && at < beginning)) {
      apply(bytes, writes[at]);
    } else if (torn == Torn::Pieces) {
      apply_pieces(bytes, writes[at], random);
    }
  }
  return bytes;
}

void write_file(const std::string& path, const std::optional<std::string>& bytes) {
  if (bytes) std::ofstream(path, std::ios::binary) << *bytes;
}

}  // namespace

void FaultVfs::make_files(const Moment& moment, Torn torn, std::uint64_t seed,
                          const std::string& path) {
  std::mt19937_64 random(seed);
  write_file(path, bytes_after(moment.database, torn, random));
  write_file(path + "-wal", bytes_after(moment.wal, torn, random));
  write_file(path + ".journal", bytes_after(moment.journal, torn, random));
}

}  // namespace warmpool::daemon
