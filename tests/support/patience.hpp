// How long tests wait, in one place: sanitizers make programs several times slower, and what takes
// seconds alone takes more beside a dozen others. Waiting ends when the thing happens, so patience
// costs nothing but in a test that fails.
#pragma once

#include <chrono>
#include <functional>

namespace warmpool::test {

#if defined(__SANITIZE_THREAD__)
inline constexpr int kSlowness = 8;
#elif defined(__SANITIZE_ADDRESS__)
inline constexpr int kSlowness = 4;
#else
inline constexpr int kSlowness = 1;
#endif

// What takes `usual` at most in a plain build on a machine with other work.
constexpr std::chrono::milliseconds patience(
    std::chrono::milliseconds usual = std::chrono::seconds(20)) {
  return usual * kSlowness;
}

// The same as a date, counted from now.
inline std::chrono::steady_clock::time_point patience_ends(
    std::chrono::milliseconds usual = std::chrono::seconds(20)) {
  return std::chrono::steady_clock::now() + patience(usual);
}

// For poll().
constexpr int patience_ms(std::chrono::milliseconds usual = std::chrono::seconds(20)) {
  return static_cast<int>(patience(usual).count());
}

// Judges again every few milliseconds until it holds. Blocks: at most for patience(usual).
bool eventually(const std::function<bool()>& holds,
                std::chrono::milliseconds usual = std::chrono::seconds(20));

}  // namespace warmpool::test
