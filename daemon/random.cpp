// getrandom and not std::random_device: that one may fall back to a generator without secrets.
#include "daemon/random.hpp"

#include <cerrno>
#include <sys/random.h>

#include "pool/require.hpp"

namespace warmpool::daemon {

std::uint64_t random_u64() {
  std::uint64_t number = 0;
  ssize_t got = 0;
  do {
    got = ::getrandom(&number, sizeof number, 0);
  } while (got < 0 && errno == EINTR);
  REQUIRE(got == static_cast<ssize_t>(sizeof number));
  return number;
}

}  // namespace warmpool::daemon
