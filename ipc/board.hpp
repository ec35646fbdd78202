// A board as it is written and read: two copies in shared memory, of which one is always whole, so
// that a reader never waits for the writer, not even for one that was stopped in the middle.
#pragma once

#include <vector>

#include "ipc/board_layout.hpp"
#include "ipc/shared_memory.hpp"

namespace warmpool::ipc {

// What a board has room for.
struct BoardShape {
  std::uint32_t classes_max = 0, slots_max = 0;
  std::size_t copy_bytes() const;
  std::size_t bytes() const;
};

// Up to the first zero, and no byte that is not UTF-8.
std::string_view text_in(std::span<const char> field);
// Cut at a character's end, zeros behind it.
void put_text(std::span<char> field, std::string_view text);

// Owns: the mapping, of shape.bytes() zero bytes. Threads: one.
// Order: begin, put ..., commit.
class BoardWriter {
 public:
  BoardWriter(Mapping mapping, const BoardShape& shape, std::int32_t pid, std::int64_t started_at,
              std::string_view server);

  const BoardShape& shape() const { return shape_; }
  void begin();
  // Bounds: REQUIREs `at` below the shape's.
  void put(std::uint32_t at, const BoardClass& row);
  void put(std::uint32_t at, const BoardSlot& row);
  // The copy is whole; its generation is set here.
  void commit(BoardPool pool);
  // No more copies will come.
  void retire(BoardEnd why);

 private:
  Mapping mapping_;
  BoardShape shape_;
  std::uint64_t generation_ = 0;
};

struct BoardFigures {
  BoardPool pool{};
  std::vector<BoardClass> classes;
  std::vector<BoardSlot> slots;
};

// Owns: the mapping. Threads: one.
class BoardReader {
 public:
  // Maps the file. Errors: EINVAL: it is no board, or none of this version; errno.
  static Result<BoardReader> open(int fd);

  const BoardHeader& header() const { return header_; }
  // A whole copy, checked: counts within bounds, states and causes that exist, texts that are
  // UTF-8. Errors: EAGAIN: none was whole in kTriesMax tries, which takes a writer without pause;
  // EINVAL: what is there makes no sense.
  Result<BoardFigures> read() const;
  BoardEnd end() const;

  static constexpr int kTriesMax = 16;
  static constexpr std::uint32_t kRowsMax = 1U << 20;  // of each kind; the core has 65,535 slots

 private:
  BoardReader(Mapping mapping, const BoardHeader& header)
      : mapping_(std::move(mapping)), header_(header) {}
  bool copy(std::uint64_t generation, BoardFigures& figures) const;
  Mapping mapping_;
  BoardHeader header_;  // a copy, as it was when opened
};

}  // namespace warmpool::ipc
