// Any bytes as changes of a journal, one behind another. What is taken is written the same again
// and taken again as the same; nothing is read beyond the end.
#include <cstdlib>

#include "daemon/store/change_codec.hpp"

namespace {

using namespace warmpool;
using namespace warmpool::daemon;

std::string encoded(const Change& change) {
  std::string bytes;
  encode_change(change, bytes);
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto from = std::as_bytes(std::span(data, size));
  while (!from.empty()) {
    Change change = change::Received{};
    const auto before = from.size();
    if (!decode_change(from, change)) break;
    if (from.size() >= before) std::abort();
    const auto bytes = encoded(change);
    auto again = ipc::bytes_of(bytes);
    Change back = change::Received{};
    if (!decode_change(again, back) || !again.empty() || encoded(back) != bytes) std::abort();
  }
  return 0;
}
