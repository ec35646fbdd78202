// Any bytes as a recording. First byte, where it is even: the rest is a file as it stands. Else it
// is the body of a block (1 of header, 3 of settings, 5 of an image, others of steps) in a file
// that is sound otherwise. What is read is read the same again, stays inside, and takes no more
// memory than its bytes allow. The core itself is never run: it believes what its recorder wrote.
#include <cstdlib>
#include <string>

#include "daemon/record/segment_reader.hpp"
#include "pool/pool.hpp"

namespace {

using namespace warmpool;
using namespace warmpool::daemon;

std::string file_of(int which, std::string_view body) {
  SegmentHeader header;
  header.number = 1;
  header.program = "fuzz";
  header.shape = Pool::shape();
  header.life = 1;
  std::string file = segment_prefix();
  std::uint64_t place = 0;
  const auto add = [&](BlockKind kind, std::string_view bytes) {
    file += block_frame(kind, place++, bytes);
    file += bytes;
  };
  add(BlockKind::Header, which == 1 ? std::string(body) : image::bytes_of(header));
  add(BlockKind::Settings, which == 3 ? std::string(body) : image::bytes_of(PoolSettings{}));
  add(BlockKind::Steps, body);
  add(BlockKind::End, {});
  return file;
}

struct Taken {
  std::string items;
  SegmentReader::Next end{};
  bool operator==(const Taken&) const = default;
};

Taken take_all(std::string file) {
  Taken taken;
  if (file.empty()) return taken;
  auto segment =
      SegmentReader::open(OwnedFile(::fmemopen(file.data(), file.size(), "rb")), file.size(), "f");
  if (!segment) return taken;
  SegmentItem item;
  Instant at;
  while ((taken.end = segment->next(item, at)) == SegmentReader::Next::Item) {
    taken.items += image::bytes_of(item);
    REQUIRE(at <= kNever);
  }
  if (taken.end == SegmentReader::Next::Broken) REQUIRE(!segment->error().text.empty());
  return taken;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const int which = data[0];
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (which == 5) {
    const auto pool = Pool::from_image(body);
    if (pool) REQUIRE(Pool::from_image(*pool->image(~std::size_t{0})).has_value());
    return 0;
  }
  const auto file = which % 2 == 0 ? std::string(body) : file_of(which, body);
  REQUIRE(take_all(file) == take_all(file));
  // What was read of a body is what it says, up to the last item that is whole.
  if (which % 2 != 0 && which > 5) REQUIRE(take_all(file).items.size() <= 4 * body.size());
  return 0;
}
