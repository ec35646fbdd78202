// The board: what a daemon publishes about itself for whoever may read its file. Layout:
// docs/board.md; the tables there are board_tables() below, and a test compares them.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "ipc/layout.hpp"

namespace warmpool::ipc {

inline constexpr char kBoardName[] = "board";
inline constexpr std::uint64_t kBoardMagic = 0x3144'5241'4f42'5057;  // the bytes "WPBOARD1"
inline constexpr std::uint32_t kBoardVersion = 1;

// Bits of BoardPool::flags.
namespace board_flag {
inline constexpr std::uint32_t kInitialized = 1, kDraining = 2, kStopping = 4, kStoreAccepting = 8,
                               kSocketLost = 16;
}
// Bits of BoardSlot::flags.
namespace slot_flag {
inline constexpr std::uint8_t kUnresponsive = 1, kStopped = 2, kReserved = 4, kCancelling = 8;
}
// Why BoardHeader::retired is not 0.
enum class BoardEnd : std::uint64_t { None = 0, Stopped = 1, Replaced = 2 };

// All but the last line of it stays as it was made.
struct BoardHeader {
  std::uint64_t magic;
  std::uint32_t version, header_bytes;
  std::uint64_t bytes, copy_bytes;
  std::uint32_t classes_max, slots_max;
  std::int32_t pid;
  std::uint32_t unused_1;
  std::int64_t started_at;
  std::array<char, 64> server;
  std::uint64_t unused_2;
  // Words that change, on a line of their own.
  std::uint64_t generation, retired;
  std::uint64_t unused_3[14];
};
static_assert(sizeof(BoardHeader) == 256 && offsetof(BoardHeader, generation) == 128);

// Of each copy: this, then classes_max rows of BoardClass, then slots_max rows of BoardSlot.
struct BoardPool {
  std::uint64_t generation;
  std::int64_t updated_at, updated_monotonic, interval, uptime;
  std::uint32_t flags, classes, slots, slots_left_out;
  std::uint64_t accepted;
  std::array<std::uint64_t, 5> settled;
  std::uint64_t attempts, spawns, exits, failures, crashes, interruptions, suspects, recalls,
      free_ends, refused_submits, refused_results, duplicates, unproductive_deaths, zombies;
  std::uint64_t recording, ready, delayed, blocked, held, running, dead_letters, payload_bytes;
  std::int64_t oldest_ready;
  std::uint64_t processes_started;
  std::uint64_t unused[27];
};
static_assert(sizeof(BoardPool) == 512);

struct BoardClass {
  std::array<char, 64> name;
  std::uint32_t target, size_min, size_max, slots, ready, running, failed, capacity, in_flight;
  std::uint32_t unused[7];
};
static_assert(sizeof(BoardClass) == 128);

struct BoardSlot {
  std::array<char, 72> name;
  std::uint64_t worker, task, tasks_executed, tasks_of_process, processes_spawned, rss_bytes;
  std::int64_t busy, cpu, spawned_at, last_heard, state_since, retry_at;
  std::int32_t pid;
  std::uint32_t in_hand, unproductive_deaths;
  std::uint16_t worker_class, round, attempt;
  std::uint8_t state, flags, credits, last_exit, kernel_state, score;
};
static_assert(sizeof(BoardSlot) == 192);

// BoardSlot::score: a health score from 0 to 1000 in a byte, where 0 says that none is known.
constexpr std::uint8_t board_score(std::uint16_t score) {
  return static_cast<std::uint8_t>(score / 4 + 1);
}
constexpr std::uint16_t score_of(std::uint8_t told) {
  return static_cast<std::uint16_t>((told - 1) * 4);
}

struct BoardTable {
  std::string_view heading;
  std::span<const LayoutRow> rows;
  std::size_t bytes;
};
std::span<const BoardTable> board_tables();

}  // namespace warmpool::ipc
