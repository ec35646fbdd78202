// Every record is idempotent and so is its application: a row that is there is left, and one that
// is gone is no error.
#include "daemon/store/task_image.hpp"

#include <algorithm>

namespace warmpool::daemon {
namespace {

using State = TaskRow::State;

// A plain success leaves no history of its own: the row tells it.
bool is_plain(Verdict verdict, const TaskRow& row) {
  return verdict == Verdict::Done && (!row.extras || row.extras->history.attempts().empty());
}

template <class End>
void remember(TaskRow& row, const TaskRun& run, const End& record, Attachment& attachment) {
  AttemptEntry entry{record.round,
                     record.attempt,
                     record.cause,
                     record.charge,
                     record.code,
                     run.slot,
                     record.worker,
                     run.started_at,
                     record.at,
                     {},
                     {},
                     {}};
  auto output = attachment.texts ? std::move(attachment.texts->output) : std::vector<std::string>();
  auto autopsy = attachment.texts ? std::move(attachment.texts->autopsy) : std::string();
  const bool is_error = record.cause != EndCause::Done;
  const auto error = is_error ? ipc::text_of(attachment.body.bytes()) : std::string_view();
  row.extra().history.add(std::move(entry), error, std::move(output), std::move(autopsy));
}

}  // namespace

bool TaskImage::apply(const Record& record, Attachment& attachment) {
  return std::visit([&](const auto& each) { return apply_record(each, attachment); }, record);
}

bool TaskImage::apply_record(const record::Accepted& record, Attachment& attachment) {
  if (rows_.find(record.task) != nullptr) return false;
  auto& row = rows_.add(record.task);
  row.accepted_at = record.at;
  row.type = record.spec.type;
  row.tenant = record.spec.tenant;
  row.payload_bytes = record.spec.payload_bytes;
  row.round = 1;
  row.durability = record.spec.durability;
  row.uid = attachment.uid;
  row.content = attachment.content;
  row.keep_result = attachment.keep_result;
  if (attachment.texts) row.extra().texts = std::move(attachment.texts);
  replace_body(row, std::move(attachment.body));
  return true;
}

bool TaskImage::apply_record(const record::Started& record, Attachment&) {
  auto* row = rows_.find(record.task);
  if (row == nullptr || row->state != State::Live) return false;
  row->round = record.round;
  auto& run = rows_.make_run(*row);
  run.attempt = record.attempt;
  run.slot = record.slot;
  run.started_at = record.at;
  return true;
}

bool TaskImage::apply_record(const record::Ended& record, Attachment& attachment) {
  auto* row = rows_.find(record.task);
  if (row == nullptr || row->state != State::Live) return false;
  auto& run = rows_.make_run(*row);
  run.attempt = record.attempt;
  run.used = record.used;
  run.cause = record.cause;
  remember(*row, run, record, attachment);
  return true;
}

bool TaskImage::apply_record(const record::Settled& record, Attachment& attachment) {
  auto* row = rows_.find(record.task);
  if (row == nullptr || row->state != State::Live) return false;
  row->round = record.round;
  auto& run = rows_.make_run(*row);
  run.attempt = record.attempt;
  run.used = record.used;
  run.verdict = record.verdict;
  run.cause = record.cause;
  run.settled_at = record.at;
  if (record.attempt != 0 && !is_plain(record.verdict, *row)) {
    remember(*row, run, record, attachment);
  }
  if (record.verdict == Verdict::Dead) {
    rows_.set_state(*row, State::Dead);
  } else {
    finish(*row, attachment);
  }
  return true;
}

// The payload goes, the result comes.
void TaskImage::finish(TaskRow& row, Attachment& attachment) {
  replace_body(row, {});
  checkpoints_.drop(row.task);
  rows_.set_state(row, State::Finished);
  if (rows_.run(row).verdict != Verdict::Done) return;
  row.content = attachment.content;
  replace_body(row, std::move(attachment.body));
}

bool TaskImage::apply_record(const record::Revived& record, Attachment& attachment) {
  auto* row = rows_.find(record.task);
  if (row == nullptr || row->state != State::Dead) return false;
  if (record.payload_bytes) {
    checkpoints_.drop(record.task);  // it was made of the other one
    row->payload_bytes = *record.payload_bytes;
    row->content = attachment.content;
    row->payload_lost = false;
    replace_body(*row, std::move(attachment.body));
  }
  row->round = record.round;
  auto& run = rows_.make_run(*row);
  run.attempt = 0;
  run.used = {};
  rows_.set_state(*row, State::Live);
  return true;
}

bool TaskImage::is_live(TaskId task) const {
  const auto* row = rows_.find(task);
  return row != nullptr && row->state == State::Live;
}

bool TaskImage::apply_record(const record::Released& record, Attachment&) {
  return is_live(record.task);
}

bool TaskImage::apply_record(const record::Kept& record, Attachment&) {
  return is_live(record.task);
}

bool TaskImage::apply_record(const record::Checkpointed& record, Attachment& attachment) {
  const auto* row = rows_.find(record.task);
  if (row == nullptr || row->state != State::Live || row->round != record.round) return false;
  checkpoints_.keep(record.task, {record.round, record.attempt, record.at, attachment.content,
                                  std::move(attachment.body)});
  return true;
}

void TaskImage::restore_checkpoint(TaskId task, Checkpoint checkpoint) {
  checkpoints_.keep(task, std::move(checkpoint));
}

void TaskImage::lose_payload(TaskId task) {
  if (auto* row = rows_.find(task)) row->payload_lost = true;
}

bool TaskImage::apply_record(const record::Removed& record, Attachment&) {
  auto* row = rows_.find(record.task);
  if (row == nullptr || row->state != State::Dead) return false;
  drop(*row);
  return true;
}

bool TaskImage::apply_record(const record::Paused&, Attachment&) { return true; }

void TaskImage::replace_body(TaskRow& row, Blob body) {
  auto& bytes = row.state == State::Finished ? figures_.result_bytes : figures_.payload_bytes;
  bytes -= row.body.size();
  row.body = std::move(body);
  bytes += row.body.size();
}

void TaskImage::drop(TaskRow& row) {
  replace_body(row, {});
  checkpoints_.drop(row.task);
  rows_.remove(row);
}

std::vector<TaskId> TaskImage::settled_before(Instant before,
                                              std::optional<Verdict> verdict) const {
  std::vector<TaskId> found;
  for (const auto* row = rows_.oldest(State::Finished); row != nullptr; row = rows_.after(*row)) {
    const auto& run = rows_.run(*row);
    if (run.settled_at >= before) break;
    if (!verdict || run.verdict == *verdict) found.push_back(row->task);
  }
  return found;
}

bool TaskImage::drop(TaskId task) {
  auto* row = rows_.find(task);
  if (row == nullptr || row->state != State::Finished) return false;
  drop(*row);
  return true;
}

bool TaskImage::received(TaskId task) {
  auto* row = rows_.find(task);
  if (row == nullptr || row->state != State::Finished || row->keep_result) return false;
  if (row->extras) {
    replace_body(*row, {});  // its history is worth more than its room
    auto& run = rows_.make_run(*row);
    run.result_gone = run.verdict == Verdict::Done;
  } else {
    drop(*row);
  }
  return true;
}

void TaskImage::keep_bounds() {
  while (const auto* oldest = rows_.oldest(State::Finished)) {
    if (rows_.count(State::Finished) <= results_max_ &&
        figures_.result_bytes <= results_bytes_max_) {
      return;
    }
    ++figures_.results_dropped;
    drop(*rows_.find(oldest->task));
  }
}

void TaskImage::trim(Instant now) {
  while (const auto* oldest = rows_.oldest(State::Finished)) {
    if (now - rows_.run(*oldest).settled_at <= results_age_max_) return;
    ++figures_.results_dropped;
    drop(*rows_.find(oldest->task));
  }
}

void TaskImage::set_bounds(const Options& options) {
  results_max_ = options.results_max;
  results_bytes_max_ = options.results_bytes_max;
  results_age_max_ = options.results_age_max;
  keep_bounds();
}

std::optional<StoredTask> TaskImage::find(TaskId task) const {
  const auto* row = rows_.find(task);
  if (row == nullptr) return std::nullopt;
  const auto& run = rows_.run(*row);
  StoredTask stored;
  stored.task = row->task;
  stored.type = row->type;
  stored.tenant = row->tenant;
  stored.uid = row->uid;
  stored.round = row->round;
  stored.attempt = run.attempt;
  if (row->state != State::Live) stored.verdict = run.verdict;
  stored.cause = run.cause;
  stored.used = run.used;
  stored.accepted_at = row->accepted_at;
  stored.started_at = run.started_at;
  stored.settled_at = run.settled_at;
  stored.content = row->content;
  stored.durability = row->durability;
  stored.body = &row->body;
  stored.result_gone = run.result_gone;
  stored.payload_lost = row->payload_lost;
  stored.payload_bytes = row->payload_bytes;
  stored.slot = run.slot;
  stored.checkpoint = checkpoints_.find(task);
  if (!row->extras) return stored;
  const auto& history = row->extras->history;
  stored.texts = row->extras->texts.get();
  if (!history.last_error().empty()) stored.error = &history.last_error();
  if (!history.attempts().empty()) stored.attempts = &history.attempts();
  stored.attempts_dropped = history.dropped();
  return stored;
}

bool TaskImage::scan_finished(FinishedScan& scan, std::uint32_t rows) const {
  const auto end = std::min<std::uint64_t>(std::uint64_t{scan.next} + rows, rows_.places());
  for (; scan.next < end; ++scan.next) {
    const auto& row = rows_.place(scan.next);
    if (row.state != State::Finished) continue;
    if (scan.verdict && rows_.run(row).verdict != *scan.verdict) continue;
    if (!scan.type || row.type == *scan.type) scan.ids.take(row.task);
  }
  return scan.next >= rows_.places();
}

void TaskImage::restore_dropped(TaskId task, std::uint32_t attempts) {
  if (auto* row = rows_.find(task)) row->extra().history.restore_dropped(attempts);
}

StoreFigures TaskImage::figures() const {
  auto figures = figures_;
  figures.live = rows_.count(State::Live);
  figures.finished = rows_.count(State::Finished);
  figures.dead = rows_.count(State::Dead);
  figures.checkpoints = checkpoints_.count();
  figures.checkpoint_bytes = checkpoints_.bytes();
  figures.checkpoints_dropped = checkpoints_.dropped();
  return figures;
}

}  // namespace warmpool::daemon
