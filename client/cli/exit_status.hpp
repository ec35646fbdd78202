// What the command line ends with: one table for help, documentation and tests.
#pragma once

#include <array>
#include <string_view>

#include "pool/result.hpp"

namespace warmpool::cli {

enum ExitStatus : int {
  kOk = 0,
  kFailed = 1,
  kUsage = 2,
  kDamaged = 65,
  kUnreachable = 69,
  kCannotCreate = 73,
  kInputOutput = 74,
  kTryAgain = 75,
  kNoPermission = 77,
  kConfiguration = 78,
  kTimedOut = 124,
  kInterrupted = 130,
  kKilled = 137,
  kBrokenPipe = 141,
};

struct ExitRow {
  ExitStatus status;
  std::string_view meaning;
};

inline constexpr std::array<ExitRow, 14> kExitRows{{
    {kOk, "all went well; what was waited for is done"},
    {kFailed, "a task failed, or the daemon refused; the text says why"},
    {kUsage, "the command line is wrong; the text says how it is right"},
    {kDamaged, "what the daemon was to read is damaged"},
    {kUnreachable, "no daemon answers at the socket"},
    {kCannotCreate, "the file that the daemon was to make is there already, or cannot be made"},
    {kInputOutput, "the daemon could not read or write a file: full disk, input or output error"},
    {kTryAgain, "refused for now (queue full, draining, stopping): try again later"},
    {kNoPermission, "the daemon's user may not read or write there"},
    {kConfiguration, "the configuration is wrong (config check)"},
    {kTimedOut, "the time given ran out"},
    {kInterrupted, "interrupted by Ctrl-C or SIGTERM"},
    {kKilled, "the command of run was killed (128 + signal)"},
    {kBrokenPipe, "whoever read the output went away"},
}};

// Of an error of the client library.
ExitStatus exit_status_of(const Error& error);

}  // namespace warmpool::cli
