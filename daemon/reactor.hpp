// Readiness of descriptors, and signals: what the loop waits for.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "pool/result.hpp"
#include "pool/time.hpp"

namespace warmpool::daemon {

// Interest in one descriptor. Owns: not the descriptor, which must stay open until this ends.
// Order: after the destructor no handler is called, also when it runs inside one of them.
class Watch {
 public:
  virtual ~Watch() = default;
  // Calls the handler whenever it can be read (or is at its end), again and again, until paused.
  virtual void start_reading() = 0;
  virtual void stop_reading() = 0;
  // Calls the handler once when it can be written.
  virtual void want_write() = 0;
  // Of what is ready together it is handled before the others: of that which ends what others wait
  // for, and brings little itself.
  virtual void go_first() {}
};

// Threads: one.
class Reactor {
 public:
  Reactor();
  ~Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  using Handler = std::function<void()>;
  // Null when the kernel has no room for another watched descriptor.
  std::unique_ptr<Watch> watch(int fd, Handler readable, Handler writable = {});

  // The handler is called in the loop, never in the signal's context. Order: once. The signals are
  // blocked in the calling thread; others must have them blocked too, or are ended by them.
  Result<void> on_signals(const std::vector<int>& numbers, std::function<void(int)> handler);

  // Called when a wait has ended and something is ready, before the first handler of it runs.
  void on_wake(Handler handler);

  // Waits until something is ready or `deadline`, then runs at most `handlers_max` handlers that
  // are ready, and no more once `enough` says so. Returns how many ran. What is ready and was not
  // handled comes before what was: each batch handles at least one of those that go first, if there
  // are any, and at least one of the others.
  // Before it sleeps it looks for what is ready, again and again, for `awake` (ipc/spin.hpp).
  // Blocks: until `deadline`.
  std::size_t run(std::chrono::steady_clock::time_point deadline, std::size_t handlers_max,
                  const std::function<bool()>& enough, Duration awake = {});

  // Waits that were to begin awake, and those of them in which something came before it slept.
  struct Awake {
    std::uint64_t waits = 0, found = 0;
  };
  const Awake& awake() const { return awake_; }

 private:
  struct State;
  class EpollWatch;
  std::unique_ptr<State> state_;
  Awake awake_;
};

}  // namespace warmpool::daemon
