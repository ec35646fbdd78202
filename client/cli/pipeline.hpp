// Requests through one Unix socket, many of them unanswered: how a load is put on any server that
// answers in the order in which it was asked.
#pragma once

#include <chrono>
#include <cstdint>
#include <poll.h>
#include <span>
#include <string>
#include <string_view>

#include "ipc/fd.hpp"
#include "pool/result.hpp"

namespace warmpool::cli {

// Whole answers at the front of what was read.
struct Answers {
  std::uint64_t all = 0;
  std::uint64_t useful = 0;  // those that bring what was asked for
  std::size_t bytes = 0;     // of all of them
  std::string_view last;     // the last useful one, or its first line
};
// Errors: an answer that says no, with its text.
using ReadAnswers = Result<Answers> (*)(std::string_view);

// Threads: one at a time.
class Pipeline {
 public:
  // Errors: nobody listens there.
  static Result<Pipeline> connect(const std::string& socket_path, ReadAnswers read);

  // No answer is counted for it.
  void say(std::string_view text) { out_ += text; }
  void ask(std::string_view request, std::uint64_t times = 1);
  std::uint64_t unanswered() const { return asked_ - answered_; }
  // The last useful answer.
  const std::string& last() const { return last_; }

  // Writes and reads what can be done at once. Returns how many useful answers came.
  // Errors: the end of the connection, or an answer that says no.
  Result<std::uint64_t> advance();
  // What to poll for.
  pollfd wish() const;
  // Blocks: until all that was asked is answered, at most a minute without a byte.
  // Returns how many of the answers were useful.
  Result<std::uint64_t> finish();

 private:
  Pipeline(ipc::UniqueFd socket, ReadAnswers read) : socket_(std::move(socket)), read_(read) {}
  Result<void> write_some();

  ipc::UniqueFd socket_;
  ReadAnswers read_;
  std::string out_, in_, buffer_, last_;
  std::size_t written_ = 0;  // of out_
  std::uint64_t asked_ = 0, answered_ = 0;
};

// Blocks: until one of them can go on, or `most` has passed.
void wait_for_any(std::span<Pipeline* const> pipelines, std::chrono::milliseconds most);

}  // namespace warmpool::cli
