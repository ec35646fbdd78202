// The page that a worker shares with its daemon: it tells there that it is alive and what it runs,
// without a system call. Layout: docs/protocol.md, section 10.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "ipc/layout.hpp"
#include "ipc/shared_memory.hpp"

namespace warmpool::ipc {

inline constexpr std::uint64_t kPageMagic = 0x3130'4547'4150'5057;  // the bytes "WPPAGE01"
inline constexpr std::uint32_t kPageVersion = 1;
inline constexpr std::size_t kPageBytes = 4096;

// Each word has one writer; bytes that are not named are 0. Every word is read and written whole
// (a relaxed atomic): through PageWriter and PageReader, never through this struct.
struct WorkerPage {
  // The daemon's, before the worker gets the page.
  std::uint64_t magic;
  std::uint32_t version, bytes;
  std::uint64_t worker;
  std::uint64_t unused_1[5];
  // The worker's: one cache line.
  std::uint64_t beats;
  std::int64_t beat_at;
  std::uint64_t running, begun, ended, busy_ns, in_hand, unsent_bytes;
  std::uint64_t unused_2[240];
  // The daemon's, on a line of its own.
  std::uint64_t revoked_from;
  std::uint64_t unused_3[255];
};
static_assert(sizeof(WorkerPage) == kPageBytes && offsetof(WorkerPage, beats) == 64 &&
              offsetof(WorkerPage, revoked_from) == 2048);

std::span<const LayoutRow> page_rows();

// What a worker says of itself: nothing of it is believed, it is a hint for people and for blame.
struct PageTallies {
  std::uint64_t beats = 0;
  std::int64_t beat_at = 0;
  std::uint64_t running = 0, begun = 0, ended = 0, busy_ns = 0, in_hand = 0, unsent_bytes = 0;
  friend bool operator==(const PageTallies&, const PageTallies&) = default;
};

// The daemon's end. Owns: the mapping. Threads: one.
class PageReader {
 public:
  // A new page for this worker, and the descriptor to give it. Errors: errno; see
  // shared_memory.hpp.
  static Result<PageReader> make(std::uint64_t worker, UniqueFd& to_give);

  // A copy. Bounds: any bits at all may come out; each word is one that was stored at some time.
  PageTallies read() const;

 private:
  explicit PageReader(Mapping mapping) : mapping_(std::move(mapping)) {}
  Mapping mapping_;
};

// The worker's end. Owns: the mapping. Threads: one, for its words have one writer.
class PageWriter {
 public:
  // Errors: it is no page, of another version, or another worker's.
  static Result<PageWriter> open(const UniqueFd& given, std::uint64_t worker);

  void beat(std::int64_t monotonic_ns);
  // A handler begins the attempt with this token, or has ended after so long.
  void begin(std::uint64_t token);
  void end(std::int64_t took_ns);
  void gauge(std::uint64_t in_hand, std::uint64_t unsent_bytes);

 private:
  explicit PageWriter(Mapping mapping);
  Mapping mapping_;
  PageTallies own_;  // what was stored last: no word of the page is read again
};

}  // namespace warmpool::ipc
