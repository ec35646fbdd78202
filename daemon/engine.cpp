// Payloads never enter the core. A submit's payload waits here from the event to the record that
// the event led to; both are in the same turn, and records are numbered in order, so a queue is
// enough.
#include "daemon/engine.hpp"

#include <algorithm>

namespace warmpool::daemon {

Engine::Engine(const Genesis& genesis, Clock& clock, FlightRecorder* recorder)
    : clock_(clock), now_(genesis.now), pool_(genesis), recorder_(recorder) {
  if (recorder_ != nullptr) recorder_->begin(genesis);
}

void Engine::refresh() { now_ = std::max(now_, clock_.now()); }

std::span<const Command> Engine::step(const Event& event) {
  const auto before = commands_.size();
  pool_.step(now_, event, commands_);
  const auto added = std::span<const Command>(commands_).subspan(before);
  if (recorder_ != nullptr) recorder_->stepped(now_, event, added);
  return added;
}

void Engine::replay(const Record& record) {
  pool_.replay(record);
  if (recorder_ != nullptr) recorder_->replayed(record);
}

void Engine::finish_replay(const std::array<std::uint64_t, 5>& settled) {
  refresh();
  const auto before = commands_.size();
  pool_.replay_totals(settled);
  pool_.finish_replay(now_, commands_);
  if (recorder_ == nullptr) return;
  recorder_->totals(settled);
  recorder_->replay_ended(now_, std::span<const Command>(commands_).subspan(before));
}

void Engine::take(Commands& out) {
  out.clear();
  std::swap(out, commands_);
}

void Engine::take_records(std::vector<command::Persist>& out) {
  out.clear();
  std::erase_if(commands_, [&](Command& command) {
    auto* persist = std::get_if<command::Persist>(&command);
    if (persist == nullptr) return false;
    out.push_back(std::move(*persist));
    return true;
  });
}

void Engine::attach(RecordNumber number, Attachment attachment) {
  attached_.push_back({number, std::move(attachment)});
}

Attachment Engine::detach(RecordNumber number) {
  // What a record without a reader left behind.
  while (!attached_.empty() && attached_.front().number < number) attached_.pop_front();
  if (attached_.empty() || attached_.front().number != number) return {};
  auto attachment = std::move(attached_.front().attachment);
  attached_.pop_front();
  return attachment;
}

bool ends_attempt(const Command& command, RecordNumber& number, TaskId& task, WorkerId& worker) {
  const auto* persist = std::get_if<command::Persist>(&command);
  if (persist == nullptr) return false;
  const auto take = [&](const auto& end) {
    number = persist->number;
    task = end.task;
    worker = end.worker;
    return true;
  };
  if (const auto* ended = std::get_if<record::Ended>(&persist->record)) return take(*ended);
  if (const auto* settled = std::get_if<record::Settled>(&persist->record)) return take(*settled);
  return false;
}

}  // namespace warmpool::daemon
