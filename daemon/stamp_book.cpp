// A worker says its part behind its answer, when it writes both, and a read may end between them:
// so what a client is told waits for it, for a few turns at most.
#include "daemon/stamp_book.hpp"

#include <algorithm>

namespace warmpool::daemon {
namespace {

// A worker that died behind its answer says nothing more.
constexpr std::uint8_t kTurnsMax = 64;

}  // namespace

void StampBook::begin(TaskId task, ClientId client, std::uint64_t token, std::uint64_t received) {
  if (tasks_.size() >= kTasksMax || tasks_.find(task.value) != nullptr) return;
  Stamped stamped{.told = {.task = task, .client = client, .token = token}, .asked = {}};
  stamped.at(ipc::Stamp::Received) = received;
  tasks_.insert(task.value, stamped);
}

void StampBook::set(TaskId task, ipc::Stamp place) {
  if (auto* stamped = tasks_.find(task.value)) stamped->at(place) = ipc::stamp_now();
}

bool StampBook::add_asked(TaskId task, WorkerId worker) {
  auto* stamped = tasks_.find(task.value);
  if (stamped == nullptr) return false;
  stamped->asked = worker;
  std::ranges::fill_n(&stamped->at(ipc::Stamp::Taken), std::tuple_size_v<ipc::WorkerStamps>, 0U);
  given_.push_back(task);
  return true;
}

void StampBook::note_sent() {
  const auto now = given_.empty() ? 0 : ipc::stamp_now();
  for (const auto task : given_) {
    if (auto* stamped = tasks_.find(task.value)) stamped->at(ipc::Stamp::Sent) = now;
  }
  given_.clear();
}

void StampBook::take(TaskId task, WorkerId worker, const ipc::WorkerStamps& stamps) {
  auto* stamped = tasks_.find(task.value);
  if (stamped == nullptr || stamped->asked != worker) return;
  std::ranges::copy(stamps, &stamped->at(ipc::Stamp::Taken));
  stamped->asked = {};
}

void StampBook::note_settled(TaskId task) {
  auto* stamped = tasks_.find(task.value);
  if (stamped == nullptr || stamped->at(ipc::Stamp::Settled) != 0) return;
  stamped->at(ipc::Stamp::Settled) = ipc::stamp_now();
  settled_.push_back(task);
}

std::vector<StampBook::Told> StampBook::take_told() {
  std::vector<Told> told;
  if (settled_.empty()) return told;
  const auto now = ipc::stamp_now();
  std::erase_if(settled_, [&](TaskId task) {
    auto& stamped = *tasks_.find(task.value);
    auto& at = stamped.at(ipc::Stamp::Told);
    if (at == 0) at = now;
    if (stamped.asked && ++stamped.turns < kTurnsMax) return false;
    told.push_back(stamped.told);
    tasks_.erase(task.value);
    return true;
  });
  return told;
}

}  // namespace warmpool::daemon
