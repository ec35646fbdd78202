// The writer fills the copy that is not current and then stores its generation; a reader that finds
// the same generation before and behind its copying has copied nothing that was being written. The
// fences pair: who has seen a word of generation g + 2 also sees that g + 1 was current.
// Source: Boehm, "Can seqlocks get along with programming language memory models?" (MSPC 2012).
//
// Words are copied one by one with relaxed atomics, which no data race can tear.
#include "ipc/board.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <sys/stat.h>

#include "ipc/codec.hpp"
#include "pool/worker_words.hpp"

namespace warmpool::ipc {
namespace {

using Word = std::uint64_t;

// Memory that is mapped to be read only is only read from: an atomic load of a word is a plain one.
std::atomic_ref<Word> word_at(const std::byte* at) {
  return std::atomic_ref<Word>(*reinterpret_cast<Word*>(const_cast<std::byte*>(at)));
}

template <class Row>
void store_row(std::byte* at, const Row& row) {
  static_assert(sizeof(Row) % sizeof(Word) == 0 && std::is_trivially_copyable_v<Row>);
  std::array<Word, sizeof(Row) / sizeof(Word)> words;
  std::memcpy(words.data(), &row, sizeof row);
  for (std::size_t i = 0; i < words.size(); ++i) {
    word_at(at + i * sizeof(Word)).store(words[i], std::memory_order_relaxed);
  }
}

template <class Row>
void load_row(const std::byte* at, Row& row) {
  std::array<Word, sizeof(Row) / sizeof(Word)> words;
  for (std::size_t i = 0; i < words.size(); ++i) {
    words[i] = word_at(at + i * sizeof(Word)).load(std::memory_order_relaxed);
  }
  std::memcpy(&row, words.data(), sizeof row);
}

constexpr std::size_t kGenerationAt = offsetof(BoardHeader, generation);
constexpr std::size_t kRetiredAt = offsetof(BoardHeader, retired);

std::size_t copy_at(const BoardShape& shape, std::uint64_t generation) {
  return sizeof(BoardHeader) + generation % 2 * shape.copy_bytes();
}

std::size_t slots_at(const BoardShape& shape) {
  return sizeof(BoardPool) + shape.classes_max * sizeof(BoardClass);
}

Error no_board(const std::string& why) { return {EINVAL, "it is no board: " + why}; }

Result<void> check_header(const BoardHeader& header, std::size_t bytes) {
  if (header.magic != kBoardMagic) return no_board("it does not begin with WPBOARD1");
  if (header.version != kBoardVersion || header.header_bytes != sizeof(BoardHeader)) {
    return no_board("it has version " + std::to_string(header.version) + ", this program reads " +
                    std::to_string(kBoardVersion) + "; use the warmpool of that daemon");
  }
  const BoardShape shape{header.classes_max, header.slots_max};
  if (shape.classes_max > BoardReader::kRowsMax || shape.slots_max > BoardReader::kRowsMax ||
      header.copy_bytes != shape.copy_bytes() || header.bytes != shape.bytes() ||
      bytes < shape.bytes()) {
    return no_board("its sizes do not fit each other");
  }
  return {};
}

bool is_sane(std::span<const char> text) {
  return text_in(text).size() == ::strnlen(text.data(), text.size());
}

bool is_sane(const BoardSlot& row, std::uint32_t classes) {
  return row.worker_class < classes && row.state < Words<SlotState>::rows.size() &&
         row.last_exit < Words<ExitCause>::rows.size() && row.score <= board_score(1000) &&
         is_sane(row.name);
}

}  // namespace

std::size_t BoardShape::copy_bytes() const {
  return slots_at(*this) + slots_max * sizeof(BoardSlot);
}
std::size_t BoardShape::bytes() const { return sizeof(BoardHeader) + 2 * copy_bytes(); }

std::string_view text_in(std::span<const char> field) {
  const std::string_view all(field.data(), ::strnlen(field.data(), field.size()));
  return cut_text(all, all.size());
}

void put_text(std::span<char> field, std::string_view text) {
  const auto fits = cut_text(text, field.size());
  std::ranges::fill(field, '\0');
  std::ranges::copy(fits, field.begin());
}

BoardWriter::BoardWriter(Mapping mapping, const BoardShape& shape, std::int32_t pid,
                         std::int64_t started_at, std::string_view server)
    : mapping_(std::move(mapping)), shape_(shape) {
  REQUIRE(mapping_.bytes() >= shape.bytes());
  BoardHeader header{};
  header.magic = kBoardMagic;
  header.version = kBoardVersion;
  header.header_bytes = sizeof(BoardHeader);
  header.bytes = shape.bytes();
  header.copy_bytes = shape.copy_bytes();
  header.classes_max = shape.classes_max;
  header.slots_max = shape.slots_max;
  header.pid = pid;
  header.started_at = started_at;
  put_text(header.server, server);
  store_row(mapping_.data(), header);
}

void BoardWriter::begin() { std::atomic_thread_fence(std::memory_order_release); }

void BoardWriter::put(std::uint32_t at, const BoardClass& row) {
  REQUIRE(at < shape_.classes_max);
  store_row(
      mapping_.data() + copy_at(shape_, generation_ + 1) + sizeof(BoardPool) + at * sizeof row,
      row);
}

void BoardWriter::put(std::uint32_t at, const BoardSlot& row) {
  REQUIRE(at < shape_.slots_max);
  store_row(mapping_.data() + copy_at(shape_, generation_ + 1) + slots_at(shape_) + at * sizeof row,
            row);
}

void BoardWriter::commit(BoardPool pool) {
  REQUIRE(pool.classes <= shape_.classes_max && pool.slots <= shape_.slots_max);
  pool.generation = ++generation_;
  store_row(mapping_.data() + copy_at(shape_, generation_), pool);
  word_at(mapping_.data() + kGenerationAt).store(generation_, std::memory_order_release);
}

void BoardWriter::retire(BoardEnd why) {
  word_at(mapping_.data() + kRetiredAt).store(static_cast<Word>(why), std::memory_order_relaxed);
}

Result<BoardReader> BoardReader::open(int fd) {
  struct stat found {};
  if (::fstat(fd, &found) != 0) return Error{errno, std::strerror(errno)};
  const auto bytes = static_cast<std::size_t>(found.st_size);
  if (!S_ISREG(found.st_mode) || bytes < sizeof(BoardHeader)) {
    return no_board("it is no file of " + std::to_string(sizeof(BoardHeader)) + " bytes or more");
  }
  auto mapping = Mapping::of(fd, bytes, Mapping::Access::Read);
  if (!mapping) return mapping.error();
  BoardHeader header;
  load_row(mapping->data(), header);
  if (auto checked = check_header(header, bytes); !checked) return checked.error();
  return BoardReader(std::move(*mapping), header);
}

BoardEnd BoardReader::end() const {
  const auto word = word_at(mapping_.data() + kRetiredAt).load(std::memory_order_relaxed);
  return word == 0 ? BoardEnd::None : word == 2 ? BoardEnd::Replaced : BoardEnd::Stopped;
}

Result<BoardFigures> BoardReader::read() const {
  BoardFigures figures;
  const auto generation = word_at(mapping_.data() + kGenerationAt);
  for (int tries = 0; tries < kTriesMax; ++tries) {
    const auto before = generation.load(std::memory_order_acquire);
    const bool sane = copy(before, figures);
    std::atomic_thread_fence(std::memory_order_acquire);
    if (generation.load(std::memory_order_relaxed) != before || before == 0) continue;
    if (sane) return figures;
    return no_board("what it holds makes no sense");
  }
  return Error{EAGAIN, "no copy of the board is whole; try again"};
}

// False: it makes no sense, for example because it is being written.
bool BoardReader::copy(std::uint64_t generation, BoardFigures& figures) const {
  const BoardShape shape{header_.classes_max, header_.slots_max};
  const std::byte* at = mapping_.data() + copy_at(shape, generation);
  load_row(at, figures.pool);
  const auto& pool = figures.pool;
  if (pool.classes > shape.classes_max || pool.slots > shape.slots_max) return false;
  figures.classes.resize(pool.classes);
  figures.slots.resize(pool.slots);
  bool sane = pool.generation == generation;
  for (std::size_t i = 0; i < pool.classes; ++i) {
    load_row(at + sizeof(BoardPool) + i * sizeof(BoardClass), figures.classes[i]);
    sane = sane && is_sane(figures.classes[i].name);
  }
  for (std::size_t i = 0; i < pool.slots; ++i) {
    load_row(at + slots_at(shape) + i * sizeof(BoardSlot), figures.slots[i]);
    sane = sane && is_sane(figures.slots[i], pool.classes);
  }
  return sane;
}

}  // namespace warmpool::ipc
