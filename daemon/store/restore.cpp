// The copy lies beside the store as FILE.restoring until everything else is done, and no store is
// opened while it is there: what a crash leaves half done is never taken for an older store or for
// none.
#include "daemon/store/restore.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/exit_status.hpp"
#include "daemon/store/body_files.hpp"
#include "daemon/store/database_copy.hpp"
#include "daemon/store/journal.hpp"
#include "daemon/store/storage_words.hpp"
#include "daemon/whole_files.hpp"

namespace warmpool::daemon {
namespace {

// So many lives are left out, in which ids may have been given that the backup does not know.
constexpr std::uint64_t kLivesLeftOut = 32;

bool is_there(const std::string& path) {
  struct stat found {};
  return ::lstat(path.c_str(), &found) == 0;
}

// What is set aside, in this order: a database with the WAL of another is damaged, one without can
// be looked at.
struct Part {
  std::string from, to;
};
std::array<Part, 4> parts_of(const std::string& path) {
  const auto aside = path + ".replaced";
  return {{{path + "-wal", aside + "-wal"},
           {journal_path(path), journal_path(aside)},
           {bodies_directory(path), aside + ".bodies"},
           {path, aside}}};
}

Error failed(const std::string& what) { return store_error(system_error(what)); }

Result<void> move(const std::string& from, const std::string& to) {
  if (!is_there(from) || ::rename(from.c_str(), to.c_str()) == 0) return {};
  return failed("cannot rename " + from);
}

// Of the store that is there, as far as it can be read.
std::uint64_t life_of(const std::string& path) {
  if (!is_there(path)) return 0;
  auto database = Database::open(path, OpenMode::ReadOnly, {});
  if (!database) return 0;
  const auto life = database->integer("SELECT life FROM store");
  return life ? static_cast<std::uint64_t>(*life) : 0;
}

Result<Restored> look_at(Database& database, std::uint64_t life_least) {
  Restored restored;
  auto query = database.prepare(
      "SELECT (SELECT count(*) FROM tasks) - (SELECT count(*) FROM progress WHERE dead_at IS NOT "
      "NULL), (SELECT count(*) FROM progress WHERE dead_at IS NOT NULL), "
      "(SELECT count(*) FROM results), life FROM store");
  if (!query) return query.error();
  if (const auto step = query->step(); step != Step::Row) {
    return database.no_row("the table store", step);
  }
  restored.tasks = query->number<std::uint64_t>(0);
  restored.dead = query->number<std::uint64_t>(1);
  restored.results = query->number<std::uint64_t>(2);
  const auto life = std::max(query->number<std::uint64_t>(3) + kLivesLeftOut, life_least);
  query->reset();
  if (auto set = database.run("UPDATE store SET life = " + std::to_string(life)); !set) {
    return set.error();
  }
  return restored;
}

// The newest life that ids may have been given in. A WAL that was set aside knows more than the
// file that it belonged to, but then the copy that was made before knows it as well.
std::uint64_t life_least(const std::string& path) {
  const auto before = life_of(restoring_path(path));
  const bool apart = is_there(restoring_path(path)) && has_set_aside(path);
  return apart ? before : std::max(before, life_of(path));
}

Result<Restored> make_copy(const SchemaPlace& place, const std::string& file, std::uint64_t least) {
  auto source = Database::open(file, OpenMode::ReadOnly, {});
  if (!source) return source.error();
  if (auto ours = check_store(*source, file, place); !ours) return ours.error();
  // Whole before it takes the name that keeps daemons away: that of an interrupted restore stays
  // until then, because without it what is left would be taken for a store, or for none.
  const auto made = restoring_path(place.path) + ".made";
  ::unlink(made.c_str());
  ::unlink((made + ".part").c_str());
  const std::atomic<bool> aborted{false};
  std::string said;
  if (auto copied = copy_database(*source, file, SourceKind::Left, made, aborted, &said); !copied)
    return copied.error();
  Result<Restored> restored = Restored();
  {
    auto copy = Database::open(made, OpenMode::ReadWrite, {});
    if (!copy) return copy.error();
    restored = look_at(*copy, least);
  }
  if (!restored) return restored;
  restored->said = std::move(said);
  if (auto named = move(made, restoring_path(place.path)); !named) return named.error();
  if (auto synced = sync_parent(place.path); !synced) return synced.error();
  return restored;
}

}  // namespace

bool has_set_aside(const std::string& path) {
  return std::ranges::any_of(parts_of(path), [](const Part& part) { return is_there(part.to); });
}

Result<Restored> restore_store(const SchemaPlace& place, const std::string& file) {
  const auto& path = place.path;
  const auto aside = path + ".replaced";
  const auto parts = parts_of(path);
  const bool replaces = is_there(path) || is_there(path + "-wal") || is_there(journal_path(path));
  // Of one that was not finished: what it has set aside is of the same store as what is here.
  const bool interrupted = is_there(restoring_path(path)) && has_set_aside(path);
  const bool goes_on = interrupted && !is_there(aside);
  for (const auto& part : parts) {
    const bool in_the_way = goes_on ? is_there(part.from) : replaces;
    if (!in_the_way || !is_there(part.to)) continue;
    return Error{static_cast<int>(ExitStatus::StoreFailed),
                 part.to + " is there, which an earlier restore set aside; move it away first"};
  }
  auto restored = make_copy(place, file, life_least(path));
  if (!restored) return store_error(restored.error());
  Result<void> done;
  for (const auto& part : parts) {
    if (done) done = move(part.from, part.to);
  }
  if (!done) return done.error();
  ::unlink((path + "-shm").c_str());
  if (done = move(restoring_path(path), path); !done) return done.error();
  if (done = sync_parent(path); !done) return store_error(done.error());
  if (replaces || interrupted) restored->replaced = aside;
  return restored;
}

}  // namespace warmpool::daemon
