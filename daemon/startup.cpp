// Each step can fail in its own way and says so with a status of its own, so that scripts and
// service managers can tell "another one runs" from "the configuration is wrong".
#include "daemon/startup.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "daemon/process/linux_processes.hpp"
#include "ipc/client_address.hpp"
#include "ipc/peer.hpp"

namespace warmpool::daemon {
namespace {

// Of one worker: pidfd and exit notice, channel, output, errors, and three to sample it, the last
// of which takes the place of its launch status. Over FIFOs: another end of its channel, and a
// spare one while it starts.
constexpr std::uint64_t kFdsOfWorker = 8;
constexpr std::uint64_t kFdsOfFifos = 2;
// A channel, a pidfd, its page and two samples.
constexpr std::uint64_t kFdsOfStranger = 5;
// One that serves, one that is still to be buried.
constexpr std::uint64_t kTemplatesOfClass = 2;
// Log, store, epoll, signals, listener, lock and the like.
constexpr std::uint64_t kFdsOfDaemon = 64;
constexpr std::uint64_t kConnectionsMin = 8;
// Eight commands with four each, and as deep as a tree is removed.
constexpr std::uint64_t kFdsOfDirectories = 80;

ExitStatus status_of(int fault) {
  return static_cast<ipc::EndpointFault>(fault) == ipc::EndpointFault::LockTaken
             ? ExitStatus::AlreadyRunning
             : ExitStatus::CannotCreate;
}

bool is_over_fifos(const ClassOptions& options) { return options.channel == "fifo"; }
bool has_directories(const ClassOptions& options) { return options.directory != "none"; }

bool same_directory(const ipc::RuntimeDirectory& a, const ipc::RuntimeDirectory& b) {
  struct stat one {
  }, other{};
  return ::fstat(a.fd(), &one) == 0 && ::fstat(b.fd(), &other) == 0 && one.st_dev == other.st_dev &&
         one.st_ino == other.st_ino;
}

// By the mode, as the kernel would judge; a directory with an access list is not judged.
bool may_enter(const Identity& identity, const std::string& directory) {
  struct stat found {};
  if (::stat(directory.c_str(), &found) != 0 || identity.uid == 0) return true;
  if (::getxattr(directory.c_str(), "system.posix_acl_access", nullptr, 0) > 0) return true;
  if (found.st_uid == identity.uid) return (found.st_mode & S_IXUSR) != 0;
  const bool member =
      found.st_gid == identity.gid || std::ranges::count(identity.groups, found.st_gid) > 0;
  return (found.st_mode & (member ? S_IXGRP : S_IXOTH)) != 0;
}

// The first directory on the way that this user may not enter; empty if none.
std::string closed_to(const Identity& identity, const std::string& directory) {
  for (std::size_t end = 0; end != directory.npos;) {
    end = directory.find('/', end + 1);
    const auto part = directory.substr(0, end);
    if (!may_enter(identity, part)) return part;
  }
  return {};
}

}  // namespace

Error exit_error(ExitStatus status, std::string text) {
  return {static_cast<int>(status), std::move(text)};
}

Result<void> prepare_process() {
  int fd = 0;
  do {
    fd = ::open("/dev/null", O_RDWR);
    if (fd < 0) return exit_error(ExitStatus::System, "cannot open /dev/null; mount /dev");
  } while (fd <= 2);
  ::close(fd);
  ::umask(077);
  ::signal(SIGPIPE, SIG_IGN);
  return {};
}

std::string program_directory() {
  std::array<char, 4096> path{};
  const auto length = ::readlink("/proc/self/exe", path.data(), path.size());
  if (length <= 0) return ".";
  const std::string_view text(path.data(), static_cast<std::size_t>(length));
  return std::string(text.substr(0, text.rfind('/')));
}

Result<void> fit_descriptors(Configuration& configuration) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return exit_error(ExitStatus::System, "getrlimit");
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  std::uint64_t workers = 0, fixed = kFdsOfDaemon;
  for (const auto& worker_class : configuration.classes) {
    const auto& values = worker_class.values;
    const auto most =
        values.size_max + std::max<std::uint64_t>(1, values.size_max * values.recycle_share / 100);
    workers += most;
    fixed += most * (kFdsOfWorker + (is_over_fifos(values) ? kFdsOfFifos : 0));
    if (!values.preload.empty()) fixed += kTemplatesOfClass * kFdsOfWorker;
  }
  const bool has_some = std::ranges::any_of(
      configuration.classes, [](const auto& each) { return has_directories(each.values); });
  if (has_some) fixed += kFdsOfDirectories;
  auto& pool = configuration.pool;
  const auto most = limit.rlim_max == RLIM_INFINITY ? ~std::uint64_t{0} : limit.rlim_max;
  const auto adjust = [&](const std::string& name, std::uint64_t& value, std::uint64_t to) {
    value = to;
    pool.origins[name] = {Layer::Adjusted, "to the limit of open files"};
    configuration.notes.push_back(name + " is lowered to " + std::to_string(to) +
                                  ": the limit of open files is " + std::to_string(most));
  };
  const bool given = pool.origins.contains("connections_max");
  // Bodies in descriptors: at most a quarter of what is left, so that clients can bring them.
  if (pool.values.large_bytes_max != 0) {
    const auto needed = fixed + (given ? pool.values.connections_max : kConnectionsMin);
    const auto bodies = most > needed ? (most - needed) / 4 : 0;
    const bool lowers =
        !pool.origins.contains("large_held_max") && bodies < pool.values.large_held_max;
    fixed += lowers ? bodies : pool.values.large_held_max;
    if (lowers) {
      adjust("large_held_max", pool.values.large_held_max, std::max<std::uint64_t>(1, bodies));
    }
  }
  // Nobody is kept from starting for workers that may never come.
  const auto taken = fixed + (given ? pool.values.connections_max : kConnectionsMin);
  const auto strangers = most > taken ? (most - taken) / kFdsOfStranger : 0;
  if (!pool.origins.contains("registered_max") && strangers < pool.values.registered_max) {
    adjust("registered_max", pool.values.registered_max, strangers);
  }
  workers += pool.values.registered_max;
  fixed += pool.values.registered_max * kFdsOfStranger;
  if (fixed + pool.values.connections_max <= most) return {};
  if (given || most < fixed + kConnectionsMin) {
    return exit_error(ExitStatus::System,
                      "the limit of open files is " + std::to_string(most) +
                          ", and connections_max (" + std::to_string(pool.values.connections_max) +
                          ") with " + std::to_string(workers) + " workers need " +
                          std::to_string(fixed + pool.values.connections_max) +
                          "; raise it (ulimit -Hn, LimitNOFILE=), or lower connections_max, "
                          "size_max, registered_max or large_held_max");
  }
  adjust("connections_max", pool.values.connections_max, most - fixed);
  return {};
}

