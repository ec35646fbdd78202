// A recording in a directory of its own, made of events by hand, and what comes out of a replay.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/record/flight_recorder.hpp"
#include "daemon/record/replayer.hpp"
#include "tests/ipc/temporary_directory.hpp"

namespace warmpool::daemon {

class LineLog : public Log {
 public:
  void write(LogLevel, std::string_view line) override { lines.emplace_back(line); }
  bool enabled(LogLevel) const override { return true; }
  void set_level(std::string_view) override {}
  void flush() override {}
  Result<void> reopen() override { return {}; }
  std::vector<std::string> lines;
};

struct Replay {
  int status = 0;
  std::string trace, error;
  std::uint64_t steps = 0, segments = 0;
};

ipc::RuntimeDirectory directory_at(const std::string& path);

class Recording {
 public:
  // `is_behind`: the disk is taken for too slow at every block.
  explicit Recording(std::uint64_t segment_bytes = 64 << 10, std::uint64_t segments_max = 1000,
                     bool is_behind = false)
      : segment_bytes_(segment_bytes), segments_max_(segments_max), is_behind_(is_behind) {}

  // A daemon begins, with a core of its own: class 0 of two workers, type 0.
  void begin_life();
  // As a daemon that ends; without it as one that is killed once its thread has written.
  void end_life() { recorder_.reset(); }
  const std::vector<Command>& step(const Event& event);
  // A Tick, and what comes after it.
  void end_turn();
  TaskId submit();
  // Turns in which much is said and nothing changes, until there are that many more segments.
  void chatter(std::size_t segments);
  // Without telling the recorder, so that it is not the same core any more.
  void step_unseen(const Event& event);

  std::vector<std::string> files() const;  // names, in order
  std::string path(const std::string& name) const { return directory_ / name; }
  std::string path() const { return directory_ / ""; }
  std::string read(const std::string& name) const;
  void write(const std::string& name, std::string_view bytes) const;
  Replay replay(ReplayOptions options) const;
  Replay replay() const { return replay({path(), {}, {}, {}}); }

  FlightRecorder& recorder() { return *recorder_; }
  const Pool& pool() const { return *pool_; }
  Instant now{seconds(1000).ns};
  LineLog log;

 private:
  std::uint64_t segment_bytes_, segments_max_, life_ = 0, requests_ = 0;
  bool is_behind_;
  ipc::test::TemporaryDirectory directory_;
  std::optional<FlightRecorder> recorder_;
  std::optional<Pool> pool_;
  Commands commands_;
};

// Runs what is at that path; for Recording::replay and for recordings made elsewhere.
Replay replay_of(const ReplayOptions& options);

}  // namespace warmpool::daemon
