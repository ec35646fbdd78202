// By _exit(): destructors would write, or wait for the disk, with half of a change in memory. The
// next start is that after a kill -9, which is tested most.
#include "daemon/out_of_memory.hpp"

#include <cstdlib>
#include <exception>
#include <new>
#include <string_view>
#include <unistd.h>

#include "daemon/exit_status.hpp"

namespace warmpool::daemon {
namespace {

[[noreturn]] void end() {
  constexpr std::string_view text =
      "warmpoold: out of memory; what was acknowledged is kept: give it more, or lower "
      "results_bytes_max and dead_bytes_max, and start it again\n";
  (void)!::write(STDERR_FILENO, text.data(), text.size());
  ::_exit(static_cast<int>(ExitStatus::System));
}

// Libraries that allocate by themselves throw it too.
[[noreturn]] void end_of_exception() {
  if (const auto thrown = std::current_exception()) {
    try {
      std::rethrow_exception(thrown);
    } catch (const std::bad_alloc&) {
      end();
    } catch (...) {
      constexpr std::string_view text = "warmpoold: an exception that nothing takes; report it\n";
      (void)!::write(STDERR_FILENO, text.data(), text.size());
    }
  }
  std::abort();
}

}  // namespace

void end_without_memory() {
  std::set_new_handler(end);
  std::set_terminate(end_of_exception);
}

}  // namespace warmpool::daemon
