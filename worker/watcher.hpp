// Keeps the channel served while a handler runs.
#pragma once

#include <thread>

#include "worker/baton.hpp"
#include "worker/held_report.hpp"
#include "worker/session.hpp"
#include "worker/termination.hpp"

namespace warmpool::worker {

// The second of a worker's two threads, "watcher". Reason: recall, cancel and ping are to be
// answered while a handler runs, and a handler is somebody else's code. Data it may touch: the
// session, and only between Baton::take and give_back; the cancel signal and the report that is
// held back then too; the baton itself.
// Owns: the thread, from construction to destruction. Order: the baton is reclaimed at destruction.
class Watcher {
 public:
  Watcher(Baton& baton, Session& session, CancelSignal& cancel, HeldReport& held,
          const Termination& termination);
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

 private:
  void run();
  void watch();
  void say_late_progress();
  int wait_milliseconds(int at_most) const;

  Baton& baton_;
  Session& session_;
  CancelSignal& cancel_;
  HeldReport& held_;
  const Termination& termination_;
  std::thread thread_;
};

}  // namespace warmpool::worker
