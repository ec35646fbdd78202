// How warmpoold ends, one row each: --help and docs/daemon.md print this table.
// Source: sysexits.h for the numbers from 64 up.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace warmpool::daemon {

enum class ExitStatus : std::uint8_t {
  Ok = 0,
  ReplayDiffers = 1,
  Usage = 2,
  StoreDamaged = 65,
  Incomplete = 66,
  Unavailable = 69,
  System = 71,
  CannotCreate = 73,
  StoreFailed = 74,
  AlreadyRunning = 75,
  NotPermitted = 77,
  Configuration = 78,
};

struct ExitRow {
  ExitStatus status;
  std::string_view meaning;
};

inline constexpr std::array<ExitRow, 12> kExitRows{{
    {ExitStatus::Ok, "stopped as asked; or --help, --version, --check-config found nothing wrong"},
    {ExitStatus::ReplayDiffers, "--replay: this program does not decide as it was recorded"},
    {ExitStatus::Usage, "the command line is wrong"},
    {ExitStatus::StoreDamaged,
     "the store or the recording is damaged, of a newer version or not ours; nothing was changed "
     "in it"},
    {ExitStatus::Incomplete,
     "--restore: done, without payloads or results whose files are missing or damaged"},
    {ExitStatus::Unavailable, "a program that it needs is missing: warmpool-launch or a worker"},
    {ExitStatus::System, "the system refused something: descriptors, memory, a signal handler"},
    {ExitStatus::CannotCreate,
     "runtime directory, state directory, socket or log file cannot be made"},
    {ExitStatus::StoreFailed,
     "the system refuses to read or write the store; what was acknowledged is kept"},
    {ExitStatus::AlreadyRunning,
     "another daemon serves this runtime directory or this state directory"},
    {ExitStatus::NotPermitted, "the configuration asks for what only root may do"},
    {ExitStatus::Configuration, "the configuration is wrong; each fault is told with its place"},
}};

}  // namespace warmpool::daemon
