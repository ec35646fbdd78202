#include "worker/stock/spawn.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace warmpool::worker::stock {
namespace {

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

// Told apart from a missing program here, because both would be the same errno of the spawn.
Result<void> check_directory(const ExecRequest& request) {
  struct stat found {};
  if (!request.cwd) return {};
  const std::string what = "cannot run in the directory " + *request.cwd;
  if (::stat(request.cwd->c_str(), &found) != 0) return spawn_failure(what, errno);
  if (!S_ISDIR(found.st_mode)) return spawn_failure(what, ENOTDIR);
  if (::access(request.cwd->c_str(), X_OK) != 0) return spawn_failure(what, errno);
  return {};
}

Result<pid_t> start(const ExecRequest& request, const SpawnActions& actions, SpawnTie tie) {
  auto arguments = request.argv;
  auto environment = environment_of(request);
  pid_t pid = 0;
  const int error =
      spawn(pid, actions, SpawnGroup::Own, tie, pointers_to(arguments), pointers_to(environment));
  if (error != 0) return spawn_failure("cannot run " + request.argv.front(), error);
  return pid;
}

}  // namespace

Result<Spawned> spawn_program(const ExecRequest& request, SpawnTie tie) {
  if (const auto checked = check_directory(request); !checked) return checked.error();
  auto output = make_pipe();
  if (!output) return output.error();
  auto error = make_pipe();
  if (!error) return error.error();
  Pipe input;
  SpawnActions actions;
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
  const auto pid = start(request, actions, tie);
  if (!pid) return pid.error();
  unblock(output->read_end);
  unblock(error->read_end);
  return Spawned{*pid, std::move(input.write_end), std::move(output->read_end),
                 std::move(error->read_end)};
}

}  // namespace warmpool::worker::stock
