// Statements are prepared once and live as long as their connection, so every call here is a bind,
// a step or a column. Memory statistics are off: they cost a global lock at each allocation.
#include "daemon/store/sqlite.hpp"

#include <cerrno>
#include <cstring>
#include <mutex>

#include <sqlite3.h>

#include "daemon/store/storage_words.hpp"

namespace warmpool::daemon {
namespace {

void set_up_library() {
  static std::once_flag once;
  std::call_once(once, [] { ::sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); });
}

// SQLite forgets the reason of a commit that failed; then what the thread's errno still says, if
// that is a reason of a disk.
int reason_of(sqlite3* handle, int last) {
  if (const int kept = ::sqlite3_system_errno(handle); kept != 0) return kept;
  return code_of_errno(last) == SQLITE_CANTOPEN ? 0 : last;
}

// A statement by its beginning: the rest of it helps nobody who reads a log.
std::string brief(std::string_view what) {
  constexpr std::size_t bytes_max = 48;
  std::string line(what.substr(0, what.find('\n')));
  if (line.size() <= bytes_max) return line;
  line.resize(bytes_max);
  line.append("...");
  return line;
}

// What sqlite3_bind_text and the like take for "it lives until you are done".
const sqlite3_destructor_type kStatic = nullptr;

}  // namespace

Statement::~Statement() { ::sqlite3_finalize(statement_); }

Step Statement::step() {
  const int code = ::sqlite3_step(statement_);
  if (code == SQLITE_ROW) return Step::Row;
  return code == SQLITE_DONE ? Step::Done : Step::Failed;
}

bool Statement::run() {
  const bool done = step() == Step::Done;
  reset();
  return done;
}

void Statement::reset() { ::sqlite3_reset(statement_); }

std::int64_t Statement::integer(int column) const {
  return ::sqlite3_column_int64(statement_, column);
}

std::string_view Statement::text(int column) const { return ipc::text_of(bytes(column)); }

// Bytes first, length second: the other way round a conversion could change the length.
ipc::Bytes Statement::bytes(int column) const {
  const auto* bytes = static_cast<const std::byte*>(::sqlite3_column_blob(statement_, column));
  const auto size = static_cast<std::size_t>(::sqlite3_column_bytes(statement_, column));
  return bytes == nullptr ? ipc::Bytes{} : ipc::Bytes{bytes, size};
}

bool Statement::is_null(int column) const {
  return ::sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

std::string Statement::name(int column) const {
  const char* name = ::sqlite3_column_name(statement_, column);
  return name == nullptr ? std::string() : std::string(name);
}

void Statement::bind(int at, std::int64_t value) { ::sqlite3_bind_int64(statement_, at, value); }

void Statement::bind(int at, std::nullptr_t) { ::sqlite3_bind_null(statement_, at); }

void Statement::bind(int at, std::optional<std::uint64_t> value) {
  value ? bind(at, *value) : bind(at, nullptr);
}

void Statement::bind(int at, std::string_view text) {
  ::sqlite3_bind_text64(statement_, at, text.data() == nullptr ? "" : text.data(), text.size(),
                        kStatic, SQLITE_UTF8);
}

void Statement::bind(int at, ipc::Bytes bytes) {
  if (bytes.empty()) {
    ::sqlite3_bind_zeroblob(statement_, at, 0);
  } else {
    ::sqlite3_bind_blob64(statement_, at, bytes.data(), bytes.size(), kStatic);
  }
}

Database::~Database() { ::sqlite3_close_v2(handle_); }

Result<Database> Database::open(const std::string& path, OpenMode mode, const std::string& vfs) {
  set_up_library();
  Database database;
  const int flags =
      SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE |
      (mode == OpenMode::ReadOnly ? int{SQLITE_OPEN_READONLY} : int{SQLITE_OPEN_READWRITE});
  const int code = ::sqlite3_open_v2(path.c_str(), &database.handle_, flags,
                                     vfs.empty() ? nullptr : vfs.c_str());
  if (code != SQLITE_OK) return database.error("cannot open " + path);
  ::sqlite3_extended_result_codes(database.handle_, 1);
  ::sqlite3_db_config(database.handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  return database;
}

void Database::close_whole() {
  ::sqlite3_db_config(handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, nullptr);
  ::sqlite3_close_v2(std::exchange(handle_, nullptr));
}

Result<void> Database::run(const std::string& sql) {
  if (::sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return error(sql);
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = ::sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return error(sql);
  return Statement(statement);
}

Result<std::int64_t> Database::integer(std::string_view sql) {
  auto statement = prepare(sql);
  if (!statement) return statement.error();
  if (const auto step = statement->step(); step != Step::Row) return no_row(sql, step);
  return statement->integer(0);
}

Result<std::string> Database::text(std::string_view sql) {
  auto statement = prepare(sql);
  if (!statement) return statement.error();
  if (const auto step = statement->step(); step != Step::Row) return no_row(sql, step);
  return std::string(statement->text(0));
}

Result<bool> Database::has_column(std::string_view table, std::string_view column) {
  const auto count = integer("SELECT count(*) FROM pragma_table_info('" + std::string(table) +
                             "') WHERE name = '" + std::string(column) + "'");
  if (!count) return count.error();
  return *count != 0;
}

Error Database::no_row(std::string_view what, Step step) const {
  if (step == Step::Failed) return error(what);
  const char* file = ::sqlite3_db_filename(handle_, "main");
  return {SQLITE_CORRUPT, std::string(file == nullptr ? "the store" : file) +
                              ": it is damaged: there is no row: " + brief(what)};
}

bool Database::is_idle() const { return ::sqlite3_get_autocommit(handle_) != 0; }

int Database::changes() const { return ::sqlite3_changes(handle_); }

int Database::code() const { return ::sqlite3_extended_errcode(handle_); }

// SQLite says in its own words what the system refused; errno says why, where there was one.
Error Database::error(std::string_view what) const {
  const int last = errno;
  if (handle_ == nullptr) return {SQLITE_NOMEM, std::string(what) + ": out of memory"};
  const int failed = code();
  const int group = failed & 0xff;
  const bool by_system = group == SQLITE_IOERR || group == SQLITE_CANTOPEN;
  const int reason = by_system ? reason_of(handle_, last) : 0;
  const bool full = reason != 0 && code_of_errno(reason) == SQLITE_FULL;
  const char* file = ::sqlite3_db_filename(handle_, "main");
  std::string text = file == nullptr ? std::string() : std::string(file) + ": ";
  if (const auto trouble = storage_trouble(full ? SQLITE_FULL : failed); !trouble.empty()) {
    text += std::string(trouble) + ": ";
  }
  text += brief(what) + ": " + ::sqlite3_errmsg(handle_);
  if (reason != 0) text += std::string(": ") + std::strerror(reason);
  return {failed, std::move(text)};
}

}  // namespace warmpool::daemon
