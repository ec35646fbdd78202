// What a recording is made of: docs/recorder.md is the page of the format. Numbers are written as
// pool/image/ writes them, but for the frames around blocks (block.hpp).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "pool/event.hpp"
#include "pool/ids.hpp"
#include "pool/record.hpp"
#include "pool/time.hpp"
#include "pool/word.hpp"

namespace warmpool::daemon {

inline constexpr std::string_view kSegmentMagic = "WPFLIGHT";
// Grows when the frames, the header or the kinds of blocks change their meaning.
inline constexpr std::uint32_t kSegmentFormat = 1;

// With what a segment begins after its header and settings.
enum class SegmentStart : std::uint8_t { Genesis, Image, Nothing };

// The first block of each segment.
struct SegmentHeader {
  std::uint64_t number = 0;
  std::uint64_t previous = 0;  // whose end is the beginning of this one; 0: of none
  std::string program;         // that wrote it
  std::uint32_t shape = 0;     // of its events and images: Pool::shape()
  std::uint64_t life = 0;
  Instant at;
  WallTime wall;  // of `at`
  SegmentStart start{};
  std::uint64_t tasks = 0;  // that the core held
};

// Blocks of a segment, in this order; Steps as many as there are.
enum class BlockKind : std::uint8_t { Header = 1, Settings, Image, Steps, End };

// What the core was given, in the order of it. `since`: after the item before it in its block, or
// after the instant with which the block begins. `commands` and `digest`: what it asked for.
namespace item {
struct Step {
  Duration since;
  Event event;
  std::uint64_t commands = 0;
  std::uint32_t digest = 0;
};
struct Replayed {
  Record record;
};
struct Totals {
  std::array<std::uint64_t, 5> settled{};
};
struct ReplayEnd {
  Duration since;
  std::uint64_t commands = 0;
  std::uint32_t digest = 0;
};
}  // namespace item

using SegmentItem = std::variant<item::Step, item::Replayed, item::Totals, item::ReplayEnd>;
enum class ItemKind : std::uint8_t { Step, Replayed, Totals, ReplayEnd };  // its alternatives

// "flight-000000012.rec", in the order of their numbers.
std::string segment_name(std::uint64_t number);
// 0: it is no segment's.
std::uint64_t segment_number(std::string_view name);

}  // namespace warmpool::daemon
