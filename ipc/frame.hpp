// A frame: 32 bytes of header, then meta, then payload. Layout: docs/protocol.md, section 2.
#pragma once

#include <cstdint>
#include <span>

#include "ipc/bytes.hpp"
#include "ipc/message.hpp"
#include "ipc/shared_bytes.hpp"
#include "pool/ids.hpp"
#include "pool/result.hpp"

namespace warmpool::ipc {

inline constexpr std::size_t kHeaderBytes = 32;
// Of body_bytes before welcome.
inline constexpr std::uint32_t kHelloBytesMax = 4'096;
// No frame_bytes_max may be above.
inline constexpr std::uint32_t kFrameBytesMax = 1U << 30;

// `body_bytes` and `meta_bytes` are set by whoever queues the frame (OutBuffer, Channel).
struct Header {
  std::uint32_t body_bytes = 0;
  std::uint16_t meta_bytes = 0;
  Kind kind{};
  std::uint8_t flags = 0;
  std::uint64_t id = 0;
  std::uint64_t token = 0;
  std::uint16_t round = 0, attempt = 0, type = 0;
  std::uint8_t credits = 0, descriptors = 0;
  friend bool operator==(const Header&, const Header&) = default;
};

// The header of a frame about one attempt, and what it says.
constexpr Header run_header(Kind kind, const AttemptKey& key) {
  return {.kind = kind,
          .id = key.task.value,
          .token = key.token,
          .round = key.round,
          .attempt = key.attempt};
}
constexpr AttemptKey key_of(const Header& header) {
  return {TaskId{header.id}, header.round, header.attempt, header.token};
}

constexpr Content content_of(const Header& header) {
  return static_cast<Content>(header.flags & flag::kContentMask);
}
constexpr std::uint8_t content_flags(Content content) { return static_cast<std::uint8_t>(content); }

// Owns: nothing of its views, which point into the buffer that it was read from.
struct Frame {
  Header header;
  Bytes meta;
  Bytes payload;
  Memory memory = {};  // of a large payload: may be kept in place of a copy. Null: of others
};

void encode_header(const Header& header, std::span<std::byte, kHeaderBytes> out);
Header decode_header(std::span<const std::byte, kHeaderBytes> bytes);

// What a reader lets through.
struct FrameRules {
  Party from{}, to{};
  std::uint32_t frame_bytes_max = kHelloBytesMax;
  std::uint64_t features = 0;
  bool first = true;  // only hello (to the daemon), welcome or error (from it)
};

// Until hello or welcome came; then make rules with after_hello and give them to the reader.
constexpr FrameRules before_hello(Party from, Party to) { return {.from = from, .to = to}; }
FrameRules after_hello(FrameRules rules, std::uint32_t frame_bytes_max, std::uint64_t features);

// Errors: the number of a Refusal: HelloExpected, UnknownKind, FrameTooLarge, BadFrame (meta longer
// than the body, an unused field or flag that is not 0, a payload where none may be). In that
// order, so that a program that speaks something else is told so.
Result<void> check_header(const Header& header, const FrameRules& rules);

}  // namespace warmpool::ipc
