// Which life this is, and what it finds.
#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "daemon/startup.hpp"
#include "daemon/store/restore.hpp"
#include "daemon/store/sqlite_store.hpp"
#include "daemon/store/volatile_store.hpp"

namespace warmpool::daemon {
namespace {

constexpr std::uint64_t kLifeMax = (1U << 24) - 1;

Error life_fault(const ipc::RuntimeDirectory& directory, std::string_view what) {
  return exit_error(ExitStatus::CannotCreate,
                    directory.path() + "/warmpool.life: " + std::string(what));
}

Result<ipc::UniqueFd> open_life(const ipc::RuntimeDirectory& directory) {
  ipc::UniqueFd file(
      ::openat(directory.fd(), "warmpool.life", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file) return file;
  return life_fault(directory, std::string(std::strerror(errno)) + "; remove it");
}

std::uint64_t parse_life(const ipc::UniqueFd& file) {
  std::array<char, 32> text{};
  const auto got = ::pread(file.get(), text.data(), text.size() - 1, 0);
  std::uint64_t life = 0;
  if (got > 0) std::from_chars(text.data(), text.data() + got, life);
  return life;
}

bool is_in_memory(int fd) {
  struct statfs found {};
  if (::fstatfs(fd, &found) != 0) return false;
  return found.f_type == TMPFS_MAGIC || found.f_type == RAMFS_MAGIC;
}

Error no_place(std::string_view text) {
  std::string whole(text);
  whole += "; or keep accepted tasks in memory alone with --store volatile";
  return exit_error(ExitStatus::CannotCreate, std::move(whole));
}

// Where nobody named the directory, its parents are as little there as it is.
Result<std::string> state_path(const Options& options, const Place& place,
                               const ipc::Surroundings& surroundings) {
  if (!options.state_dir.empty()) return options.state_dir;
  if (!options.runtime_dir.empty()) return place.directory.path() + "/state";
  auto path = ipc::default_state_directory(surroundings);
  if (path.empty()) return no_place("there is no HOME to keep the store in; give --state-dir");
  std::error_code failed;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), failed);
  if (!failed) return path;
  return no_place("cannot make the parents of " + path + ": " + failed.message() +
                  "; give --state-dir");
}

}  // namespace

Result<StatePlace> take_state(const Options& options, const Place& place,
                              const ipc::Surroundings& surroundings) {
  const auto path = state_path(options, place, surroundings);
  if (!path) return path.error();
  auto directory = ipc::RuntimeDirectory::open(*path, {}, ipc::kStateUse);
  if (!directory) return no_place(directory.error().text);
  auto lock = ipc::RuntimeLock::take(*directory);
  if (!lock) {
    const bool taken = lock.error().code == static_cast<int>(ipc::EndpointFault::LockTaken);
    return exit_error(taken ? ExitStatus::AlreadyRunning : ExitStatus::CannotCreate,
                      lock.error().text);
  }
  const bool in_memory = is_in_memory(directory->fd());
  return StatePlace{std::move(*directory), std::move(*lock), in_memory};
}

Result<std::uint64_t> next_life(const ipc::RuntimeDirectory& directory, WallTime now) {
  constexpr std::int64_t year_2026_s = 1'767'225'600;
  const auto file = open_life(directory);
  if (!file) return file.error();
  const auto last = parse_life(*file);
  const auto days = std::max<std::int64_t>(1, (now.ns / 1'000'000'000 - year_2026_s) / 86'400);
  const auto life = std::max(last + 1, static_cast<std::uint64_t>(days));
  if (auto kept = keep_life(directory, life); !kept) return kept.error();
  return life;
}

Result<void> keep_life(const ipc::RuntimeDirectory& directory, std::uint64_t life) {
  const auto file = open_life(directory);
  if (!file) return file.error();
  if (life > kLifeMax) return life_fault(directory, "its number is too large; remove it");
  const auto text = std::to_string(life) + "\n";
  const bool written =
      ::pwrite(file->get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()) &&
      ::ftruncate(file->get(), static_cast<off_t>(text.size())) == 0;
  if (written) return {};
  return life_fault(directory, std::string("cannot be written: ") + std::strerror(errno));
}

Result<OpenStore> open_store(const Options& options, const Place& place, TimeSource& time) {
  const auto life = next_life(place.directory, time.wall());
  if (!life) return life.error();
  OpenStore opened;
  opened.life = *life;
  if (options.store == "volatile") {
    opened.store = std::make_unique<VolatileStore>(options);
    return opened;
  }
  auto state = take_state(options, place, ipc::Surroundings::of_process());
  if (!state) return state.error();
  SqliteStoreSetup setup;
  setup.place.path = state->directory.path() + "/" + kDatabaseName;
  setup.place.journal_bytes = options.journal_bytes;
  setup.options = options;
  setup.time = &time;
  setup.life_least = *life;
  auto store = SqliteStore::open(setup);
  if (!store) return store.error();
  opened.life = (*store)->life();
  opened.begin = (*store)->begin();
  opened.store = std::move(*store);
  opened.place = std::move(*state);
  if (auto kept = keep_life(place.directory, opened.life); !kept) return kept.error();
  return opened;
}

Result<std::string> restore_state(const Options& options, const Place& place,
                                  const std::string& file) {
  if (options.store == "volatile") {
    return exit_error(ExitStatus::Usage,
                      "store = \"volatile\" keeps nothing that a backup goes to");
  }
  auto state = take_state(options, place, ipc::Surroundings::of_process());
  if (!state) return state.error();
  SchemaPlace schema;
  schema.path = state->directory.path() + "/" + kDatabaseName;
  const auto restored = restore_store(schema, file);
  if (!restored) return restored.error();
  auto text = "restored " + schema.path + ": " + std::to_string(restored->tasks) +
              " tasks that wait, " + std::to_string(restored->dead) + " dead letters, " +
              std::to_string(restored->results) + " results";
  if (!restored->replaced.empty()) {
    text += "; what was there is now " + restored->replaced + ", remove it when it is not needed";
  }
  if (!restored->said.empty()) text += "; " + restored->said;
  const auto& lost = restored->left_out;
  if (lost.empty()) return text;
  constexpr std::size_t named_max = 20;
  text += "; without the payloads or results of " + std::to_string(lost.size()) + " tasks:";
  for (std::size_t at = 0; at < std::min(named_max, lost.size()); ++at) {
    text += " " + std::to_string(lost[at].value);
  }
  if (lost.size() > named_max) text += " and more";
  return exit_error(ExitStatus::Incomplete,
                    text + "; their files beside " + file +
                        " are missing or damaged: those that wait become dead letters, and their "
                        "results are gone");
}

}  // namespace warmpool::daemon
