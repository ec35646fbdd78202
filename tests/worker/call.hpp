// Calls one handler without a daemon.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "worker/attempt.hpp"
#include "worker/cancel_signal.hpp"
#include "worker/worker.hpp"

namespace warmpool::worker::testing {

class Call : private ProgressSink {
 public:
  explicit Call(std::string_view payload, Content content = Content::Bytes);

  std::uint16_t failures = 0;
  AttemptKey key{TaskId{1}, 1, 1, 1};
  std::string directory;  // of the attempt
  bool checkpoint_wanted = false;
  std::uint64_t result_bytes = 1U << 20;
  std::function<void()> on_progress;
  Answer run(const Handler& handler);
  void cancel() { cancel_.raise(); }

 private:
  void report(HeldReport::Report) override {
    if (on_progress) on_progress();
  }
  void say(const WorkerReport&) override {}
  bool passes_partials() const override { return true; }
  bool save(std::string_view, Content) override { return false; }
  std::uint64_t result_bytes_max() const override { return result_bytes; }

  Attempt attempt_;
  CancelSignal cancel_;
};

Answer call(Answer (*handler)(Context&), std::string_view payload);

// Owns: an empty directory.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  std::string path(std::string_view name) const { return directory_ + '/' + std::string(name); }
  std::string write(std::string_view name, std::string_view bytes) const;

 private:
  std::string directory_;
};

// What a program wrote on its standard output.
std::string output_of(const std::string& command);

}  // namespace warmpool::worker::testing
