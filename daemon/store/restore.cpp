// The copy lies beside the store as FILE.restoring until everything else is done, and no store is
// opened while it is there: what a crash leaves half done is never taken for an older store or for
// none.
#include "daemon/store/restore.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <optional>
#include <unistd.h>

#include "daemon/exit_status.hpp"
#include "daemon/store/body_files.hpp"
#include "daemon/store/database_copy.hpp"
#include "daemon/store/journal.hpp"
#include "daemon/store/missing_files.hpp"
#include "daemon/store/storage_words.hpp"
#include "daemon/whole_files.hpp"

namespace warmpool::daemon {
namespace {

// So many lives are left out, in which ids may have been given that the backup does not know; where
// nobody can tell how far the store had come, more than any had since the backup.
constexpr std::uint64_t kLivesLeftOut = 32, kLivesUnknown = 4096;

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

// None: there is none, or it cannot be read.
std::optional<std::uint64_t> life_of(const std::string& path) {
  if (!is_there(path)) return std::nullopt;
  const bool had_wal = is_there(path + "-wal");
  Result<std::int64_t> life = -1;
  {
    auto database = Database::open(path, OpenMode::ReadOnly, {});
    if (database) life = database->integer("SELECT life FROM store");
  }
  if (!had_wal) forget_empty_wal(path);
  return life && *life >= 0 ? std::optional(static_cast<std::uint64_t>(*life)) : std::nullopt;
}

// Lives that ids may have been given in. `sure`: the tables told, and not only what is beside them.
struct Lives {
  std::uint64_t newest = 0;
  bool sure = false;
};

// A WAL that was set aside knows more than the file that it belonged to, but then the copy that was
// made before knows it as well.
Lives lives_at(const std::string& path) {
  const auto before = life_of(restoring_path(path));
  const bool apart = is_there(restoring_path(path)) && has_set_aside(path);
  const auto now = apart ? std::nullopt : life_of(path);
  Lives lives{std::max(before.value_or(0), now.value_or(0)),
              apart ? before.has_value() : now.has_value()};
  for (const auto& of : {path, path + ".replaced"}) {
    const auto written = journal_life(journal_path(of), {});
    if (written) lives.newest = std::max(lives.newest, written->value_or(0));
  }
  for (const auto& of : {bodies_directory(path), path + ".replaced.bodies"}) {
    lives.newest = std::max(lives.newest, newest_life_of_bodies(of).value_or(0));
  }
  return lives;
}

Result<Restored> look_at(Database& database, const Lives& lives) {
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
  const auto copied = query->number<std::uint64_t>(3);
  const auto life = lives.sure ? std::max(copied + kLivesLeftOut, lives.newest)
                               : std::max(copied, lives.newest) + kLivesUnknown;
  query->reset();
  if (auto set = database.run("UPDATE store SET life = " + std::to_string(life)); !set) {
    return set.error();
  }
  return restored;
}

Result<CopiedStore> copy_whole(const SchemaPlace& place, const std::string& file,
                               const std::string& made) {
  const bool had_wal = is_there(file + "-wal");
  Result<CopiedStore> copied = CopiedStore();
  {
    auto source = Database::open(file, OpenMode::ReadOnly, {});
    if (!source) return source.error();
    auto done = check_store(*source, file, place);
    if (done) done = check_wal_is_there(*source, file, {}, had_wal);
    const std::atomic<bool> aborted{false};
    copied = done ? copy_database(*source, file, SourceKind::Left, made, aborted)
                  : Result<CopiedStore>(done.error());
  }
  if (!had_wal) forget_empty_wal(file);
  return copied;
}

Result<Restored> make_copy(const SchemaPlace& place, const std::string& file, const Lives& lives) {
  // Whole before it takes the name that keeps daemons away: that of an interrupted restore stays
  // until then, because without it what is left would be taken for a store, or for none.
  const auto named = restoring_path(place.path), made = named + ".made";
  ::unlink(made.c_str());
  ::unlink((made + ".part").c_str());
  remove_bodies(made + ".bodies");
  const auto copied = copy_whole(place, file, made);
  if (!copied) return copied.error();
  Result<Restored> restored = Restored();
  {
    auto copy = Database::open(made, OpenMode::ReadWrite, {});
    if (!copy) return copy.error();
    restored = look_at(*copy, lives);
  }
  if (!restored) return restored;
  restored->said = copied->said;
  restored->left_out = copied->left_out;
  remove_bodies(named + ".bodies");
  auto done = move(made + ".bodies", named + ".bodies");
  if (done) done = move(made, named);
  if (done) done = sync_parent(place.path);
  if (!done) return done.error();
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
  // Of one that was not finished: what it has set aside is of the same store as what is here.
  const bool interrupted = is_there(restoring_path(path)) && has_set_aside(path);
  const bool goes_on = interrupted && !is_there(aside);
  // Its last step but one gave bodies their name: they are of the copy, which is made anew.
  const bool is_aside = is_there(aside) || is_there(aside + ".bodies");
  if (interrupted && is_aside && !is_there(path)) remove_bodies(bodies_directory(path));
  const bool replaces =
      std::ranges::any_of(parts, [](const Part& part) { return is_there(part.from); });
  for (const auto& part : parts) {
    const bool in_the_way = goes_on ? is_there(part.from) : replaces;
    if (!in_the_way || !is_there(part.to)) continue;
    return Error{static_cast<int>(ExitStatus::StoreFailed),
                 part.to + " is there, which an earlier restore set aside; move it away first"};
  }
  auto restored = make_copy(place, file, lives_at(path));
  if (!restored) return store_error(restored.error());
  Result<void> done;
  for (const auto& part : parts) {
    if (done) done = move(part.from, part.to);
  }
  ::unlink((path + "-shm").c_str());
  if (done) done = move(restoring_path(path) + ".bodies", bodies_directory(path));
  if (done) done = move(restoring_path(path), path);
  if (!done) return done.error();
  if (done = sync_parent(path); !done) return store_error(done.error());
  if (replaces || interrupted) restored->replaced = aside;
  return restored;
}

}  // namespace warmpool::daemon
