#include "daemon/exit_text.hpp"

#include <cstring>

namespace warmpool::daemon {

std::string exit_text(const std::string& name, const Exit& exit) {
  if (exit.cause == ExitCause::ChannelClosed) return name + " closed its connection and lives on";
  if (!exit.known) return name + " ended; how, is told to who started it";
  if (exit.code >= 0) return name + " ended with status " + std::to_string(exit.code);
  const int number = -exit.code;
  const char* abbreviation = ::sigabbrev_np(number);
  return name + " was ended by signal " + std::to_string(number) +
         (abbreviation == nullptr ? "" : " (SIG" + std::string(abbreviation) + ")") +
         (exit.cause != ExitCause::OutOfMemory ? ""
          : exit.probable ? ": probably out of memory, the kernel killed for it at that time"
                          : ": out of memory") +
         (exit.core_dumped ? ", core dumped" : "");
}

std::string fault_text(ExitCause cause) {
  for (const auto& row : Words<ExitCause>::rows) {
    if (row.value != cause) continue;
    return (row.meaning.starts_with("idle") ? "was " : "") + std::string(row.meaning);
  }
  return {};
}

}  // namespace warmpool::daemon
