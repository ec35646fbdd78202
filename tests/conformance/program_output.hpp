// What a handler of the conformance workers has a program say.
#pragma once

#include <array>
#include <cstdio>
#include <memory>
#include <string>

namespace warmpool::testing {

// Blocks: until the program has ended.
inline std::string output_of(const char* command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> program(::popen(command, "r"), ::pclose);
  std::string output;
  std::array<char, 4096> part{};
  while (const std::size_t bytes = std::fread(part.data(), 1, part.size(), program.get())) {
    output.append(part.data(), bytes);
  }
  return output;
}

inline constexpr char kSurroundings[] = "env; ls -l /proc/self/fd";

// To standard output and error: words, zeros, and what a program says.
inline void print_strays() {
  std::fputs("stray words", stdout);
  const std::array<char, 64> zeros{};
  std::fwrite(zeros.data(), 1, zeros.size(), stdout);
  std::fputs("no frame\n", stderr);
  std::fputs(output_of("echo of a child").c_str(), stdout);
}

}  // namespace warmpool::testing
