// Any bytes through submit.fifo: however they are cut into reads, the same lines come out, bounded;
// and each line is refused with a code of the table and a text, or wishes that a submit may have.
#include <algorithm>
#include <string>
#include <vector>

#include "daemon/submit/line_buffer.hpp"
#include "daemon/submit/submit_line.hpp"
#include "ipc/codec.hpp"
#include "ipc/fault.hpp"
#include "pool/refusal.hpp"
#include "pool/require.hpp"

namespace {

using namespace warmpool;
using namespace warmpool::daemon;

constexpr std::size_t kLineMax = 64, kRoom = 256;

void take_all(LineBuffer& buffer, std::vector<std::string>& lines) {
  while (const auto line = buffer.take()) {
    REQUIRE(line->text.size() <= kLineMax);
    REQUIRE(line->text.find('\n') == std::string_view::npos);
    lines.push_back((line->too_long ? "too long: " : "") + std::string(line->text));
  }
}

std::vector<std::string> lines_of(std::string_view bytes, std::size_t step) {
  LineBuffer buffer(kLineMax, kRoom);
  std::vector<std::string> lines;
  while (!bytes.empty()) {
    REQUIRE(!buffer.full());
    buffer.add(bytes.substr(0, step));
    bytes.remove_prefix(std::min(step, bytes.size()));
    take_all(buffer, lines);
  }
  if (const auto rest = buffer.take_rest()) lines.emplace_back(rest->text);
  return lines;
}

void check_line(std::string_view line) {
  const auto parsed = parse_submit_line(line);
  if (!parsed) {
    REQUIRE(is_word<Refusal>(static_cast<std::uint64_t>(parsed.error().code)));
    REQUIRE(!parsed.error().text.empty());
    return;
  }
  REQUIRE(!parsed->type.empty() && parsed->type.size() <= 255 && ipc::is_utf8(parsed->type));
  const auto meta = parsed->meta();
  if (const auto good = ipc::check_submit(meta); !good) {
    REQUIRE(!good.error().text.empty());
    return;
  }
  std::string bytes;
  ipc::encode(meta, bytes);
  REQUIRE(ipc::decode<ipc::SubmitMeta>(ipc::bytes_of(bytes)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto lines = lines_of(bytes, 100);
  REQUIRE(lines_of(bytes, 7) == lines);
  REQUIRE(lines_of(bytes, 1) == lines);
  if (size <= kSubmitLineMax) check_line(bytes);
  return 0;
}
