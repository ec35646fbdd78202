// A version is one transaction: whatever ends the daemon, the file has all of it or nothing.
#include <array>

#include "daemon/store/schema.hpp"
#include "daemon/store/schema_sql.hpp"

namespace warmpool::daemon {

Result<void> migrate_one(Database& database, const MigrationStep& step) {
  if (auto ok = database.run("BEGIN IMMEDIATE"); !ok) return ok;
  auto done = step.migration(database);
  if (done) done = database.run("PRAGMA user_version = " + std::to_string(step.version));
  if (done) done = database.run("COMMIT");
  if (!done) (void)database.run("ROLLBACK");
  return done;
}

std::span<const Migration> schema_migrations() {
  static const std::array<Migration, 7> migrations{
      [](Database& database) { return database.run(kSchemaVersion1); },
      [](Database& database) { return database.run(kSchemaVersion2); },
      [](Database& database) { return database.run(kSchemaVersion3); },
      [](Database& database) { return database.run(kSchemaVersion4); },
      [](Database& database) { return database.run(kSchemaVersion5); },
      [](Database& database) { return database.run(kSchemaVersion6); },
      [](Database& database) { return database.run(kSchemaVersion7); }};
  return migrations;
}

}  // namespace warmpool::daemon
