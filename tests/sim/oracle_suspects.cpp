// A suspect runs alone on its worker, no more of them run in a class than may, and one that waits
// for a worker has one kept for it.
#include "tests/sim/oracle_suspects.hpp"

#include <algorithm>

namespace warmpool::sim {

std::uint64_t Books::suspects_in(ClassId worker_class) const {
  return static_cast<std::uint64_t>(std::ranges::count_if(slots_, [&](const SeenSlot& slot) {
    const SeenWorker& worker = slot.worker;
    return worker.live && worker.worker_class == worker_class &&
           std::ranges::any_of(worker.hand, &HeldAttempt::alone);
  }));
}

bool Books::full_of_suspects(ClassId worker_class) const {
  const auto most = classes_[worker_class.value].options.suspects_max;
  return most && suspects_in(worker_class) >= *most;
}

bool SuspectWatch::takes_turns(const SeenWorker& worker, const SeenTask& task) const {
  return task.suspect && oracle.classes_[worker.worker_class.value].options.suspects_max;
}

void SuspectWatch::judge_given(const SeenWorker& worker, const SeenTask& task) const {
  const auto rule = [&](bool holds, std::string_view name, std::string_view why) {
    require_rule(holds, name, [&] {
      return task_name(task.id) + " to " + worker_name(worker.id) + ": " + std::string(why);
    });
  };
  const ClassId its = worker.worker_class;
  const bool alone = std::ranges::none_of(worker.hand, &HeldAttempt::alone);
  rule(alone && (!task.suspect || worker.hand.empty()), "suspect-alone", "a suspect runs alone");
  rule(!task.suspect || !oracle.full_of_suspects(its), "suspects-max", "as many run as may");
  rule(!worker.reserved || task.suspect || !oracle.suspect_waits(its), "suspect-reserves",
       "it is kept for a suspect");
}

void SuspectWatch::judge_shown(const Pool& pool) const {
  for (const ClassView& view : pool.overview().classes) {
    const std::uint64_t seen = oracle.suspects_in(view.worker_class);
    require_rule(view.suspects == seen, "shown", [&] {
      return "class " + std::to_string(view.worker_class.value) + " is shown with " +
             std::to_string(view.suspects) + " suspects and runs " + std::to_string(seen);
    });
  }
}

// While a suspect waits, a worker that could be empty first is kept for it.
void SuspectWatch::judge_reserve(const Pool& pool) const {
  for (std::size_t c = 0; c < oracle.classes_.size(); ++c) {
    const ClassId worker_class{static_cast<std::uint16_t>(c)};
    const bool waits = oracle.suspect_waits(worker_class);
    const bool nobody = !waits && oracle.is_open(worker_class);  // a pause changes nothing
    bool reserved = false, candidate = false;
    for (SeenSlot& slot : oracle.slots_) {
      SeenWorker& worker = slot.worker;
      if (slot.worker_class != worker_class) continue;
      worker.reserved = false;
      if (!worker.live || nobody) continue;
      const auto view = pool.slot(worker.slot);
      worker.reserved = view && view->reserved;
      reserved = reserved || worker.reserved;
      candidate =
          candidate || (view->state == SlotState::Running && !worker.stopped && !worker.broken &&
                        std::ranges::none_of(worker.hand, &HeldAttempt::alone));
    }
    require_rule(!waits || reserved || !candidate, "suspect-reserves", [&] {
      return "a suspect waits for class " + std::to_string(c) + " and no worker is kept for it";
    });
  }
}

}  // namespace warmpool::sim
