// The tables are made by the texts of their versions, which never change; the rows are what each
// version could write.
#include "tests/campaign/old_store.hpp"

#include <array>
#include <chrono>
#include <filesystem>

#include <nlohmann/json.hpp>
#include <sqlite3.h>

#include "daemon/store/schema_sql.hpp"

namespace warmpool::campaign {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::array<const char*, kOldVersions> kSteps{
    daemon::kSchemaVersion1, daemon::kSchemaVersion2, daemon::kSchemaVersion3,
    daemon::kSchemaVersion4, daemon::kSchemaVersion5};

// Of life 3. Word 1 of the causes is "failed", 1 of the charges is "failure".
constexpr const char* kRows = R"sql(
UPDATE store SET life = 3, record = 9, instant = 1000000000000, done = 1, dead = 1,
  wall = strftime('%s', 'now') * 1000000000;
INSERT INTO types VALUES(1, 'work'), (2, 'doomed'), (3, 'flaky');
INSERT INTO tenants VALUES(1, '');
INSERT INTO slots VALUES(1, 'worker-0');
INSERT INTO tasks(id, type, tenant, uid, priority, durability, cancel_on_disconnect, keep_result,
  retries, crashes_max, timeout, deadline, expiry, run_at, accepted_at, eligible_at, content,
  payload_bytes, payload) VALUES
  ((3 << 40) + 1, 1, 1, 0, 50, 0, 0, 1, 3, 3, 300000000000, 0, 0, 0, 5, 5, 1, 1, CAST('0' AS BLOB)),
  ((3 << 40) + 2, 3, 1, 0, 50, 0, 0, 1, 3, 3, 300000000000, 0, 0, 0, 6, 6, 1, 1, CAST('1' AS BLOB)),
  ((3 << 40) + 3, 2, 1, 0, 50, 0, 0, 1, 0, 3, 300000000000, 0, 0, 0, 7, 7, 1, 4, CAST('dead' AS BLOB));
INSERT INTO progress(task, round, round_at, attempt, ended, failures, cause, eligible_at,
  started_at, slot, worker, dead_at) VALUES
  ((3 << 40) + 2, 1, 6, 1, 1, 1, 1, 10, 8, 1, 7, NULL),
  ((3 << 40) + 3, 1, 7, 1, 1, 1, 1, NULL, 9, 1, 7, 11);
INSERT INTO attempts(task, position, round, attempt, cause, charge, code, slot, worker, started_at,
  ended_at, error, output) VALUES
  ((3 << 40) + 2, 0, 1, 1, 1, 1, 0, 1, 7, 8, 9, 'as asked', ''),
  ((3 << 40) + 3, 0, 1, 1, 1, 1, 0, 1, 7, 9, 11, 'of old', '');
INSERT INTO results(sequence, task, type, tenant, uid, durability, keep_result, accepted_at,
  payload_bytes, round, attempt, verdict, cause, failures, crashes, interruptions, started_at,
  settled_at, slot, attempts, content, bytes, checksum, body) VALUES
  (1, (3 << 40) + 4, 1, 1, 0, 0, 1, 5, 1, 1, 1, 0, 0, 0, 0, 0, 6, 7, 1, 0, 1, 10, NULL,
   CAST('old result' AS BLOB));
)sql";

std::string id_of(std::uint64_t number) {
  return std::to_string((std::uint64_t{3} << 40) + number);
}

}  // namespace

std::string make_old_store(const std::string& state_directory, int version) {
  std::error_code none;
  fs::create_directory(state_directory, none);
  fs::permissions(state_directory, fs::perms::owner_all, none);
  std::string sql = "PRAGMA journal_mode = WAL; PRAGMA application_id = 2003857260; BEGIN;";
  for (int at = 0; at < version; ++at) sql += kSteps[static_cast<std::size_t>(at)];
  sql += kRows + std::string("PRAGMA user_version = ") + std::to_string(version) + "; COMMIT;";
  const auto path = state_directory + "/warmpool.db";
  sqlite3* open = nullptr;
  std::string fault;
  if (::sqlite3_open(path.c_str(), &open) != SQLITE_OK ||
      ::sqlite3_exec(open, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    fault = "no store of version " + std::to_string(version) + ": " + ::sqlite3_errmsg(open);
  }
  ::sqlite3_close(open);
  return fault;
}

std::string fault_of_old_store(const test::RealDaemon& daemon) {
  json tasks;
  const auto are_done = [&] {
    tasks = test::status_of(daemon).value("tasks", json::object());
    return tasks.value("done", 0) == 3;
  };
  if (!test::eventually(are_done) || tasks.at("dead") != 1 || tasks.at("waiting") != 0) {
    return "its tasks: " + tasks.dump();
  }
  const auto result = daemon.call("result " + id_of(4));
  if (result.output.find("old result") == std::string::npos) {
    return "its result: " + result.output;
  }
  const auto letter = daemon.call("dlq show " + id_of(3));
  if (letter.output.find("of old") == std::string::npos) return "its letter: " + letter.output;
  return {};
}

}  // namespace warmpool::campaign
