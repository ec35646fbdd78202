// Not execvp: it hands a file of unknown format to /bin/sh, so that a truncated binary would "run",
// and it cannot tell a missing program from a missing interpreter.
#include "daemon/launch/execute.hpp"

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <sys/stat.h>
#include <unistd.h>

namespace warmpool::launch {
namespace {

bool is_directory(const char* path) {
  struct stat status;
  return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

Report make_report(Step step, int error, const char* detail) {
  Report report;
  report.step = step;
  report.error = error;
  std::strncpy(report.detail, detail, sizeof report.detail - 1);
  return report;
}

Report try_path(const char* path, char** command) {
  execve(path, command, environ);
  const int error = errno;
  if (error == EACCES && is_directory(path)) return make_report(Step::Exec, EISDIR, path);
  if (error == ENOENT && access(path, F_OK) == 0)
    return make_report(Step::Interpreter, error, path);
  return make_report(Step::Exec, error, path);
}

// "directory/name" into `path`; an empty directory is the working one. False if it does not fit.
bool join(const char* directory, std::size_t length, const char* name, char (&path)[PATH_MAX]) {
  const std::size_t name_length = std::strlen(name);
  if (length + name_length + 3 > sizeof path) return false;
  if (length == 0) {
    directory = ".";
    length = 1;
  }
  std::memcpy(path, directory, length);
  path[length] = '/';
  std::memcpy(path + length + 1, name, name_length + 1);
  return true;
}

// Another directory may have it, where this one has none that can be executed.
bool may_be_elsewhere(const Report& report) {
  return report.step == Step::Exec && (report.error == ENOENT || report.error == ENOTDIR ||
                                       report.error == EACCES || report.error == EISDIR);
}

Report search(const char* name, char** command) {
  Report first = make_report(Step::Exec, ENOENT, name);
  const char* rest = std::getenv("PATH");
  if (rest == nullptr) rest = "/usr/local/bin:/usr/bin:/bin";
  while (true) {
    const char* end = std::strchr(rest, ':');
    const std::size_t length =
        end != nullptr ? static_cast<std::size_t>(end - rest) : std::strlen(rest);
    char path[PATH_MAX];
    if (join(rest, length, name, path)) {
      const Report report = try_path(path, command);
      if (!may_be_elsewhere(report)) return report;
      // Not a directory that may not be entered: that says nothing about the program.
      const bool telling =
          report.error == EISDIR || (report.error == EACCES && access(path, F_OK) == 0);
      if (telling && first.error == ENOENT) first = report;
    }
    if (end == nullptr) return first;
    rest = end + 1;
  }
}

}  // namespace

Report execute(char** command) {
  if (std::strchr(command[0], '/') != nullptr) return try_path(command[0], command);
  if (command[0][0] == '\0') return make_report(Step::Exec, ENOENT, "");
  return search(command[0], command);
}

}  // namespace warmpool::launch
