// Where workers live, by slot: the name of each, its last output, and what a program says of
// itself.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/output/output_ring.hpp"
#include "daemon/services.hpp"

namespace warmpool::daemon {

// What a program without the protocol says of itself.
struct Reported {
  Instant at;  // 0: nothing
  std::string status;
  TaskId task;  // 0: none
};

// A place stays when its worker goes, so that its output can still be read; one whose slot goes to
// another class or index begins anew.
class WorkerPlaces {
 public:
  static constexpr std::size_t kOutputLinesMax = 1024;
  static constexpr std::size_t kDeathsMax = 16;

  explicit WorkerPlaces(Services& services) : services_(services) {}

  // The slot's place, made if there is none.
  const std::string& make(SlotId home, ClassId worker_class) {
    return place(home, worker_class).name;
  }
  OutputRing& ring(SlotId home, ClassId worker_class) { return place(home, worker_class).ring; }
  // A JSON document. Nothing where `home` has no place. Bounds: the last kDeathsMax of each.
  void remember_death(SlotId home, std::string autopsy);
  // Oldest first.
  const std::deque<std::string>& deaths_of(SlotId home) const;
  // `home` has a place.
  void report(SlotId home, Reported reported) {
    places_.at(home.value).reported = std::move(reported);
  }

  // What a worker reported of itself goes before the next one starts: of this place, or of the one
  // that was given up for it. What they wrote can still be read; their directories are
  // worker_directories.hpp's.
  void prepare(const command::Spawn& command);

  // The 3 of images-3.
  std::uint16_t number(SlotId home) const;
  // "worker-0", also before its first worker; "slot-N" for one that is none of this life.
  std::string slot_name(SlotId home) const;
  // A slot of an earlier life, for its name alone: numbers from the top down, which this life's
  // slots do not reach.
  SlotId earlier_slot(std::string_view name);
  std::optional<SlotId> find_home(std::string_view name) const;
  const OutputRing* output_of(SlotId home) const;
  std::optional<ClassId> class_of(SlotId home) const;
  const Reported* reported_of(SlotId home) const;

 private:
  struct Place {
    std::string name;
    ClassId worker_class;
    OutputRing ring;
    Reported reported{};
    std::deque<std::string> deaths{};
  };
  Place& place(SlotId home, ClassId worker_class);
  void clear(SlotId home);
  const Place* find(SlotId home) const;

  Services& services_;
  std::map<std::uint16_t, Place> places_;   // by home: two processes may share one for a while
  std::vector<std::string> earlier_slots_;  // the first has the highest number
};

}  // namespace warmpool::daemon
