// Any bytes as a packet between the daemon and a template: what is taken is written again as it
// came, but for leading zeros of numbers.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "ipc/template_frames.hpp"
#include "pool/require.hpp"

namespace {

using namespace warmpool::ipc;

bool inside(std::string_view part, std::string_view whole) {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

void try_request(std::string_view packet) {
  const auto request = parse_fork_request(packet);
  if (!request) return;
  REQUIRE(inside(request->mark, packet));
  for (const auto entry : request->environment) REQUIRE(inside(entry, packet));
  const auto again = encode(*request);
  const auto twice = parse_fork_request(again);
  REQUIRE(twice && twice->number == request->number && twice->mark == request->mark);
  REQUIRE(twice->environment == request->environment && again.size() <= packet.size());
}

void try_answer(std::string_view packet) {
  const auto answer = parse_template_answer(packet);
  if (!answer) return;
  REQUIRE(answer->text.empty() || inside(answer->text, packet));
  const auto again = encode(*answer);
  const auto twice = parse_template_answer(again);
  REQUIRE(twice && twice->kind == answer->kind && twice->number == answer->number);
  REQUIRE(twice->pid == answer->pid && twice->text == answer->text);
  REQUIRE(again.size() <= packet.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view packet(reinterpret_cast<const char*>(data), size);
  try_request(packet);
  try_answer(packet);
  return 0;
}
