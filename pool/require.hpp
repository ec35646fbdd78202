// Contracts that stay on in release: a broken one ends the process with the place and the reason,
// because going on with a wrong state could lose or double work.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace warmpool::detail {

[[noreturn]] inline void require_failed(const char* what, const char* file, int line) {
  std::fprintf(stderr, "warmpool: broken contract at %s:%d: %s\n", file, line, what);
  std::abort();
}

}  // namespace warmpool::detail

#define REQUIRE(condition)                                                \
  do {                                                                    \
    if (!(condition)) [[unlikely]]                                        \
      ::warmpool::detail::require_failed(#condition, __FILE__, __LINE__); \
  } while (false)
