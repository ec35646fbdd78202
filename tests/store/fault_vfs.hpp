// A disk that fails when it is told to, and that knows what a power cut would leave of it: a SQLite
// VFS over the system's, for stores under test.
//
// Of the database and its WAL it keeps what was synced, and every write since. A cut makes files
// out of that: the synced bytes with none, all, a beginning, some, or torn pieces of the writes
// after them, because a disk may have kept any of these.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

struct sqlite3_vfs;

namespace warmpool::daemon {

enum class DiskFile : std::uint8_t { Database, Wal, Journal, Other };
enum class DiskCall : std::uint8_t {
  Open,
  Read,
  Write,
  Truncate,
  Sync,
  Size,
  Delete,
  Lock,
  Access,
  Share,  // of the WAL's index, in memory
  Begin   // of a transaction that writes
};

// The `first`-th call of this kind (from 1, since the fault was set) answers `code` instead of
// being carried out, and so do all after it while it is sticky.
struct DiskFault {
  DiskCall call;
  std::optional<DiskFile> file;  // none: any
  std::uint64_t first = 1;
  bool sticky = false;
  int code = 0;
  bool carried_out = false;  // a write, all the same
};

// What is kept of the writes after the last sync.
enum class Torn : std::uint8_t { None, All, Beginning, Some, Pieces };

class FaultVfs {
 public:
  // Registers itself under a name of its own.
  FaultVfs();
  ~FaultVfs();
  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;
  const std::string& name() const { return name_; }

  // --- faults ---
  void set_fault(const DiskFault& fault);
  void clear_faults();
  std::uint64_t faults_met() const;
  std::uint64_t calls(DiskCall call) const;
  // From now on syncs wait until let_syncs_go(), of this file or of any. Blocks: neither.
  void hold_syncs(std::optional<DiskFile> file = {});
  void let_syncs_go();
  bool sync_waits() const;
  // Syncs reach no disk: many lives are opened quickly.
  void skip_syncs() { skips_syncs_ = true; }

  // --- power cuts ---
  struct Image {
    struct Write {
      std::uint64_t offset = 0;
      std::string bytes;
      bool truncates = false;  // to `offset`
    };
    std::string synced;
    std::vector<Write> unsynced;
    bool exists = false, existed = false;  // now; at the last sync
  };
  struct Moment {
    Image database, wal, journal;
    std::uint64_t mark = 0;  // of on_sync(), from before that moment
  };
  // Before and after each sync of the database, its WAL or its journal. Called on the threads that
  // sync. `mark`: anything that only grows.
  using OnSync = std::function<void(const Moment&)>;
  using Mark = std::function<std::uint64_t()>;
  void on_sync(OnSync handler, Mark mark = {});
  Moment moment() const;
  // Makes the files at `path` as a power cut at that moment would leave them.
  static void make_files(const Moment& moment, Torn torn, std::uint64_t seed,
                         const std::string& path);

 private:
  struct Vfs;
  struct File;
  friend struct FaultCalls;

  // Whether the call is to fail, and how: 0 is not.
  int judge(DiskCall call, DiskFile file, bool* carried_out = nullptr);
  void wait_for_sync(DiskFile file);
  Image* image_of(DiskFile file);
  void tell_sync();

  std::string name_;
  std::unique_ptr<Vfs> vfs_;
  bool skips_syncs_ = false;

  mutable std::mutex mutex_;
  std::condition_variable released_;
  struct Armed {
    DiskFault fault;
    std::uint64_t seen = 0;
  };
  std::vector<Armed> faults_;
  std::map<DiskCall, std::uint64_t> calls_;
  std::uint64_t met_ = 0;
  bool holds_ = false;
  std::optional<DiskFile> held_;  // none: all
  int waiting_ = 0;
  Moment moment_;
  OnSync on_sync_;
  Mark mark_;
};

}  // namespace warmpool::daemon
