// Whose a piece of a worker's output is, where the worker says so within the stream.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "pool/ids.hpp"

namespace warmpool::daemon {

// A mark is kOpens, the id of a task in 16 lower-case hexadecimal digits, kCloses: what follows on
// this stream is of that task; with id 0 nobody says whose it is (docs/protocol.md, section 1).
// What only begins like one is output. A worker is believed: it is its own output.
class OutputMarks {
 public:
  static constexpr char kOpens = '\x1E', kCloses = '\x1F';
  static constexpr std::size_t kDigits = 16, kBytes = kDigits + 2;

  using Take = std::function<void(TaskId, std::string_view)>;

  // Gives each piece between two marks, none of them empty, in order.
  void split(std::string_view bytes, const Take& take);
  // The beginning of a mark whose rest has not come; it is output after all.
  void end(const Take& take);
  // Some bytes were not looked at.
  void forget();
  // There was one.
  bool seen() const { return seen_; }

 private:
  std::string_view take_mark(std::string_view rest, const Take& take);

  TaskId task_{};
  std::string begun_;
  bool seen_ = false;
};

}  // namespace warmpool::daemon
