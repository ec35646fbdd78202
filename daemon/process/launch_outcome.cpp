// What each failure means and what to do about it, as rows: the first that fits is said.
#include "daemon/process/launch_outcome.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <unistd.h>

#include "daemon/launch/report.hpp"

namespace warmpool::daemon {
namespace {

using launch::Step;

struct Row {
  Step step;
  int error;              // 0: any
  std::string_view what;  // "cannot <what> <detail>: <errno>; <advice>"
  std::string_view advice;
};

constexpr std::array<Row, 25> kRows{{
    {Step::Exec, ENOENT, "find program",
     "check `command` of the class; a name without / is looked for in PATH"},
    {Step::Exec, EACCES, "execute",
     "make it executable, and let the worker's user reach its directory"},
    {Step::Exec, EISDIR, "execute", "name a program in `command` of the class"},
    {Step::Exec, ENOTDIR, "execute",
     "a part of the path is no directory; check `command` of the class"},
    {Step::Exec, ENOEXEC, "execute",
     "it is no program of this machine and no script that begins with #!"},
    {Step::Exec, ETXTBSY, "execute", "it is being written; the next try follows by itself"},
    {Step::Exec, EAGAIN, "execute",
     "the user has too many processes; raise its limit or lower `size`"},
    {Step::Exec, E2BIG, "execute", "shorten `command` or `environment` of the class"},
    {Step::Exec, ENOMEM, "execute", "memory is short; lower `size`"},
    {Step::Exec, 0, "execute", "check `command` of the class"},
    {Step::Interpreter, 0, "execute",
     "the file is there, but what its first line or its header names to run it is not; install "
     "that"},
    {Step::Directory, 0, "enter",
     "correct `working_directory` of the class, or let the worker's user enter it"},
    {Step::Groups, EPERM, "set the groups of the worker's user",
     "start warmpoold as root, or leave `user` of the class empty"},
    {Step::Groups, 0, "set the groups of the worker's user", "check `user` of the class"},
    {Step::User, EAGAIN, "become the worker's user",
     "it has too many processes; raise its limit or lower `size`"},
    {Step::User, 0, "become the worker's user",
     "start warmpoold as root, or leave `user` of the class empty"},
    {Step::ReadBack, 0, "see that the worker is its user",
     "something lets setresgid, setresuid or capset seem to work: allow them in the filter "
     "warmpoold runs under, or leave `user` of the class empty"},
    {Step::Limits, 0, "set resource limit number", "lower it to what the daemon itself may have"},
    {Step::Nice, 0, "set the worker's nice value", "only root may lower it; correct the class"},
    {Step::Cpus, 0, "bind the worker to its CPUs",
     "name CPUs that this machine has and the daemon may use"},
    {Step::Input, 0, "open", "it must be there and readable"},
    {Step::Privileges, 0, "give up new privileges",
     "allow prctl in the filter warmpoold runs under"},
    {Step::DeathSignal, 0, "tie the worker to the daemon",
     "allow prctl in the filter warmpoold runs under"},
    {Step::Descriptors, 0, "list", "mount /proc, or use a kernel with close_range (5.9)"},
    {Step::Parent, 0, "start a worker of a daemon that is gone", "start warmpoold again"},
}};

constexpr Row kOther{Step::Arguments, 0, "start a worker",
                     "install warmpoold and warmpool-launch of one version"};

const Row& row_of(const launch::Report& report) {
  for (const auto& row : kRows) {
    if (row.step == report.step && (row.error == 0 || row.error == report.error)) return row;
  }
  return kOther;
}

Error error_of(const launch::Report& report) {
  const Row& row = row_of(report);
  std::string text = "cannot " + std::string(row.what);
  const std::string_view detail(report.detail, strnlen(report.detail, sizeof report.detail));
  if (!detail.empty()) text.append(" ").append(detail);
  const char* reason = strerrordesc_np(report.error);
  text.append(": ").append(reason != nullptr ? reason : "unknown error");
  return Error{report.error, text.append("; ").append(row.advice)};
}

}  // namespace

LaunchOutcome launch_outcome(int launch_status) {
  launch::Report report;
  ssize_t bytes = 0;
  do {
    bytes = read(launch_status, &report, sizeof report);
  } while (bytes < 0 && errno == EINTR);
  if (bytes == static_cast<ssize_t>(sizeof report)) return {LaunchState::Failed, error_of(report)};
  if (bytes < 0 && errno == EAGAIN) return {};
  return {LaunchState::Running, {}};
}

}  // namespace warmpool::daemon
