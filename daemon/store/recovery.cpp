// A task comes back in the order in which it lived: accepted, its attempts, its round, where it
// stands now. Most tasks have only been accepted, and for them it is one record.
#include "daemon/store/recovery.hpp"

#include <algorithm>

#include "daemon/exit_status.hpp"
#include "daemon/store/body_files.hpp"
#include "daemon/store/checksum.hpp"
#include "daemon/store/row_texts.hpp"
#include "daemon/store/schema.hpp"
#include "ipc/message.hpp"

namespace warmpool::daemon {
namespace {

constexpr char kDamagedText[] = "the checksum differs";

// The id of this life for a number in the store, asked for once. No table has a number 0; of a slot
// it stands for none.
template <class Id, class Ask>
Id joined(std::vector<std::optional<Id>>& known, const FileRow& row, int column,
          NameNumbers& numbers, const Ask& ask) {
  constexpr bool may_be_none = std::is_same_v<Id, SlotId>;
  const auto number = row.number<std::uint32_t>(column, may_be_none ? 0 : 1);
  if (number > numbers.newest()) return row.refuse(column), Id{};
  if (known.size() <= number) known.resize(number + std::size_t{1});
  auto& id = known[number];
  if (!id) {
    id = ask(numbers.name_of(number));
    if (number != 0) numbers.join(id->value, number);
  }
  return *id;
}

}  // namespace

TypeId Recovery::type_of(const FileRow& row, int column) {
  return joined(types_, row, column, maker_.numbers(NameKind::Type),
                [this](const auto& name) { return names_.type_of(name); });
}

TenantId Recovery::tenant_of(const FileRow& row, int column) {
  return joined(tenants_, row, column, maker_.numbers(NameKind::Tenant),
                [this](const auto& name) { return names_.tenant_of(name); });
}

SlotId Recovery::slot_of(const FileRow& row, int column) {
  return joined(slots_, row, column, maker_.numbers(NameKind::Slot),
                [this](const auto& name) { return names_.slot_of(name); });
}

void Recovery::tell(const Record& record, Attachment& attachment) {
  image_.apply(record, attachment);
  replay_(record);
}

void Recovery::tell(const Record& record) {
  Attachment none;
  tell(record, none);
}

Result<void> Recovery::end_of(Statement& query, Step step) const {
  if (step == Step::Failed) {
    const auto error = database_.error("cannot read the store");
    query.reset();
    return store_error(error);
  }
  if (auto good = limits_.verdict(); !good) return store_error(good.error());
  return {};
}

// Whether there is one and all before it were good.
bool Recovery::next(Statement& query, Step& step) const {
  step = query.step();
  return step == Step::Row && !limits_.refused();
}

Result<RecoveryFigures> Recovery::run() {
  auto done = read_names();
  if (done) done = read_keys();
  if (done) done = read_tasks();
  if (done) done = read_checkpoints();
  if (done) done = read_results();
  if (done) done = read_pauses();
  if (!done) return done.error();
  return std::move(figures_);
}

Result<void> Recovery::read_names() {
  auto history = database_.prepare(
      "SELECT position, round, attempt, cause, charge, code, slot, worker, started_at, ended_at, "
      "error, output, autopsy FROM attempts WHERE task = ? ORDER BY position");
  if (!history) return store_error(history.error());
  history_ = std::move(*history);
  auto done = read_names(NameKind::Type, "SELECT number, name FROM types ORDER BY number");
  if (done) done = read_names(NameKind::Tenant, "SELECT number, name FROM tenants ORDER BY number");
  if (done) done = read_names(NameKind::Slot, "SELECT number, name FROM slots ORDER BY number");
  return done;
}

Result<void> Recovery::read_names(NameKind kind, std::string_view sql) {
  auto query = database_.prepare(sql);
  if (!query) return store_error(query.error());
  auto& numbers = maker_.numbers(kind);
  const FileRow row(*query, "a table of names", limits_);
  auto step = Step::Done;
  while (next(*query, step)) {
    // They are dense.
    if (row.number<std::uint32_t>(0) != numbers.newest() + 1) {
      row.refuse(0);
    } else if (!ipc::is_utf8(row.text(1))) {
      row.refuse(1);
    } else {
      numbers.know(numbers.newest() + 1, std::string(row.text(1)));
    }
  }
  return end_of(*query, step);
}

Result<void> Recovery::read_pauses() {
  auto query = database_.prepare("SELECT scope, name FROM pauses");
  if (!query) return store_error(query.error());
  const FileRow row(*query, "pauses", limits_);
  auto step = Step::Done;
  while (next(*query, step)) {
    auto target = pause_of_pool();
    target.scope = row.word<PauseScope>(0);
    if (target.scope == PauseScope::Type) target.type = names_.type_of(row.text(1));
    if (target.scope == PauseScope::Class) {
      const auto known = names_.class_of(row.text(1));
      if (!known) {  // it may come back with its class
        names_.pause_absent(row.text(1));
        continue;
      }
      target.worker_class = *known;
    }
    replay_(record::Paused{target, true});
  }
  return end_of(*query, step);
}

// The core learns of keys as if their tasks had lived again.
void Recovery::remember_key(TaskId task, const IdempotencyKey& key, Verdict verdict, Instant at) {
  TaskSpec spec;
  spec.key = key;
  replay_(record::Accepted{task, spec, at, at});
  record::Settled settled{};
  settled.task = task;
  settled.round = 1;
  settled.verdict = verdict;
  settled.at = at;
  replay_(settled);
  ++figures_.keys;
}

// Those that last, of tasks that are done.
Result<void> Recovery::read_keys() {
  auto query = database_.prepare(
      "SELECT task, key_high, key_low, key_digest, settled_at FROM keys ORDER BY sequence");
  if (!query) return store_error(query.error());
  const FileRow row(*query, "keys", limits_);
  auto step = Step::Done;
  while (next(*query, step)) {
    const IdempotencyKey key{row.bits(1), row.bits(2), row.bits(3), KeyUse::Lasting};
    remember_key(row.task(0), key, Verdict::Done, row.past(4));
  }
  return end_of(*query, step);
}

namespace {

// How many charged ends of a round are in its history for this cause, at most 255.
std::string ends_for(EndCause cause) {
  return "(SELECT min(count(*), 255) FROM attempts a WHERE a.task = progress.task "
         "AND a.round = progress.round AND a.charge != 0 AND a.cause = " +
         std::to_string(static_cast<int>(cause)) + ")";
}

}  // namespace

Result<void> Recovery::read_tasks() {
  auto tasks = database_.prepare(
      "SELECT id, type, tenant, uid, priority, durability, cancel_on_disconnect, keep_result, "
      "retries, crashes_max, timeout, deadline, expiry, run_at, accepted_at, eligible_at, key, "
      "labels, key_high, key_low, key_digest, key_use, content, payload_bytes, checksum, payload, "
      "file "
      "FROM tasks ORDER BY id");
  auto progress = database_.prepare(
      "SELECT task, round, round_at, attempt, ended, failures, crashes, interruptions, cause, "
      "eligible_at, held, suspect, started_at, slot, worker, dead_at, "
      "CASE WHEN crashes > 0 THEN " +
      ends_for(EndCause::Memory) + " ELSE 0 END, CASE WHEN failures > 0 THEN " +
      ends_for(EndCause::Timeout) + " ELSE 0 END, bound FROM progress ORDER BY task");
  if (!tasks) return store_error(tasks.error());
  if (!progress) return store_error(progress.error());
  const FileRow row(*tasks, "tasks", limits_);
  const FileRow its_row(*progress, "progress", limits_);
  auto step = Step::Done;
  auto ahead = progress->step();
  while (next(*tasks, step)) {
    Attachment attachment;
    const auto accepted = accepted_of(row, attachment);
    std::string fault;
    attachment.body = body_of(row, {25, 26, 24}, accepted.task, accepted.spec.payload_bytes, fault);
    std::optional<Progress> its;
    if (ahead == Step::Row && progress->integer(0) == tasks->integer(0)) {
      its = progress_of(its_row);
      ahead = progress->step();
    }
    if (limits_.refused()) break;
    if (trouble_) return *trouble_;
    auto restored = restore(accepted, attachment, its, fault);
    if (!restored) return restored;
  }
  if (auto ended = end_of(*tasks, step); !ended) return ended;
  // Both are in order, so what is left has no task: a row of tasks is gone.
  if (ahead == Step::Row) {
    limits_.refuse("the store is damaged: task " + std::to_string(progress->integer(0)) +
                   " has a row in progress and none in tasks");
  }
  return end_of(*progress, ahead);
}

// Order: the oldest first, so that those go for which there is no room. One that is damaged is left
// out: its task begins anew.
Result<void> Recovery::read_checkpoints() {
  auto query = database_.prepare(
      "SELECT task, round, attempt, at, content, checksum, body FROM checkpoints ORDER BY at");
  if (!query) return store_error(query.error());
  const FileRow row(*query, "checkpoints", limits_);
  auto step = Step::Done;
  while (next(*query, step)) {
    const auto task = row.task(0);
    Checkpoint checkpoint{row.number<std::uint16_t>(1, 1), row.number<std::uint16_t>(2, 1),
                          row.past(3), row.word<Content>(4), Blob(row.bytes(6))};
    if (checkpoint.body.size() > ipc::kCheckpointBytesMax) row.refuse(6);
    if (limits_.refused()) break;
    if (image_.row(task) == nullptr) {
      limits_.refuse("the store is damaged: task " + std::to_string(task.value) +
                     " has a row in checkpoints and none in tasks");
    } else if (checksum_of(task, checkpoint.body.bytes()) != row.bits(5)) {
      repairs_.changes.push_back(change::CheckpointGone{task});
    } else {
      image_.restore_checkpoint(task, std::move(checkpoint));
    }
  }
  for (const auto task : image_.take_dropped_checkpoints()) {
    repairs_.changes.push_back(change::CheckpointGone{task});
  }
  return end_of(*query, step);
}

Blob Recovery::body_of(const FileRow& row, Columns columns, TaskId task, std::uint64_t bytes,
                       std::string& fault) {
  std::optional<std::uint64_t> checksum;
  if (!row.is_null(columns.checksum)) checksum = row.bits(columns.checksum);
  if (row.is_null(columns.file)) {
    Blob body(row.bytes(columns.body));
    if (checksum && !is_whole(task, body.bytes(), *checksum)) fault = kDamagedText;
    return body;
  }
  const BodyFile file{row.bits(columns.file)};
  figures_.files.push_back(file);
  auto read = body_in(file, task, bytes, checksum);
  if (read) return std::move(*read);
  if (!is_body_gone(read.error()) && !trouble_) {
    trouble_ = {static_cast<int>(ExitStatus::StoreFailed), body_trouble(read.error())};
  }
  fault = read.error().text;
  return {};
}

Result<Blob> Recovery::body_in(BodyFile file, TaskId task, std::uint64_t bytes,
                               std::optional<std::uint64_t> checksum) {
  const bool unread = is_unread(task, bytes, checksum);
  if (!unread && bytes <= kBodyInMemoryMax) {
    auto read = read_body(bodies_, file, bytes);
    if (!read || !checksum || checksum_of(task, read->bytes()) == *checksum) return read;
    if (checksum_of_descriptor(read->bytes()) != *checksum) return Error{0, kDamagedText};
  }
  auto opened = open_body(bodies_, file, bytes);
  if (!opened) return opened.error();
  if (checksum && !unread && bytes > kBodyInMemoryMax) {
    const auto sum = checksum_of_file(opened->get(), bytes);
    if (!sum) return sum.error();
    if (*sum != *checksum) return Error{0, kDamagedText};
  }
  return names_.hold(std::move(*opened), bytes);
}

record::Accepted Recovery::accepted_of(const FileRow& row, Attachment& attachment) {
  TaskSpec spec;
  spec.type = type_of(row, 1);
  spec.tenant = tenant_of(row, 2);
  spec.priority = row.number<std::uint8_t>(4);
  spec.durability = row.word<Durability>(5);
  spec.cancel_on_disconnect = row.flag(6);
  spec.retries = row.number<std::uint16_t>(8);
  spec.crashes_max = row.number<std::uint16_t>(9);
  spec.timeout = row.duration(10);
  spec.deadline = row.duration(11);
  spec.expiry = row.duration(12);
  spec.run_at = row.wall(13);
  spec.payload_bytes = row.number<std::uint32_t>(23);
  spec.key = key_at(row, 18);
  attachment.uid = row.number<std::uint32_t>(3);
  attachment.keep_result = row.flag(7);
  attachment.content = row.word<Content>(22);
  add_texts(row.text(16), row.text(17), attachment);
  return {row.task(0), spec, row.past(14), row.plan(15)};
}

Recovery::Progress Recovery::progress_of(const FileRow& row) {
  Progress progress;
  progress.round = row.number<std::uint16_t>(1, 1);
  progress.round_at = row.past(2);
  progress.attempt = row.number<std::uint16_t>(3);
  progress.ended = row.number<std::uint16_t>(4);
  if (progress.ended > progress.attempt) row.refuse(4);
  progress.used = {row.number<std::uint16_t>(5), row.number<std::uint16_t>(6),
                   row.number<std::uint16_t>(7), row.number<std::uint8_t>(16),
                   row.number<std::uint8_t>(17)};
  progress.cause = row.word<EndCause>(8);
  if (!row.is_null(9)) progress.eligible_at = row.plan(9);
  progress.held = row.flag(10);
  progress.suspect = row.flag(11);
  progress.started_at = row.past(12);
  if (!row.is_null(13)) progress.slot = slot_of(row, 13);
  progress.worker = WorkerId{row.bits(14)};
  if (!row.is_null(15)) progress.dead_at = row.past(15);
  // A class that there is no more binds nobody.
  if (const auto name = row.text(18); !name.empty()) {
    progress.bound = names_.class_of(name).value_or(kNoClass);
  }
  return progress;
}

Result<void> Recovery::restore(const record::Accepted& accepted, Attachment& attachment,
                               const std::optional<Progress>& progress, std::string_view fault) {
  tell(accepted, attachment);
  if (progress) {
    if (auto done = restore_rounds(accepted, *progress); !done) return done;
  }
  const bool is_dead = progress && progress->dead_at;
  if (!fault.empty()) {
    figures_.damaged.push_back(accepted.task);
    if (!is_dead) bury_damaged(accepted, progress.value_or(Progress{}), fault);
    image_.lose_payload(accepted.task);
  }
  ++(is_dead || !fault.empty() ? figures_.dead : figures_.live);
  return {};
}

Result<void> Recovery::restore_rounds(const record::Accepted& accepted, const Progress& progress) {
  const auto task = accepted.task;
  std::vector<HistoryRow> history;
  if (auto read = read_history(task, progress.round, history); !read) return read;
  auto next = history.begin();
  for (; next != history.end() && next->end.round < progress.round; ++next) {
    restore_end(*next, progress);
  }
  if (progress.round > 1) {
    record::Settled died{};
    died.task = task;
    died.round = static_cast<std::uint16_t>(progress.round - 1);
    died.verdict = Verdict::Dead;
    died.at = progress.round_at;
    tell(died);
    tell(record::Revived{task, progress.round, progress.round_at, progress.round_at});
  }
  for (; next != history.end(); ++next) restore_end(*next, progress);
  if (!history.empty()) {
    const auto dropped = history.back().position + std::uint64_t{1} - history.size();
    image_.restore_dropped(task, static_cast<std::uint32_t>(dropped));
  }
  const auto* row = image_.row(task);
  REQUIRE(row != nullptr);
  if (progress.dead_at && row->state == TaskRow::State::Live) {
    tell(record::Settled{task, progress.round, progress.ended, WorkerId{}, Verdict::Dead,
                         progress.cause, Charge::Nothing, 0, progress.used, *progress.dead_at});
  }
  if (progress.attempt > progress.ended) {
    tell(record::Started{task, progress.round, progress.attempt, progress.worker, progress.slot,
                         progress.started_at});
  }
  return {};
}

// The last end of a round tells where its task stands; a dead letter's is its verdict.
void Recovery::restore_end(HistoryRow& row, const Progress& progress) {
  auto& end = row.end;
  tell(record::Started{end.task, end.round, end.attempt, end.worker, row.slot, row.started_at});
  const bool is_last = end.round == progress.round && end.attempt == progress.ended;
  if (is_last && progress.dead_at) {
    tell(record::Settled{end.task, end.round, end.attempt, end.worker, Verdict::Dead, end.cause,
                         end.charge, end.code, progress.used, *progress.dead_at},
         row.attachment);
    return;
  }
  if (is_last) {
    end.used = progress.used;
    end.eligible_at = progress.eligible_at.value_or(end.at);
    end.held = progress.held;
    end.suspect = progress.suspect;
    end.bound = progress.bound;
  }
  tell(end, row.attachment);
}

void Recovery::bury_damaged(const record::Accepted& accepted, const Progress& progress,
                            std::string_view fault) {
  record::Settled died{};
  died.task = accepted.task;
  died.round = progress.round;
  died.attempt = static_cast<std::uint16_t>(std::min(progress.attempt + 1, 0xffff));
  died.verdict = Verdict::Dead;
  died.cause = EndCause::FailedForGood;
  died.used = progress.used;
  died.at = std::max(accepted.at, progress.started_at);
  ++figures_.buried;
  StoreEntry entry{RecordNumber{}, died, {}};
  entry.attachment.content = Content::Utf8;
  const auto text = "its payload is damaged on the disk: " + std::string(fault) +
                    "; retry it with another payload, or submit it again";
  entry.attachment.body = Blob(ipc::bytes_of(text));
  maker_.before(entry);
  tell(died, entry.attachment);
  maker_.after(entry, repairs_);
}

// Of a task that has come to this round.
Result<void> Recovery::read_history(TaskId task, std::uint16_t round,
                                    std::vector<HistoryRow>& rows) {
  history_.with(task.value);
  const FileRow from(history_, "attempts", limits_);
  auto step = Step::Done;
  while (next(history_, step)) {
    auto& row = rows.emplace_back();
    row.position = from.number<std::uint32_t>(0);
    row.end.task = task;
    row.end.round = from.number<std::uint16_t>(1, 1);
    if (row.end.round > round) from.refuse(1);
    row.end.attempt = from.number<std::uint16_t>(2);
    row.end.cause = from.word<EndCause>(3);
    row.end.charge = from.word<Charge>(4);
    row.end.code = from.number<std::int32_t>(5);
    row.slot = slot_of(from, 6);
    row.end.worker = WorkerId{from.bits(7)};
    row.started_at = from.past(8);
    row.end.at = row.end.eligible_at = from.past(9);
    row.attachment.body = Blob(from.bytes(10));
    row.attachment.content = Content::Utf8;
    row.attachment.texts = std::make_unique<TaskTexts>();
    row.attachment.texts->output = lines_of(from.text(11));
    row.attachment.texts->autopsy = from.text(12);
  }
  auto ended = end_of(history_, step);
  history_.reset();
  return ended;
}

}  // namespace warmpool::daemon
