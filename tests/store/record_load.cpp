#include "tests/store/record_load.hpp"

namespace warmpool::daemon {
namespace {

std::string brief(const std::string& text) {
  return text.substr(0, 12) + "(" + std::to_string(text.size()) + ")";
}

}  // namespace

std::string told(const std::optional<StoredTask>& task) {
  if (!task) return "none";
  std::string text = "round " + std::to_string(task->round) + " attempt " +
                     std::to_string(task->attempt) + " failures " +
                     std::to_string(task->used.failures) + " body " + brief(text_of(*task));
  text += task->verdict ? " " + std::string(name_of(*task->verdict)) : " live";
  if (task->error != nullptr) text += " error " + brief(*task->error);
  if (task->checkpoint != nullptr) {
    text += " checkpoint " + brief(std::string(ipc::text_of(task->checkpoint->body.bytes())));
  }
  if (task->attempts != nullptr) text += " history " + std::to_string(task->attempts->size());
  return text;
}

StoreEntry Kept::entry(std::uint64_t number) const {
  StoreEntry entry{RecordNumber{number}, record, {}};
  entry.attachment.body = Blob(ipc::bytes_of(body));
  entry.attachment.content = Content::Utf8;
  entry.attachment.uid = 7;
  return entry;
}

std::vector<Kept> Load::take(std::uint64_t records) {
  std::vector<Kept> taken;
  for (std::uint64_t i = 0; i < records; ++i) taken.push_back(next());
  return taken;
}

Kept Load::next() {
  const auto what = random_() % 10;
  if (live_.empty() || what < 4) return accept();
  const auto at = random_() % live_.size();
  auto& task = live_[at];
  if (task.dead) return after_death(at);
  if (what == 4 && random_() % 2 == 0) return save(task);
  ++task.attempt;
  if (what < 6) return fail(task);
  return settle(at, what == 9 ? Verdict::Dead : Verdict::Done);
}

std::string Load::bytes() {
  auto size = random_() % 9'000;
  if (large_one_in_ != 0 && random_() % large_one_in_ == 0) size += kBodyInRowMax + 1;
  return std::string(size, static_cast<char>('a' + last_ % 26));
}

Kept Load::accept() {
  live_.push_back({++last_});
  TaskSpec spec;
  auto& relaxed = live_.back().relaxed;
  relaxed = relaxed_one_in_ != 0 && random_() % relaxed_one_in_ == 0;
  if (relaxed) spec.durability = Durability::Relaxed;
  spec.priority = static_cast<std::uint8_t>(random_() % 100);
  auto payload = bytes();
  spec.payload_bytes = static_cast<std::uint32_t>(payload.size());
  return {record::Accepted{TaskId{last_}, spec, Instant{1}, Instant{1}}, std::move(payload),
          relaxed};
}

Kept Load::fail(Task& task) {
  const record::Used used{++task.failures, 0, 0};
  return {record::Ended{TaskId{task.id}, task.round, task.attempt, WorkerId{5}, EndCause::Failed,
                        Charge::Failure, 0, used, Instant{3}, Instant{4}, false, false},
          "error " + std::to_string(task.attempt), task.relaxed};
}

// It takes back only what there is: a record that changes nothing is nowhere on the disk.
Kept Load::save(Task& task) {
  const bool takes_back = random_() % 8 == 0 && task.saved;
  auto state = takes_back ? std::string() : bytes().substr(0, kBodyInRowMax);
  task.saved = !state.empty();
  const auto size = static_cast<std::uint32_t>(state.size());
  const auto attempt = static_cast<std::uint16_t>(task.attempt + 1);
  return {record::Checkpointed{TaskId{task.id}, task.round, attempt, size, Instant{2}},
          std::move(state), task.relaxed};
}

Kept Load::settle(std::size_t at, Verdict verdict) {
  auto& task = live_[at];
  const record::Used used{task.failures, 0, 0};
  const auto cause = verdict == Verdict::Done ? EndCause::Done : EndCause::Failed;
  Kept kept{record::Settled{TaskId{task.id}, task.round, task.attempt, WorkerId{5}, verdict, cause,
                            Charge::Nothing, 0, used, Instant{5}},
            bytes(), task.relaxed};
  task.dead = verdict == Verdict::Dead;
  if (!task.dead) live_.erase(live_.begin() + static_cast<std::ptrdiff_t>(at));
  return kept;
}

Kept Load::after_death(std::size_t at) {
  auto& task = live_[at];
  if (random_() % 3 == 0) {
    const TaskId id{task.id};
    live_.erase(live_.begin() + static_cast<std::ptrdiff_t>(at));
    return {record::Removed{id, false, Instant{7}}, {}};
  }
  task.dead = false;
  task.attempt = task.failures = 0;
  ++task.round;
  record::Revived revived{TaskId{task.id}, task.round, Instant{6}, Instant{6}};
  if (random_() % 2 == 0) return {revived, {}, task.relaxed};
  task.saved = false;
  auto payload = bytes();
  revived.payload_bytes = static_cast<std::uint32_t>(payload.size());
  return {revived, std::move(payload), task.relaxed};
}

const TaskImage& Model::at(std::uint64_t count) {
  if (count < applied_) clear();
  for (; applied_ < count; ++applied_) {
    auto entry = records_[applied_].entry(applied_ + 1);
    image_->apply(entry.record, entry.attachment);
  }
  return *image_;
}

SettledTotals Model::totals(std::uint64_t count) const {
  SettledTotals totals{};
  for (std::size_t at = 0; at < count; ++at) {
    const auto* settled = std::get_if<record::Settled>(&records_[at].record);
    if (settled != nullptr) ++totals[static_cast<std::size_t>(settled->verdict)];
  }
  return totals;
}

void Model::clear() {
  image_ = std::make_unique<TaskImage>(default_options());
  applied_ = 0;
}

}  // namespace warmpool::daemon
