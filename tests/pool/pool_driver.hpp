// Drives a Pool by hand in tests: virtual time, recorded commands, a store that keeps at once or
// when told.
#pragma once

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "pool/pool.hpp"

namespace warmpool::test {

class PoolDriver {
 public:
  explicit PoolDriver(Options options = default_options()) : pool_(genesis(std::move(options))) {}

  // --- setup ---
  ClassId declare_class(std::uint64_t size, std::uint64_t credits = 1,
                        std::uint64_t concurrency = 1, std::uint16_t id = 0);
  TypeId declare_type(std::uint32_t id, std::vector<std::uint16_t> classes = {0});
  // Declares class 0 with `size` workers that have said hello, and type 0.
  void ready_pool(std::uint64_t size, std::uint64_t credits = 1, std::uint64_t concurrency = 1);

  // --- acting ---
  void step(const Event& event);
  void tick() { step(event::Tick{}); }
  void turn(const Event& event) {
    step(event);
    tick();
  }
  void keep_all();  // the store keeps everything so far
  void archive(const command::Archive& letter, bool kept = true);
  void pass(Duration duration);  // virtual time, with a Tick at each deadline
  void hello_all();
  TaskId submit(TaskSpec spec = {});
  void answer(const command::Assign& assign, Outcome outcome = Outcome::Done, Duration service = {},
              Duration retry_after = {});
  // `running`: the token of what the worker said it was in; 0: it said nothing.
  void kill_worker(WorkerId worker, ExitCause cause = ExitCause::Signalled, int code = -9,
                   std::uint64_t running = 0);

  // --- looking ---
  template <class T>
  std::vector<T> all() const {
    std::vector<T> found;
    for (const auto& command : log) {
      if (const T* each = std::get_if<T>(&command)) found.push_back(*each);
    }
    return found;
  }
  template <class T>
  std::optional<T> last() const {
    const auto found = all<T>();
    if (found.empty()) return std::nullopt;
    return found.back();
  }
  template <class T>
  std::vector<T> records() const {
    std::vector<T> found;
    for (const auto& persist : all<command::Persist>()) {
      if (const T* each = std::get_if<T>(&persist.record)) found.push_back(*each);
    }
    return found;
  }
  // Runs tasks of a type until the time that they take is known; the log is empty after it.
  void teach(Duration service = microseconds(10), TypeId type = {});
  std::size_t notices(Notice notice) const {
    const auto told = all<command::Notify>();
    return static_cast<std::size_t>(std::ranges::count_if(
        told, [&](const auto& each) { return each.notification.notice == notice; }));
  }
  TaskState state(TaskId task) const;
  SlotState slot_state(std::uint16_t slot) const { return pool_.slot(SlotId{slot})->state; }
  WorkerId worker(std::uint16_t slot) const { return pool_.slot(SlotId{slot})->worker; }

  std::vector<AttemptView> hand(std::uint16_t slot) const {
    return pool_.slot(SlotId{slot})->attempts_held;
  }

  bool auto_keep = true;
  bool auto_archive = true;  // the archive takes at once what it is given
  bool beating = true;       // idle workers beat while time passes
  Instant now{seconds(1000).ns};
  Commands log;
  Pool& pool() { return pool_; }

 private:
  void beat_all();
  Genesis genesis(Options options) const;
  Pool pool_;
  std::uint64_t requests_ = 0;
};

// A ready class 0 of workers with these options besides, and type 0.
void ready_class(
    PoolDriver& driver, std::uint64_t size,
    const std::function<void(ClassOptions&)>& set = [](ClassOptions&) {});

}  // namespace warmpool::test
