// State machines as one list of rows, with the proofs that can be made of a list at compile time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace warmpool {

template <class State, class Trigger>
struct Row {
  State from;
  Trigger on;
  State to;
};

inline constexpr std::size_t kNoRow = static_cast<std::size_t>(-1);

// Which row leaves `from` by `on`; kNoRow if there is none.
template <class State, class Trigger, std::size_t N>
constexpr std::size_t find_row(const std::array<Row<State, Trigger>, N>& rows, State from,
                               Trigger on) {
  for (std::size_t i = 0; i < N; ++i) {
    if (rows[i].from == from && rows[i].on == on) return i;
  }
  return kNoRow;
}

// No pair of state and trigger stands twice.
template <class State, class Trigger, std::size_t N>
constexpr bool deterministic(const std::array<Row<State, Trigger>, N>& rows) {
  for (std::size_t i = 0; i < N; ++i) {
    if (find_row(rows, rows[i].from, rows[i].on) != i) return false;
  }
  return true;
}

// `to` can be reached from `from` by some way along the rows.
template <class State, class Trigger, std::size_t N>
constexpr bool reaches(const std::array<Row<State, Trigger>, N>& rows, State from, State to) {
  std::array<bool, 64> seen{};
  seen[static_cast<std::size_t>(from)] = true;
  for (bool grew = true; grew;) {
    grew = false;
    for (const auto& row : rows) {
      if (seen[static_cast<std::size_t>(row.from)] && !seen[static_cast<std::size_t>(row.to)]) {
        seen[static_cast<std::size_t>(row.to)] = grew = true;
      }
    }
  }
  return seen[static_cast<std::size_t>(to)];
}

// Every state named in the rows can be reached from `start` and can reach `end`.
template <class State, class Trigger, std::size_t N>
constexpr bool connected(const std::array<Row<State, Trigger>, N>& rows, State start, State end) {
  for (const auto& row : rows) {
    if (!reaches(rows, start, row.from) || !reaches(rows, start, row.to)) return false;
    if (!reaches(rows, row.from, end)) return false;
  }
  return true;
}

// No row leaves `state`.
template <class State, class Trigger, std::size_t N>
constexpr bool terminal(const std::array<Row<State, Trigger>, N>& rows, State state) {
  for (const auto& row : rows) {
    if (row.from == state) return false;
  }
  return true;
}

}  // namespace warmpool
