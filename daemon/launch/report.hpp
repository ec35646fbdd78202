// What warmpool-launch tells the daemon when it cannot start a program: at most one of these, in
// one write, through a close-on-exec pipe. The end of the pipe without one means that the program
// runs.
#pragma once

#include <cstdint>

namespace warmpool::launch {

enum class Step : std::uint32_t {
  Arguments,
  Limits,
  Nice,
  Cpus,
  Groups,
  User,
  Directory,
  Input,
  Privileges,
  DeathSignal,
  Parent,
  Descriptors,
  Exec,
  Interpreter,
  ReadBack
};

struct Report {
  Step step{};
  std::int32_t error = 0;  // errno
  char detail[240] = {};   // what it was about: a path, a user's number; ends with NUL
};

// Numbers of descriptors that the launcher is started with, beside 0, 1 and 2.
inline constexpr int kChannelNumber = 3;
inline constexpr int kStatusNumber = 4;

// Exit status of a launcher that could not start its program.
inline constexpr int kFailedStatus = 127;

}  // namespace warmpool::launch
