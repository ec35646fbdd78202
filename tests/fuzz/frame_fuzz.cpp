// Any bytes as a stream of frames: however they are cut into reads, the same frames come out, every
// view stays inside, and memory follows what came. First byte: who speaks (1 a worker is involved,
// 2 before hello, 4 the daemon speaks). The metas of what comes out are decoded too.
#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "ipc/frame_reader.hpp"
#include "ipc/out_buffer.hpp"
#include "tests/ipc/recode.hpp"

namespace {

using namespace warmpool;
using namespace warmpool::ipc;

FrameRules rules_of(std::uint8_t who) {
  const Party peer = (who & 1) != 0 ? Party::Worker : Party::Client;
  const bool from_daemon = (who & 4) != 0;
  const FrameRules rules =
      from_daemon ? before_hello(Party::Daemon, peer) : before_hello(peer, Party::Daemon);
  return (who & 2) != 0 ? rules : after_hello(rules, 1U << 20, feature::kAll);
}

struct Taken {
  std::vector<std::string> frames;
  bool broken = false;
  bool operator==(const Taken&) const = default;
};

void take_all(FrameReader& reader, Taken& outcome) {
  Frame frame;
  for (;;) {
    const auto next = reader.next(frame);
    if (next == FrameReader::Next::Broken) outcome.broken = true;
    if (next != FrameReader::Next::Frame) return;
    OutBuffer again;
    again.append(frame.header, frame.meta, std::string(text_of(frame.payload)));
    std::string bytes;
    while (!again.empty()) {
      iovec piece{};
      REQUIRE(again.gather(std::span(&piece, 1)) == 1);
      bytes.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
      again.consume(piece.iov_len);
    }
    outcome.frames.push_back(bytes);
    (void)test::recode(frame.header.kind, frame.meta);
    if (reader.rules().first) reader.set_rules(after_hello(reader.rules(), 1U << 20, ~0ULL));
  }
}

Taken read_in_steps(FrameRules rules, Bytes bytes, std::size_t step) {
  FrameReader reader(rules);
  Taken outcome;
  for (std::size_t at = 0; at < bytes.size() && !outcome.broken; at += step) {
    const std::size_t part = std::min(step, bytes.size() - at);
    const auto room = reader.prepare(part);
    REQUIRE(room.size() <= 512 * 1024 + 2 * bytes.size());
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), part, room.begin());
    reader.commit(part);
    take_all(reader, outcome);
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const FrameRules rules = rules_of(data[0]);
  const Bytes bytes = std::as_bytes(std::span(data + 1, size - 1));
  const Taken whole = read_in_steps(rules, bytes, std::max<std::size_t>(bytes.size(), 1));
  REQUIRE(read_in_steps(rules, bytes, 7) == whole);
  if (bytes.size() < 512) REQUIRE(read_in_steps(rules, bytes, 1) == whole);
  std::string joined;
  for (const std::string& frame : whole.frames) joined += frame;
  REQUIRE(text_of(bytes).starts_with(joined));
  return 0;
}
