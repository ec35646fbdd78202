// SQLite behind two owners, so that no source but this folder's sees its functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "ipc/bytes.hpp"
#include "pool/result.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace warmpool::daemon {

// What a step came to. Failed: Database::error() tells.
enum class Step : std::uint8_t { Row, Done, Failed };

// Text and bytes that are bound must live until the next step(). Columns count from 0, parameters
// from 1; what a column gives is valid until the next step() or reset().
class Statement {
 public:
  Statement() = default;
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  Statement(Statement&& other) noexcept : statement_(std::exchange(other.statement_, nullptr)) {}
  Statement& operator=(Statement&& other) noexcept {
    std::swap(statement_, other.statement_);
    return *this;
  }
  ~Statement();

  // Binds all parameters in their order.
  template <class... Values>
  Statement& with(const Values&... values) {
    int at = 0;
    (bind(++at, values), ...);
    return *this;
  }
  void bind(int at, std::int64_t value);
  void bind(int at, std::uint64_t value) { bind(at, static_cast<std::int64_t>(value)); }
  void bind(int at, std::uint32_t value) { bind(at, static_cast<std::int64_t>(value)); }
  void bind(int at, std::int32_t value) { bind(at, static_cast<std::int64_t>(value)); }
  void bind(int at, bool value) { bind(at, static_cast<std::int64_t>(value)); }
  void bind(int at, std::nullptr_t);
  void bind(int at, std::optional<std::uint64_t> value);
  void bind(int at, std::string_view text);
  void bind(int at, const std::string& text) { bind(at, std::string_view(text)); }
  void bind(int at, ipc::Bytes bytes);

  Step step();
  // For a statement that gives no rows: step and reset.
  bool run();
  void reset();

  std::int64_t integer(int column) const;
  template <class Number>
  Number number(int column) const {
    return static_cast<Number>(integer(column));
  }
  std::string_view text(int column) const;
  ipc::Bytes bytes(int column) const;
  bool is_null(int column) const;
  std::string name(int column) const;

 private:
  sqlite3_stmt* statement_ = nullptr;
};

enum class OpenMode : std::uint8_t { ReadOnly, ReadWrite };

// One connection. To close it leaves the WAL as it is: what of it may be moved into the file, and
// when, is decided elsewhere. Order: its statements end before it. Threads: one at a time.
class Database {
 public:
  Database() = default;
  Database(Database&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Database& operator=(Database&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Database();

  // The file must be there. `vfs` empty: the system's. Errors: Error::code is SQLite's.
  static Result<Database> open(const std::string& path, OpenMode mode, const std::string& vfs);

  // The last connection that closes takes the WAL away, which is empty.
  void close_whole();

  Result<void> run(const std::string& sql);
  Result<Statement> prepare(std::string_view sql);
  // The first column of the first row. Errors: SQLITE_CORRUPT where there is none.
  Result<std::int64_t> integer(std::string_view sql);
  Result<std::string> text(std::string_view sql);
  // Stores of earlier versions lack some. False also where there is no such table.
  Result<bool> has_column(std::string_view table, std::string_view column);

  // Outside a transaction.
  bool is_idle() const;
  // Rows that the last statement changed.
  int changes() const;
  // After a step() that was to give a row and did not.
  Error no_row(std::string_view what, Step step) const;
  // Of the last call: the file, what is wrong with it, `what` was tried, SQLite's words and the
  // system's reason. Error::code: SQLite's extended one.
  Error error(std::string_view what) const;
  int code() const;
  sqlite3* handle() const { return handle_; }
  explicit operator bool() const { return handle_ != nullptr; }

 private:
  sqlite3* handle_ = nullptr;
};

}  // namespace warmpool::daemon
