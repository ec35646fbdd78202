// The file of what was accepted and is not in the tables yet.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "daemon/clock.hpp"
#include "daemon/store/change.hpp"

struct sqlite3_file;

namespace warmpool::daemon {

// What is written together, and may be told as kept when it is synced.
struct JournalGroup {
  // Counts the groups of a life, from 1; in the file it only grows.
  std::uint64_t sequence = 0;
  RecordNumber through;
  Instant now;    // when it is written
  WallTime wall;  // the same moment
};

// A file that is opened through one of SQLite's VFSs, so that the disks of tests have it too.
// Errors: Error::code is SQLite's.
class JournalFile {
 public:
  JournalFile() = default;
  static Result<JournalFile> open(const std::string& path, const std::string& vfs);
  JournalFile(JournalFile&& other) noexcept;
  JournalFile& operator=(JournalFile&& other) noexcept;
  ~JournalFile();

  Result<std::uint64_t> size();
  Result<void> read(std::uint64_t at, std::span<std::byte> to);
  Result<void> write(std::uint64_t at, ipc::Bytes bytes);
  Result<void> sync();

 private:
  sqlite3_file* file() const { return reinterpret_cast<sqlite3_file*>(memory_.get()); }
  Result<void> told(int code, std::string_view what) const;

  std::string path_;
  std::unique_ptr<std::byte[]> memory_;  // the VFS's, and the name; null: none is open
};

// Groups one behind another, in one of two halves of a file that is written over and over: to
// write where bytes were before costs the disk less than to make a file longer. A half is used
// again once the tables have all of it, synced.
//
// Layout: a page with the head (64 bytes: "wpjl", version, life, bytes of a half, a salt, XXH3 of
// these), the two halves, each a row of groups: a head of 64 bytes ("wpjg", bytes of the changes,
// life xor salt, sequence, through, now, wall, changes, turn, XXH3 of all of it with the changes,
// seeded with the salt), and the changes, up to a multiple of 8. A half ends where what follows has
// a wrong sum, another turn, another life or no higher sequence: what is left of the turn before.
// "wpjs" in place of "wpjg": all before it was synced when it was written.
//
// Threads: one. Errors: Error::code is SQLite's; after one of write() or sync() nobody knows what
// of the group is on the disk.
class Journal {
 public:
  struct Setup {
    std::string path, vfs;
    std::uint64_t bytes = 0;  // of both halves
    std::uint64_t step = 0;   // so much is written with zeros at once, ahead of what needs it
    std::uint64_t life = 0;
  };
  // Begins a life; what an earlier one left is gone. Order: the tables know of this life.
  static Result<Journal> begin(const Setup& setup);

  // Bytes of a group with so many bytes of changes.
  static std::uint64_t bytes_of(std::uint64_t changes);
  bool is_ever_room(std::uint64_t changes) const { return bytes_of(changes) <= half_bytes_; }
  bool is_room(std::uint64_t changes) const { return at_ + bytes_of(changes) <= half_bytes_; }
  // So many bytes of changes a group has at most, so that several fit, where one batch is not more.
  std::uint64_t group_bytes() const { return half_bytes_ / 4; }
  // The newest group of the half that is written next.
  std::uint64_t last_of_next() const { return last_[1 - half_]; }
  // Order: the tables have last_of_next(), synced; and all that was written here is synced.
  void turn_over();
  // Errors: as raw_files.hpp has it; nobody would find what is written to another file.
  Result<void> still_there() const;
  // Order: is_room().
  Result<void> write(const JournalGroup& group, std::uint32_t count, std::string_view changes);
  Result<void> sync();
  // After a write() that failed: makes sure that nothing of it is there. NotSynced: and of what was
  // not synced before nobody knows, either.
  enum class Forgotten : std::uint8_t { Surely, Perhaps, NotSynced };
  Forgotten forget();

 private:
  std::uint64_t place() const;

  JournalFile file_;
  std::string path_;
  std::uint64_t inode_ = 0;
  std::uint64_t life_ = 0, half_bytes_ = 0, step_ = 0, salt_ = 0;
  std::uint32_t turn_ = 1;
  std::uint64_t end_ = 0;  // of what was written once, with what it is or with zeros
  std::size_t half_ = 0;
  std::uint64_t at_ = 0;  // in the half
  bool synced_ = true;    // all that was written
  std::array<std::uint64_t, 2> last_{};
  // Of the last write(): its group, with zeros behind it; how long the group is.
  std::string bytes_;
  std::uint64_t tried_ = 0;
};

// Tells each group that a life left, in order, from the one after `sequence` on. Returns whether
// something is behind them that is not whole and was not synced before what came after it: power
// was cut, or the disk has lost the end. Errors: Error::code is SQLite's or kStoreDamaged: the file
// is none of ours, or groups that were synced are not whole; or what `tell` said. Blocks: while it
// is read.
using TellGroup = std::function<Result<void>(const JournalGroup&, ChangeBatch)>;
Result<bool> read_journal(const std::string& path, const std::string& vfs, std::uint64_t life,
                          std::uint64_t sequence, const TellGroup& tell);

std::string journal_path(const std::string& database);
// The life that the journal is of. None: there is none that could be opened, it was never used, or
// its head tells nothing. Errors: it cannot be read; Error::code is SQLite's.
Result<std::optional<std::uint64_t>> journal_life(const std::string& path, const std::string& vfs);

}  // namespace warmpool::daemon
