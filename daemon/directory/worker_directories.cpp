// What the core has assigned is in hand from then on, given or not: it may be recalled, cancelled
// or buried with its worker before the worker has heard of it.
#include "daemon/directory/worker_directories.hpp"

#include <algorithm>

namespace warmpool::daemon {

WorkerDirectories::WorkerDirectories(Services& services, ProcessPort& processes, Hands hands)
    : services_(services),
      hands_(std::move(hands)),
      directories_(services, processes, [this](ClassId id) { return hands_.spec_of(id); }) {}

bool WorkerDirectories::start(Wanted& wanted, const std::string& former) {
  const auto worker_class = wanted.command.worker_class;
  if (services_.options_of(worker_class).directory != "kept") return false;
  DirectoryOwner owner{.worker_class = worker_class, .slot = wanted.spec.slot};
  const auto id = wanted.command.worker.value;
  const auto& how = wanted.command.recovery;
  const bool reset = how.attempt != 0 && how.strategy == RecoveryStrategy::Reset;
  starts_.emplace(id, std::move(wanted));
  auto made = [this, id](const Result<std::string>& path) {
    const auto waits = starts_.find(id);
    if (waits == starts_.end()) return;
    auto begun = std::move(waits->second);
    starts_.erase(waits);
    if (!path) return hands_.fail(begun, path.error());
    begun.spec.working_directory = begun.spec.directory = *path;
    hands_.launch(std::move(begun));
  };
  if (!former.empty()) directories_.remove({.worker_class = worker_class, .slot = former}, {});
  if (reset) {
    directories_.reset(std::move(owner), std::move(made));
  } else {
    directories_.make(std::move(owner), std::move(made));
  }
  return true;
}

bool WorkerDirectories::end(WorkerId worker) {
  const auto waits = starts_.extract(worker.value);
  if (waits.empty()) return false;
  const auto& wanted = waits.mapped();
  directories_.give_up({.worker_class = wanted.command.worker_class, .slot = wanted.spec.slot});
  return true;
}

void WorkerDirectories::begin(WorkerProcess& worker, InHand& held, const command::Assign& command) {
  held.directory = std::make_shared<AttemptDirectory>();
  held.directory->ungiven = command;
  held.directory->owner = {.worker_class = worker.worker_class,
                           .slot = hands_.name_of(worker),
                           .attempt = command.key,
                           .type = services_.types.at(command.type).name};
  directories_.make(held.directory->owner,
                    [this, id = worker.id, key = command.key](const Result<std::string>& path) {
                      made(id, key, path);
                    });
}

void WorkerDirectories::made(WorkerId id, const AttemptKey& key, const Result<std::string>& path) {
  auto* worker = hands_.find(id);
  if (worker == nullptr) return;
  const auto held = std::ranges::find(worker->in_hand, key, &InHand::key);
  if (held == worker->in_hand.end() || !held->directory) return;
  if (!path) return fail(*worker, key, path.error().text);
  held->directory->path = *path;
  give_ready(*worker);
}

void WorkerDirectories::give_ready(WorkerProcess& worker) {
  for (auto& held : worker.in_hand) {
    if (!held.directory || !held.directory->ungiven) continue;
    if (held.directory->path.empty()) return;
    auto command = *held.directory->ungiven;
    held.directory->ungiven.reset();
    // What it took is time of the attempt.
    const auto took = services_.engine.now() - held.assigned_at;
    for (auto* left : {&command.timeout, &command.deadline_left}) {
      if (left->ns > 0) *left = std::max(*left - took, nanoseconds(1));
    }
    hands_.give(worker, held, command, held.directory->path);
  }
}

void WorkerDirectories::fail(WorkerProcess& worker, const AttemptKey& key,
                             const std::string& text) {
  hands_.answer(worker, key, text);
  give_ready(worker);
}

bool WorkerDirectories::is_given(const WorkerProcess& worker, const AttemptKey& key) const {
  const auto held = std::ranges::find(worker.in_hand, key, &InHand::key);
  return held == worker.in_hand.end() || !held->directory || !held->directory->ungiven;
}

bool WorkerDirectories::cancel(WorkerProcess& worker, const AttemptKey& key) {
  if (is_given(worker, key)) return false;
  fail(worker, key, "its directory was not ready yet (directory_prepare of its class)");
  return true;
}

void WorkerDirectories::release(InHand& held) {
  if (!held.directory) return;
  directories_.release(held.directory->owner);
  held.directory.reset();
}

}  // namespace warmpool::daemon
