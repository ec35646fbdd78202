// Any bytes as the meta of any kind (the first byte): refused with a code of the table and a text,
// or taken; and what was taken is the same after it was encoded and decoded again.
#include <string>

#include "ipc/fault.hpp"
#include "tests/ipc/recode.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace warmpool;
  using namespace warmpool::ipc;
  if (size == 0 || size > kMetaBytesMax) return 0;
  const auto kind = static_cast<Kind>(data[0]);
  const auto once = test::recode(kind, std::as_bytes(std::span(data + 1, size - 1)));
  if (!once) {
    REQUIRE(is_word<Refusal>(static_cast<std::uint64_t>(once.error().code)));
    REQUIRE(!once.error().text.empty());
    REQUIRE(breaks_protocol(refusal_of(once.error())) || kind == Kind::Request);
    return 0;
  }
  const auto twice = test::recode(kind, bytes_of(*once));
  REQUIRE(twice && *twice == *once);
  return 0;
}