Result<Place> take_place(const Options& options) {
  std::optional<gid_t> group;
  if (!options.socket_group.empty()) {
    const auto found = ipc::find_group(options.socket_group);
    if (!found) return exit_error(ExitStatus::Configuration, "socket_group: " + found.error().text);
    group = *found;
  }
  const auto path = options.runtime_dir.empty()
                        ? ipc::default_runtime_directory(ipc::Surroundings::of_process())
                        : options.runtime_dir;
  auto directory = ipc::RuntimeDirectory::open(path, group);
  if (!directory) return exit_error(status_of(directory.error().code), directory.error().text);
  auto lock = ipc::RuntimeLock::take(*directory);
  if (!lock) return exit_error(status_of(lock.error().code), lock.error().text);
  return Place{std::move(*directory), std::move(*lock), group};
}

BoardPlace board_place(const Place& place) {
  BoardPlace board;
  board.directory.reset(::fcntl(place.directory.fd(), F_DUPFD_CLOEXEC, 3));
  board.path = place.directory.path();
  board.group = place.group;
  return board;
}

namespace {

// Whether the users that workers over FIFOs run as can reach that directory.
Result<void> check_fifo_users(const Configuration& configuration,
                              const std::vector<std::optional<Identity>>& identities,
                              const std::string& fifo_dir) {
  for (std::size_t i = 0; i < identities.size(); ++i) {
    const auto& options = configuration.classes[i].values;
    if (!is_over_fifos(options) || !identities[i]) continue;
    const auto closed = closed_to(*identities[i], fifo_dir);
    if (closed.empty()) continue;
    return exit_error(ExitStatus::Configuration,
                      "class '" + options.name + "': its workers run as " + options.user +
                          " and cannot reach their FIFOs in " + fifo_dir + ", because " + closed +
                          " is closed to that user; give it mode 0711, or name another directory "
                          "with --fifo-dir, or leave channel at socket");
  }
  return {};
}

}  // namespace

Result<std::optional<FifoPlace>> take_fifo_place(
    const Configuration& configuration, const std::vector<std::optional<Identity>>& identities,
    const Place& place) {
  const auto& options = configuration.pool.values;
  const bool wanted =
      options.submit_fifo || std::ranges::any_of(configuration.classes, [](const auto& some) {
        return is_over_fifos(some.values);
      });
  if (!wanted) return std::optional<FifoPlace>();
  const auto path = options.fifo_dir.empty() ? place.directory.path() : options.fifo_dir;
  auto directory = ipc::RuntimeDirectory::open(path, {}, ipc::kFifoUse);
  if (!directory) return exit_error(status_of(directory.error().code), directory.error().text);
  FifoPlace made{std::move(*directory), std::nullopt};
  if (!same_directory(made.directory, place.directory)) {
    auto lock = ipc::RuntimeLock::take(made.directory);
    if (!lock) return exit_error(status_of(lock.error().code), lock.error().text);
    made.lock = std::move(*lock);
  }
  ipc::sweep_fifos(made.directory);
  if (auto good = check_fifo_users(configuration, identities, path); !good) return good.error();
  return std::optional<FifoPlace>(std::move(made));
}

