// One row for each group of codes: a person needs to know what to do, not which call it was.
#include "daemon/store/storage_words.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <sqlite3.h>

namespace warmpool::daemon {
namespace {

struct Row {
  int code;  // without SQLite's extension
  Refusal refusal;
  std::string_view trouble, hint;
};

constexpr std::string_view kLocked =
    "end the program that has it open (fuser or lsof shows which) and try again";
constexpr std::string_view kDamagedHint =
    "restore a backup, or move the directory away to begin with an empty store";
constexpr std::string_view kOwner =
    "see that it and its directory are there, and that the daemon's user may use them (ls -l)";

constexpr std::array kRows{
    Row{SQLITE_FULL, Refusal::InputOutput, "the disk is full",
        "make room on its file system (df), or raise the quota or the limit of file sizes"},
    Row{SQLITE_READONLY, Refusal::CannotCreate, "it cannot be written to",
        "see whether its file system is mounted read-only (mount) or it belongs to another user"},
    Row{SQLITE_IOERR, Refusal::InputOutput, "the system could not read or write it",
        "look at the kernel's messages (dmesg) and at the free space (df)"},
    Row{SQLITE_CANTOPEN, Refusal::CannotCreate, "it cannot be opened or made", kOwner},
    Row{SQLITE_PERM, Refusal::NoPermission, "the daemon's user may not use it", kOwner},
    Row{SQLITE_AUTH, Refusal::NoPermission, "the daemon's user may not use it", kOwner},
    Row{SQLITE_BUSY, Refusal::StoreUnavailable, "another program has locked it", kLocked},
    Row{SQLITE_LOCKED, Refusal::StoreUnavailable, "another program has locked it", kLocked},
    Row{SQLITE_PROTOCOL, Refusal::StoreUnavailable, "another program has locked it", kLocked},
    Row{SQLITE_CORRUPT, Refusal::Damaged, "it is damaged", kDamagedHint},
    Row{SQLITE_NOTADB, Refusal::Damaged, "it is no database", kDamagedHint},
    Row{SQLITE_ERROR, Refusal::Damaged, "it is damaged", kDamagedHint},
    Row{SQLITE_CONSTRAINT, Refusal::Damaged, "it is damaged", kDamagedHint},
    Row{SQLITE_MISMATCH, Refusal::Damaged, "it is damaged", kDamagedHint},
    Row{SQLITE_NOMEM, Refusal::StoreUnavailable, "out of memory",
        "give it more memory, or lower its bounds; what was acknowledged is kept"},
    Row{SQLITE_INTERRUPT, Refusal::Stopping, "", "do it again when the daemon is back"},
};

const Row* find(int code) {
  const int group = code == SQLITE_IOERR_NOMEM ? SQLITE_NOMEM : code & 0xff;
  const auto row = std::ranges::find(kRows, group, &Row::code);
  return code <= 0 || row == kRows.end() ? nullptr : &*row;
}

}  // namespace

int code_of_errno(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return SQLITE_FULL;
    case EROFS:
      return SQLITE_READONLY;
    case EACCES:
    case EPERM:
      return SQLITE_PERM;
    case EIO:
      return SQLITE_IOERR;
    default:
      return SQLITE_CANTOPEN;
  }
}

std::string_view storage_trouble(int code) {
  const auto* row = find(code);
  return row == nullptr ? std::string_view() : row->trouble;
}

Error with_hint(Error error) {
  if (const auto* row = find(error.code)) error.text += "; " + std::string(row->hint);
  return error;
}

Error system_error(const std::string& what) {
  const int error = errno;
  return {code_of_errno(error), what + ": " + std::strerror(error)};
}

Error call_error(const std::string& path, std::string_view what, int code) {
  const int reason = errno;
  const bool full = reason != 0 && code_of_errno(reason) == SQLITE_FULL;
  std::string text = path + ": " + std::string(storage_trouble(full ? SQLITE_FULL : code)) + ": " +
                     std::string(what) + ": " + ::sqlite3_errstr(code);
  if (reason != 0) text += std::string(": ") + std::strerror(reason);
  return {code, std::move(text)};
}

Refusal refusal_of_storage(int code) {
  const auto* row = find(code);
  return row == nullptr ? Refusal::InputOutput : row->refusal;
}

}  // namespace warmpool::daemon
