// The kernel's generator and not one of ours: a key that repeats after a fork or a restored virtual
// machine would make two tasks one. 0.3 us each.
#include "client/random_key.hpp"

#include <array>
#include <sys/random.h>

#include "pool/require.hpp"

namespace warmpool::client {

std::string random_key() {
  std::array<unsigned char, 16> bits{};
  REQUIRE(::getrandom(bits.data(), bits.size(), 0) == static_cast<ssize_t>(bits.size()));
  constexpr char kDigits[] = "0123456789abcdef";
  std::string key;
  key.reserve(2 * bits.size());
  for (const unsigned char byte : bits) {
    key.push_back(kDigits[byte >> 4]);
    key.push_back(kDigits[byte & 15]);
  }
  return key;
}

}  // namespace warmpool::client