Result<std::optional<DirectoryRoot>> take_directories(
    const Configuration& configuration, const std::vector<std::optional<Identity>>& identities,
    const Place& place, const OpenStore& store) {
  const auto has_some = [](const auto& each) { return has_directories(each.values); };
  const auto& named = configuration.pool.values.directory_root;
  const auto& beside = store.place ? store.place->directory.path() : place.directory.path();
  const auto path = named.empty() ? beside + "/directories" : named;
  const bool wanted = std::ranges::any_of(configuration.classes, has_some);
  if (!wanted && ::access(path.c_str(), F_OK) != 0) return std::optional<DirectoryRoot>();
  auto root = DirectoryRoot::open(path);
  if (!root) return exit_error(status_of(root.error().code), root.error().text);
  for (std::size_t i = 0; i < identities.size(); ++i) {
    const auto& options = configuration.classes[i].values;
    if (!has_directories(options) || !identities[i]) continue;
    const auto closed = closed_to(*identities[i], root->path());
    if (closed.empty()) continue;
    return exit_error(ExitStatus::Configuration,
                      "class '" + options.name + "': its workers run as " + options.user +
                          " and cannot reach their directories in " + root->path() + ", because " +
                          closed +
                          " is closed to that user; give it mode 0711, or name another root "
                          "with --directory-root");
  }
  return std::optional<DirectoryRoot>(std::move(*root));
}

Result<std::vector<std::optional<Identity>>> grant_classes(const Configuration& configuration) {
  std::vector<std::optional<Identity>> identities;
  auto fault = find_identities(configuration, identities);
  if (!fault) fault = resource_fault(configuration);
  if (fault) return exit_error(fault->status, problem_text(fault->problem));
  return identities;
}

Result<std::unique_ptr<ProcessPort>> start_processes(
    const Configuration& configuration, const std::vector<std::optional<Identity>>& identities,
    const std::vector<std::string>& places, const ipc::RuntimeDirectory* fifos,
    const std::string& program_dir, std::string& swept) {
  ProcessOptions options;
  options.fifos = fifos;
  if (configuration.pool.values.memory_cgroup_v1) options.memory_cgroups = CgroupUse::IfPossible;
  options.launch_path = configuration.pool.values.launch_path;
  if (options.launch_path.empty()) options.launch_path = program_dir + "/warmpool-launch";
  if (::access(options.launch_path.c_str(), X_OK) != 0) {
    return exit_error(ExitStatus::Unavailable, "warmpool-launch is not at " + options.launch_path +
                                                   " (" + std::strerror(errno) +
                                                   "); install it there, or give --launch-path");
  }
  const auto stock = program_dir + "/warmpool-worker";
  for (const auto& worker_class : configuration.classes) {
    const auto& command = worker_class.values.command;
    if (command.front() != stock || ::access(stock.c_str(), X_OK) == 0) continue;
    return exit_error(ExitStatus::Unavailable,
                      "the stock worker is not at " + stock + " (" + std::strerror(errno) +
                          "); install it there, or configure a [[class]] with its own command");
  }
  if (auto done = become_subreaper(); !done) {
    return exit_error(ExitStatus::System, done.error().text);
  }
  const auto hidden = hidden_users(identities);
  std::size_t killed = 0;
  std::uint32_t unreadable = 0;
  std::string left;
  for (auto place = places.rbegin(); place != places.rend(); ++place) {
    auto mark = make_life_mark(*place);
    if (!mark) return exit_error(ExitStatus::System, mark.error().text);
    const auto sweep = sweep_earlier_lives(*mark, seconds(10), hidden);
    if (!sweep) return exit_error(ExitStatus::System, sweep.error().text);
    killed += sweep->killed;
    unreadable = std::max(unreadable, sweep->unreadable);
    for (const auto& path : sweep->cgroups_left) left += " " + path;
    options.mark = std::move(*mark);
  }
  if (killed != 0) swept = "ended " + std::to_string(killed) + " processes of an earlier life";
  if (!left.empty()) {
    swept += std::string(swept.empty() ? "" : "; ") +
             "cannot remove cgroups of an earlier life in which nothing lives (rmdir them):" + left;
  }
  if (unreadable != 0) {
    swept += std::string(swept.empty() ? "" : "; ") + "cannot look into " +
             std::to_string(unreadable) +
             " processes of its workers' users, so it is not proved that nothing of an earlier "
             "life runs on";
  }
  auto processes = make_linux_processes(options);
  if (!processes) return exit_error(ExitStatus::Unavailable, processes.error().text);
  return std::move(*processes);
}

}  // namespace warmpool::daemon
