// posix_spawn and not fork: its cost does not grow with the daemon's memory (0.1 ms against 38 ms
// at 2 GiB), and no lock that another thread holds can be copied. The child's ends are lifted above
// the numbers they are given in the child, so that no dup2 there overwrites the next one's source.
#include "daemon/process/spawner.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/launch/report.hpp"
#include "daemon/process/environment.hpp"
#include "daemon/process/process_tree.hpp"
#include "daemon/random.hpp"
#include "ipc/template_frames.hpp"

namespace warmpool::daemon {
namespace {

constexpr int kLowestNumber = launch::kStatusNumber + 1;

Error failed(const SpawnSpec& spec, int code, const std::string& what) {
  std::string text = "cannot start " + spec.slot + ": " + what + ": " + strerrordesc_np(code);
  if (code == EMFILE || code == ENFILE) {
    text += "; raise the limit of open files (LimitNOFILE, ulimit -n), or lower `size`";
  } else if (code == EAGAIN) {
    text += "; raise the limit of processes (TasksMax, ulimit -u), or lower `size`";
  } else if (code == ENOMEM) {
    text += "; memory is short, lower `size`";
  } else if (code == E2BIG) {
    text += "; shorten `command` or `environment` of its class";
  } else if (code == ENOENT || code == EACCES) {
    text += "; install warmpool-launch beside warmpoold, or name it with launch_path";
  }
  return Error{code, text};
}

struct Pair {
  ipc::UniqueFd ours, theirs;
};

// `fds`: ours first. Ours never blocks; theirs does, and is out of the way of the child's numbers.
bool make_ends(const std::array<int, 2>& fds, Pair& pair) {
  pair.ours.reset(fds[0]);
  const ipc::UniqueFd low(fds[1]);
  pair.theirs.reset(fcntl(low.get(), F_DUPFD_CLOEXEC, kLowestNumber));
  return pair.theirs && fcntl(pair.ours.get(), F_SETFL, O_NONBLOCK) == 0;
}

bool make_pipe(Pair& pair) {
  std::array<int, 2> fds{};
  return pipe2(fds.data(), O_CLOEXEC) == 0 && make_ends(fds, pair);
}

bool make_socket(int type, Pair& pair) {
  std::array<int, 2> fds{};
  return socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds.data()) == 0 && make_ends(fds, pair);
}

struct Ends {
  Pair output, errors, status;
  Pair channel;                        // a socket; or ours alone, of
  std::optional<ipc::FifoPair> fifos;  // which the worker opens its ends by name
  ipc::UniqueFd channel_out;
};

// A name of its own for each life: no worker ever finds what was meant for another one.
Result<void> make_fifos(const SpawnSpec& spec, const SpawnOrder& order, Ends& ends) {
  REQUIRE(order.fifos != nullptr);
  char drawn[32];
  std::snprintf(drawn, sizeof drawn, ".%016llx", static_cast<unsigned long long>(random_u64()));
  std::optional<uid_t> owner;
  if (spec.identity && geteuid() == 0) owner = spec.identity->uid;
  auto pair = ipc::FifoPair::make(*order.fifos, spec.slot + drawn, owner);
  if (!pair)
    return Error{pair.error().code, "cannot start " + spec.slot + ": " + pair.error().text};
  ends.channel.ours = pair->take_read_end();
  ends.channel_out = pair->take_write_end();
  ends.fifos = std::move(*pair);
  return {};
}

// All but the pipe of the launcher.
Result<void> make_all_ends(const SpawnSpec& spec, const SpawnOrder& order, Ends& ends) {
  const bool is_template = spec.role == SpawnRole::Template;
  const bool by_name = spec.channel == ChannelKind::Fifos && spec.role == SpawnRole::Worker;
  const bool by_socket = !by_name && spec.role != SpawnRole::Helper;
  if (!make_pipe(ends.output) || !make_pipe(ends.errors) ||
      (by_socket && !make_socket(is_template ? SOCK_SEQPACKET : SOCK_STREAM, ends.channel))) {
    return failed(spec, errno, "making its channel and pipes");
  }
  return by_name ? make_fifos(spec, order, ends) : Result<void>();
}

ChannelAddress address_of(const Ends& ends) {
  return ends.fifos ? ChannelAddress::of(*ends.fifos) : ChannelAddress::of(launch::kChannelNumber);
}

Child child_of(const SpawnSpec& spec, Ends& ends) {
  Child child;
  child.worker = spec.worker;
  child.launch_status = std::move(ends.status.ours);
  child.channel = std::move(ends.channel.ours);
  child.channel_out = std::move(ends.channel_out);
  child.output = std::move(ends.output.ours);
  child.errors = std::move(ends.errors.ours);
  child.fifos = std::move(ends.fifos);
  return child;
}

template <class Numbers>
std::string joined(const Numbers& numbers) {
  std::string text;
  for (const auto number : numbers) {
    if (!text.empty()) text += ',';
    text += std::to_string(number);
  }
  return text;
}

std::string limit_text(rlim_t value) {
  if (value == ResourceLimit::kKeep) return "keep";
  return value == RLIM_INFINITY ? "-1" : std::to_string(value);
}

void add_identity(std::vector<std::string>& arguments, const Identity& identity) {
  // A daemon without privileges runs workers as itself; it may not even set the groups it has.
  if (geteuid() != 0) return;
  arguments.push_back("uid=" + std::to_string(identity.uid));
  arguments.push_back("gid=" + std::to_string(identity.gid));
  arguments.push_back("groups=" + joined(identity.groups));
}

std::vector<std::string> arguments_of(const SpawnSpec& spec, const SpawnOrder& order) {
  std::vector<std::string> arguments{"warmpool-launch", "parent=" + std::to_string(getpid()),
                                     "mask=" + std::to_string(spec.file_mask),
                                     "directory=" + spec.working_directory};
  for (const auto& path : order.cgroup_procs) arguments.push_back("cgroup=" + path);
  if (spec.identity) add_identity(arguments, *spec.identity);
  if (spec.nice) arguments.push_back("nice=" + std::to_string(*spec.nice));
  if (!spec.cpus.empty()) arguments.push_back("cpus=" + joined(spec.cpus));
  for (const auto& limit : spec.limits) {
    arguments.push_back("limit=" + std::to_string(limit.resource) + ":" + limit_text(limit.soft) +
                        ":" + limit_text(limit.hard));
  }
  arguments.push_back("--");
  arguments.insert(arguments.end(), spec.command.begin(), spec.command.end());
  return arguments;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (auto& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// What a child is started with beside its arguments. Owns: glibc's two objects.
class SpawnSetup {
 public:
  SpawnSetup() {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;
  ~SpawnSetup() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }

  // A session of its own from the first instruction on, so that a signal to its group can never
  // reach the daemon's; no signal blocked or ignored, whatever the daemon does with them.
  int prepare(const Ends& ends) {
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    const int flags = POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    int error = posix_spawnattr_setflags(&attributes_, static_cast<short>(flags));
    if (error == 0) error = posix_spawnattr_setsigmask(&attributes_, &none);
    if (error == 0) error = posix_spawnattr_setsigdefault(&attributes_, &all);
    if (error == 0) error = give(ends.output.theirs, STDOUT_FILENO);
    if (error == 0) error = give(ends.errors.theirs, STDERR_FILENO);
    if (error == 0) {
      error = ends.channel.theirs ? give(ends.channel.theirs, launch::kChannelNumber)
                                  : close_inherited(launch::kChannelNumber);
    }
    if (error == 0) error = give(ends.status.theirs, launch::kStatusNumber);
    return error;
  }

  int spawn(const std::string& path, std::vector<std::string>& arguments,
            std::vector<std::string>& environment, pid_t& pid) {
    return posix_spawn(&pid, path.c_str(), &actions_, &attributes_, pointers_to(arguments).data(),
                       pointers_to(environment).data());
  }

 private:
  int give(const ipc::UniqueFd& fd, int number) {
    return posix_spawn_file_actions_adddup2(&actions_, fd.get(), number);
  }
  // The launcher keeps that number: what a parent of the daemon left open there would reach the
  // worker. To close what is not open is no error.
  int close_inherited(int number) { return posix_spawn_file_actions_addclose(&actions_, number); }
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

Result<void> check_texts(const SpawnSpec& spec) {
  REQUIRE(!spec.command.empty());
  for (const auto& text : spec.command) {
    if (text.find('\0') == std::string::npos) continue;
    return Error{EINVAL, "cannot start " + spec.slot +
                             ": an argument holds a NUL byte; correct `command` of its class"};
  }
  return {};
}

// The launcher cannot have executed a program yet that ignores anything, and SIGKILL cannot be.
Error give_up(const SpawnSpec& spec, pid_t pid, int code) {
  kill(pid, SIGKILL);
  while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return failed(spec, code, "opening its pidfd");
}

}  // namespace

Result<Child> spawn_worker(const SpawnSpec& spec, const SpawnOrder& order) {
  if (auto texts = check_texts(spec); !texts) return texts.error();
  Ends ends;
  if (auto made = make_all_ends(spec, order, ends); !made) return made.error();
  if (!make_pipe(ends.status)) return failed(spec, errno, "making its pipe");
  auto environment =
      build_environment(own_environment(), spec, address_of(ends), order.mark, order.hostname);
  if (!environment) return environment.error();
  auto arguments = arguments_of(spec, order);

  SpawnSetup setup;
  pid_t pid = 0;
  int error = setup.prepare(ends);
  if (error == 0) error = setup.spawn(order.launch_path, arguments, *environment, pid);
  if (error != 0) return failed(spec, error, "executing " + order.launch_path);

  ipc::UniqueFd pidfd = open_pidfd(pid);
  if (!pidfd) return give_up(spec, pid, errno);
  Child child = child_of(spec, ends);
  child.pid = pid;
  child.exit_notice = std::move(pidfd);
  return child;
}

Result<ForkOrder> order_worker(const SpawnSpec& spec, const SpawnOrder& order) {
  Ends ends;
  if (auto made = make_all_ends(spec, order, ends); !made) return made.error();
  const auto entries = environment_of_forked(spec, address_of(ends), order.mark);
  ForkOrder ordered;
  ordered.packet = ipc::encode(
      ipc::ForkRequest{spec.worker.value, order.mark, {entries.begin(), entries.end()}});
  ordered.descriptors.push_back(std::move(ends.output.theirs));
  ordered.descriptors.push_back(std::move(ends.errors.theirs));
  if (ends.channel.theirs) ordered.descriptors.push_back(std::move(ends.channel.theirs));
  ordered.child = child_of(spec, ends);
  return ordered;
}

}  // namespace warmpool::daemon
