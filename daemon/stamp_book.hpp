// When the tasks of clients that asked for it passed each place on their way (ipc/stamps.hpp).
#pragma once

#include <vector>

#include "ipc/stamps.hpp"
#include "pool/flat_map.hpp"
#include "pool/ids.hpp"

namespace warmpool::daemon {

// Cost where nobody asks: a comparison at each place. Bounds: kTasksMax at once; those beyond are
// not stamped. A task that runs again has the stamps of its last run.
class StampBook {
 public:
  static constexpr std::size_t kTasksMax = 65'536;

  bool empty() const { return tasks_.size() == 0; }
  // This client's submit, read at `received`, has become this task.
  void begin(TaskId task, ClientId client, std::uint64_t token, std::uint64_t received);
  // It passes this place now.
  void note(TaskId task, ipc::Stamp place) {
    if (!empty()) [[unlikely]] {
      set(task, place);
    }
  }
  // Whether it is stamped; then it is given to this worker, which says the rest.
  bool ask(TaskId task, WorkerId worker) { return !empty() && add_asked(task, worker); }
  // What was given to workers is written to them now.
  void sent() {
    if (!empty()) [[unlikely]] {
      note_sent();
    }
  }
  // What a worker says of one that it was given; of others nothing is believed.
  void take(TaskId task, WorkerId worker, const ipc::WorkerStamps& stamps);
  // It has settled: what is known is told once its worker has said its part, or some turns later.
  void settled(TaskId task) {
    if (!empty()) [[unlikely]] {
      note_settled(task);
    }
  }

  struct Told {
    TaskId task;
    ClientId client;
    std::uint64_t token = 0;
    ipc::PathStamps stamps{};
  };
  // Those to be told with what is written to clients now. Order: once a turn.
  std::vector<Told> take_told();

 private:
  struct Stamped {
    Told told;
    WorkerId asked;          // 0: it says nothing
    std::uint8_t turns = 0;  // that it has waited for its worker's
    std::uint64_t& at(ipc::Stamp place) { return told.stamps[static_cast<std::size_t>(place)]; }
  };

  void set(TaskId task, ipc::Stamp place);
  bool add_asked(TaskId task, WorkerId worker);
  void note_sent();
  void note_settled(TaskId task);

  FlatMap<Stamped> tasks_;
  std::vector<TaskId> given_;    // in this turn
  std::vector<TaskId> settled_;  // and not yet told
};

}  // namespace warmpool::daemon
