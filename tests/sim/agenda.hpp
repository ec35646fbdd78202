// What will happen in the simulated world, in order of time; ties in the order of planning, so that
// a seed always gives the same run.
#pragma once

#include <cstdint>
#include <queue>
#include <vector>

#include "pool/time.hpp"

namespace warmpool::sim {

enum class What : std::uint8_t {
  WorkerPrepares,
  WorkerPrepared,
  WorkerStarts,
  WorkerHears,
  WorkerSpeaks,
  WorkerBeats,
  HandlerEnds,
  WorkerDies,
  WorkerGone,
  WorkerMishap,
  WorkerGoesOn,
  WorkerSampled,   // once
  WorkerMeasures,  // and again
  ClientActs,
  OperatorActs,
  DiskSyncs,
  DiskMoodSwings,
  ArchiveEnds,
  WallJumps,
  LoopStalls,
  DaemonCrashes,
  TypeServed,
  StrangerComes,  // a worker that somebody else started; index: class
  OutlivedEnds    // number: task of an earlier life that may still have run
};

struct Happening {
  Instant at;
  std::uint64_t order = 0;
  What what{};
  std::uint32_t index = 0;   // slot or client
  std::uint64_t number = 0;  // life of the worker, or serial of a handler's run
};

class Agenda {
 public:
  void plan(Instant at, What what, std::uint32_t index = 0, std::uint64_t number = 0) {
    queue_.push({at, ++planned_, what, index, number});
  }
  bool empty() const { return queue_.empty(); }
  Instant next() const { return queue_.empty() ? kNever : queue_.top().at; }
  Happening take() {
    const Happening first = queue_.top();
    queue_.pop();
    return first;
  }

 private:
  struct Later {
    bool operator()(const Happening& a, const Happening& b) const {
      return a.at != b.at ? a.at > b.at : a.order > b.order;
    }
  };
  std::priority_queue<Happening, std::vector<Happening>, Later> queue_;
  std::uint64_t planned_ = 0;
};

}  // namespace warmpool::sim
