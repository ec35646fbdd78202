// When a task passed each place on its way: what the frame *stamps* carries (docs/protocol.md,
// section 14).
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "ipc/bytes.hpp"

namespace warmpool::ipc {

// In the order of the way.
enum class Stamp : std::uint8_t {
  Received,  // the daemon has read the submit
  Assigned,  // and given it to a worker,
  Sent,      // to which it is written now
  Taken,     // the worker has read it
  Begun,     // its handler begins
  Ended,     // and has returned
  Answered,  // the answer is written now
  Heard,     // the daemon has read it
  Settled,   // the task has settled, and that is kept
  Told,      // the result is written to the client now
};

// Units: nanoseconds of CLOCK_MONOTONIC, which the processes of a machine share. 0: not known.
using PathStamps = std::array<std::uint64_t, 10>;
// Taken to Answered: what a worker says.
using WorkerStamps = std::array<std::uint64_t, 4>;

inline std::uint64_t stamp_of(std::chrono::steady_clock::time_point time) {
  return static_cast<std::uint64_t>(std::chrono::nanoseconds(time.time_since_epoch()).count());
}
inline std::uint64_t stamp_now() { return stamp_of(std::chrono::steady_clock::now()); }

// A u64 each, little-endian.
template <std::size_t N>
std::string encode_stamps(const std::array<std::uint64_t, N>& stamps) {
  std::string out;
  for (const auto stamp : stamps) {
    for (int shift = 0; shift < 64; shift += 8) {
      out.push_back(static_cast<char>(static_cast<unsigned char>(stamp >> shift & 0xff)));
    }
  }
  return out;
}

// False: there are not so many. Those behind them are left to a later version.
template <std::size_t N>
bool decode_stamps(Bytes payload, std::array<std::uint64_t, N>& out) {
  if (payload.size() < 8 * N || payload.size() % 8 != 0) return false;
  out = {};
  for (std::size_t i = 0; i < 8 * N; ++i) {
    out[i / 8] |= static_cast<std::uint64_t>(payload[i]) << (8 * (i % 8));
  }
  return true;
}

}  // namespace warmpool::ipc
