// What a look at the whole pool sees at one moment: for the document of status and for alerts.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "daemon/archive.hpp"
#include "daemon/record/flight_recorder.hpp"
#include "daemon/store/store.hpp"
#include "daemon/submit/submit_fifo.hpp"
#include "pool/view.hpp"

namespace warmpool::daemon {

// `target`: without the places that nobody needs at the moment, which are `parked`.
struct Capacity {
  std::uint64_t parked = 0;
  std::uint64_t target = 0, slots = 0, ready = 0, busy = 0, unhealthy = 0, failed = 0, starting = 0;
  std::uint64_t slow = 0;
  std::uint64_t places = 0, taken = 0;  // of tasks
};
Capacity capacity_of(const Snapshot& snapshot);

// What the parts around the core say of themselves. Owns: nothing.
struct Surroundings {
  const Snapshot& snapshot;  // with the types of note
  Capacity capacity;
  StoreFigures store;
  bool initialized = false, socket_lost = false;
  std::optional<SubmitFifoFigures> submit_fifo{};
  std::optional<RecorderFigures> recorder{};
  const ArchiveFigures* archive = nullptr;
  std::string_view attempt_trouble{};
};

}  // namespace warmpool::daemon
