// Each pipe end is lifted above 2: were a standard stream closed here, a pipe would take its number
// and the moves in the child would tread on each other.
#include "worker/stock/spawn.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <unistd.h>

namespace warmpool::worker::stock {
namespace {

using ipc::UniqueFd;

struct Pipe {
  UniqueFd read_end, write_end;
};

Error failure(const std::string& what, int error) {
  return {error, what + ": " + std::strerror(error)};
}

Result<UniqueFd> above_standard(UniqueFd fd) {
  if (fd.get() > 2) return fd;
  UniqueFd moved(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3));
  if (!moved) return failure("cannot make a pipe", errno);
  return moved;
}

Result<Pipe> make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return failure("cannot make a pipe", errno);
  UniqueFd first(fds[0]), second(fds[1]);
  auto read_end = above_standard(std::move(first));
  if (!read_end) return read_end.error();
  auto write_end = above_standard(std::move(second));
  if (!write_end) return write_end.error();
  return Pipe{std::move(*read_end), std::move(*write_end)};
}

// Of our end only: the two ends of a pipe are two open files.
void unblock(const UniqueFd& fd) {
  ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
}

std::vector<std::string> environment_of(const ExecRequest& request) {
  std::vector<std::string> environment;
  for (char** one = environ; *one != nullptr; ++one) {
    const std::string entry = *one;
    if (!request.env.contains(entry.substr(0, entry.find('=')))) environment.push_back(entry);
  }
  for (const auto& [name, value] : request.env) {
    if (value) environment.push_back(name + '=' + *value);
  }
  return environment;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

class Actions {
 public:
  Actions() { ::posix_spawn_file_actions_init(&actions_); }
  ~Actions() { ::posix_spawn_file_actions_destroy(&actions_); }
  Actions(const Actions&) = delete;
  Actions& operator=(const Actions&) = delete;

  void move(const UniqueFd& from, int to) {
    ::posix_spawn_file_actions_adddup2(&actions_, from.get(), to);
  }
  void read_nothing() {
    ::posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
  }
  void change_directory(const std::string& path) {
    ::posix_spawn_file_actions_addchdir_np(&actions_, path.c_str());
  }
  void close_others() { ::posix_spawn_file_actions_addclosefrom_np(&actions_, 3); }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_{};
};

class Attributes {
 public:
  Attributes() {
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    ::posix_spawnattr_setpgroup(&attributes_, 0);
    sigset_t signals;
    sigemptyset(&signals);
    ::posix_spawnattr_setsigmask(&attributes_, &signals);
    sigfillset(&signals);
    ::posix_spawnattr_setsigdefault(&attributes_, &signals);
  }
  ~Attributes() { ::posix_spawnattr_destroy(&attributes_); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_{};
};

// Told apart from a missing program here, because both would be the same errno of the spawn.
Result<void> check_directory(const ExecRequest& request) {
  struct stat found {};
  if (!request.cwd) return {};
  const std::string what = "cannot run in the directory " + *request.cwd;
  if (::stat(request.cwd->c_str(), &found) != 0) return failure(what, errno);
  if (!S_ISDIR(found.st_mode)) return failure(what, ENOTDIR);
  if (::access(request.cwd->c_str(), X_OK) != 0) return failure(what, errno);
  return {};
}

Result<pid_t> start(const ExecRequest& request, const Actions& actions) {
  const Attributes attributes;
  auto arguments = request.argv;
  auto environment = environment_of(request);
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, arguments.front().c_str(), actions.get(), attributes.get(),
                                   pointers_to(arguments).data(), pointers_to(environment).data());
  if (error != 0) return failure("cannot run " + request.argv.front(), error);
  return pid;
}

}  // namespace

Result<Spawned> spawn_program(const ExecRequest& request) {
  if (const auto checked = check_directory(request); !checked) return checked.error();
  auto output = make_pipe();
  if (!output) return output.error();
  auto error = make_pipe();
  if (!error) return error.error();
  Pipe input;
  Actions actions;
  if (request.standard_input) {
    auto made = make_pipe();
    if (!made) return made.error();
    input = std::move(*made);
    unblock(input.write_end);
    actions.move(input.read_end, 0);
  } else {
    actions.read_nothing();
  }
  actions.move(output->write_end, 1);
  actions.move(error->write_end, 2);
  if (request.cwd) actions.change_directory(*request.cwd);
  actions.close_others();
  const auto pid = start(request, actions);
  if (!pid) return pid.error();
  unblock(output->read_end);
  unblock(error->read_end);
  return Spawned{*pid, std::move(input.write_end), std::move(output->read_end),
                 std::move(error->read_end)};
}

}  // namespace warmpool::worker::stock
