#include "tests/support/patience.hpp"

#include <poll.h>

namespace warmpool::test {

bool eventually(const std::function<bool()>& holds, std::chrono::milliseconds usual) {
  const auto end = patience_ends(usual);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    ::poll(nullptr, 0, 2);
  }
  return true;
}

}  // namespace warmpool::test
