// A task comes back in the order in which it lived: accepted, its attempts, its round, where it
// stands now. Most tasks have only been accepted, and for them it is one record.
#include "daemon/store/recovery.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "daemon/store/checksum.hpp"
#include "daemon/store/schema.hpp"
#include "ipc/codec.hpp"

namespace warmpool::daemon {
namespace {

constexpr char kDamagedText[] =
    "its payload is damaged on the disk: the checksum differs; submit it again";

// Of four columns: high, low, digest, use.
std::optional<IdempotencyKey> key_at(const Statement& row, int column) {
  if (row.is_null(column + 3)) return std::nullopt;
  return IdempotencyKey{row.number<std::uint64_t>(column), row.number<std::uint64_t>(column + 1),
                        row.number<std::uint64_t>(column + 2), row.number<KeyUse>(column + 3)};
}

std::vector<std::string> list_of(std::string_view json) {
  std::vector<std::string> texts;
  const auto list = nlohmann::json::parse(json, nullptr, false);
  for (const auto& each : list) {
    if (each.is_string()) texts.push_back(each.get<std::string>());
  }
  return texts;
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

void add_texts(std::string_view key, std::string_view labels, Attachment& attachment) {
  if (key.empty() && labels.empty()) return;
  attachment.texts = std::make_unique<TaskTexts>();
  attachment.texts->key = key;
  if (!labels.empty()) attachment.texts->labels = list_of(labels);
}

// The same row of `known` for the same number, asked for once.
template <class Id, class Ask>
Id joined(std::vector<std::optional<Id>>& known, std::uint32_t number, NameNumbers& numbers,
          const Ask& ask) {
  if (known.size() <= number) known.resize(number + std::size_t{1});
  auto& id = known[number];
  if (!id) {
    id = ask(numbers.name_of(number));
    if (number != 0) numbers.join(id->value, number);
  }
  return *id;
}

}  // namespace

TypeId Recovery::type_of(std::uint32_t number) {
  return joined(types_, number, maker_.numbers(NameKind::Type),
                [this](const auto& name) { return names_.type_of(name); });
}

TenantId Recovery::tenant_of(std::uint32_t number) {
  return joined(tenants_, number, maker_.numbers(NameKind::Tenant),
                [this](const auto& name) { return names_.tenant_of(name); });
}

SlotId Recovery::slot_of(std::uint32_t number) {
  return joined(slots_, number, maker_.numbers(NameKind::Slot),
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
  if (step == Step::Done) return {};
  query.reset();
  return store_error(database_.error("cannot read the store"));
}

Result<RecoveryFigures> Recovery::run() {
  auto done = read_names();
  if (done) done = read_keys();
  if (done) done = read_tasks();
  if (done) done = read_results();
  if (done) done = read_pauses();
  if (!done) return done.error();
  return std::move(figures_);
}

Result<void> Recovery::read_names() {
  auto history = database_.prepare(
      "SELECT position, round, attempt, cause, charge, code, slot, worker, started_at, ended_at, "
      "error, output FROM attempts WHERE task = ? ORDER BY position");
  if (!history) return store_error(history.error());
  history_ = std::move(*history);
  auto done = read_names(NameKind::Type, "SELECT number, name FROM types");
  if (done) done = read_names(NameKind::Tenant, "SELECT number, name FROM tenants");
  if (done) done = read_names(NameKind::Slot, "SELECT number, name FROM slots");
  return done;
}

Result<void> Recovery::read_names(NameKind kind, std::string_view sql) {
  auto query = database_.prepare(sql);
  if (!query) return store_error(query.error());
  auto step = query->step();
  for (; step == Step::Row; step = query->step()) {
    const auto number = query->number<std::uint32_t>(0);
    maker_.numbers(kind).know(number, std::string(query->text(1)));
  }
  return end_of(*query, step);
}

Result<void> Recovery::read_pauses() {
  auto query = database_.prepare("SELECT scope, name FROM pauses");
  if (!query) return store_error(query.error());
  auto step = query->step();
  for (; step == Step::Row; step = query->step()) {
    auto target = pause_of_pool();
    target.scope = query->number<PauseScope>(0);
    if (target.scope == PauseScope::Type) target.type = names_.type_of(query->text(1));
    if (target.scope == PauseScope::Class) {
      const auto known = names_.class_of(query->text(1));
      if (!known) continue;  // it may come back with its class
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
  auto step = query->step();
  for (; step == Step::Row; step = query->step()) {
    const IdempotencyKey key{query->number<std::uint64_t>(1), query->number<std::uint64_t>(2),
                             query->number<std::uint64_t>(3), KeyUse::Lasting};
    remember_key(TaskId{query->number<std::uint64_t>(0)}, key, Verdict::Done,
                 Instant{query->integer(4)});
  }
  return end_of(*query, step);
}

Result<void> Recovery::read_tasks() {
  auto tasks = database_.prepare(
      "SELECT id, type, tenant, uid, priority, durability, cancel_on_disconnect, keep_result, "
      "retries, crashes_max, timeout, deadline, expiry, run_at, accepted_at, eligible_at, key, "
      "labels, key_high, key_low, key_digest, key_use, content, payload_bytes, checksum, payload "
      "FROM tasks ORDER BY id");
  auto progress = database_.prepare(
      "SELECT task, round, round_at, attempt, ended, failures, crashes, interruptions, cause, "
      "eligible_at, held, suspect, started_at, slot, worker, dead_at FROM progress ORDER BY task");
  if (!tasks) return store_error(tasks.error());
  if (!progress) return store_error(progress.error());
  auto step = tasks->step();
  auto ahead = progress->step();
  for (; step == Step::Row; step = tasks->step()) {
    Attachment attachment;
    const auto accepted = accepted_of(*tasks, attachment);
    const auto sum = checksum_of(accepted.task, attachment.body.bytes());
    const auto task = tasks->integer(0);
    while (ahead == Step::Row && progress->integer(0) < task) ahead = progress->step();
    std::optional<Progress> its;
    if (ahead == Step::Row && progress->integer(0) == task) its = progress_of(*progress);
    restore(accepted, attachment, its, sum == tasks->number<std::uint64_t>(24));
  }
  if (ahead == Step::Failed) return end_of(*progress, ahead);
  return end_of(*tasks, step);
}

record::Accepted Recovery::accepted_of(const Statement& row, Attachment& attachment) {
  TaskSpec spec;
  spec.type = type_of(row.number<std::uint32_t>(1));
  spec.tenant = tenant_of(row.number<std::uint32_t>(2));
  spec.priority = row.number<std::uint8_t>(4);
  spec.durability = row.number<Durability>(5);
  spec.cancel_on_disconnect = row.integer(6) != 0;
  spec.retries = row.number<std::uint16_t>(8);
  spec.crashes_max = row.number<std::uint16_t>(9);
  spec.timeout = Duration{row.integer(10)};
  spec.deadline = Duration{row.integer(11)};
  spec.expiry = Duration{row.integer(12)};
  spec.run_at = WallTime{row.integer(13)};
  spec.payload_bytes = row.number<std::uint32_t>(23);
  spec.key = key_at(row, 18);
  attachment.uid = row.number<std::uint32_t>(3);
  attachment.keep_result = row.integer(7) != 0;
  attachment.content = row.number<Content>(22);
  attachment.body = Blob(row.bytes(25));
  add_texts(row.text(16), row.text(17), attachment);
  return {TaskId{row.number<std::uint64_t>(0)}, spec, Instant{row.integer(14)},
          Instant{row.integer(15)}};
}

Recovery::Progress Recovery::progress_of(const Statement& row) {
  Progress progress;
  progress.round = row.number<std::uint16_t>(1);
  progress.round_at = Instant{row.integer(2)};
  progress.attempt = row.number<std::uint16_t>(3);
  progress.ended = row.number<std::uint16_t>(4);
  progress.used = {row.number<std::uint16_t>(5), row.number<std::uint16_t>(6),
                   row.number<std::uint16_t>(7)};
  progress.cause = row.number<EndCause>(8);
  if (!row.is_null(9)) progress.eligible_at = Instant{row.integer(9)};
  progress.held = row.integer(10) != 0;
  progress.suspect = row.integer(11) != 0;
  progress.started_at = Instant{row.integer(12)};
  if (!row.is_null(13)) progress.slot = slot_of(row.number<std::uint32_t>(13));
  progress.worker = WorkerId{row.number<std::uint64_t>(14)};
  if (!row.is_null(15)) progress.dead_at = Instant{row.integer(15)};
  return progress;
}

void Recovery::restore(const record::Accepted& accepted, Attachment& attachment,
                       const std::optional<Progress>& progress, bool is_whole) {
  tell(accepted, attachment);
  if (progress) restore_rounds(accepted, *progress);
  const bool is_dead = progress && progress->dead_at;
  if (!is_whole) {
    figures_.damaged.push_back(accepted.task);
    if (!is_dead) bury_damaged(accepted, progress.value_or(Progress{}));
  }
  ++(is_dead || !is_whole ? figures_.dead : figures_.live);
}

void Recovery::restore_rounds(const record::Accepted& accepted, const Progress& progress) {
  const auto task = accepted.task;
  auto history = history_of(task);
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
    const auto dropped = history.back().position + 1 - history.size();
    image_.restore_dropped(task, static_cast<std::uint32_t>(dropped));
  }
  const auto* row = image_.row(task);
  if (progress.dead_at && row->state == TaskRow::State::Live) {
    tell(record::Settled{task, progress.round, progress.ended, WorkerId{}, Verdict::Dead,
                         progress.cause, Charge::Nothing, 0, progress.used, *progress.dead_at});
  }
  if (progress.attempt > progress.ended) {
    tell(record::Started{task, progress.round, progress.attempt, progress.worker, progress.slot,
                         progress.started_at});
  }
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
  }
  tell(end, row.attachment);
}

void Recovery::bury_damaged(const record::Accepted& accepted, const Progress& progress) {
  record::Settled died{};
  died.task = accepted.task;
  died.round = progress.round;
  died.attempt = static_cast<std::uint16_t>(progress.attempt + 1);
  died.verdict = Verdict::Dead;
  died.cause = EndCause::FailedForGood;
  died.used = progress.used;
  died.at = std::max(accepted.at, progress.started_at);
  ++figures_.buried;
  StoreEntry entry{RecordNumber{}, died, {}};
  entry.attachment.content = Content::Utf8;
  entry.attachment.body = Blob(ipc::bytes_of(kDamagedText));
  maker_.before(entry);
  tell(died, entry.attachment);
  maker_.after(entry, repairs_);
}

std::vector<Recovery::HistoryRow> Recovery::history_of(TaskId task) {
  std::vector<HistoryRow> rows;
  history_.with(task.value);
  while (history_.step() == Step::Row) {
    auto& row = rows.emplace_back();
    row.position = history_.number<std::uint32_t>(0);
    row.end.task = task;
    row.end.round = history_.number<std::uint16_t>(1);
    row.end.attempt = history_.number<std::uint16_t>(2);
    row.end.cause = history_.number<EndCause>(3);
    row.end.charge = history_.number<Charge>(4);
    row.end.code = history_.number<std::int32_t>(5);
    row.slot = slot_of(history_.number<std::uint32_t>(6));
    row.end.worker = WorkerId{history_.number<std::uint64_t>(7)};
    row.started_at = Instant{history_.integer(8)};
    row.end.at = row.end.eligible_at = Instant{history_.integer(9)};
    row.attachment.body = Blob(history_.bytes(10));
    row.attachment.content = Content::Utf8;
    row.attachment.texts = std::make_unique<TaskTexts>();
    row.attachment.texts->output = lines_of(history_.text(11));
  }
  history_.reset();
  return rows;
}

Result<void> Recovery::read_results() {
  auto query = database_.prepare(
      "SELECT task, type, tenant, uid, durability, keep_result, accepted_at, payload_bytes, key, "
      "labels, round, attempt, verdict, cause, failures, crashes, interruptions, started_at, "
      "settled_at, slot, attempts, content, checksum, key_high, key_low, key_digest, key_use, body "
      "FROM results ORDER BY sequence");
  if (!query) return store_error(query.error());
  auto step = query->step();
  for (; step == Step::Row; step = query->step()) restore_result(*query);
  image_.keep_bounds();
  return end_of(*query, step);
}

// The image alone gets results: the core forgets what has settled.
void Recovery::restore_result(const Statement& row) {
  const TaskId task{row.number<std::uint64_t>(0)};
  const auto body = row.bytes(27);
  if (!row.is_null(22) && checksum_of(task, body) != row.number<std::uint64_t>(22)) {
    figures_.damaged.push_back(task);
    return;
  }
  TaskSpec spec;
  spec.type = type_of(row.number<std::uint32_t>(1));
  spec.tenant = tenant_of(row.number<std::uint32_t>(2));
  spec.durability = row.number<Durability>(4);
  spec.payload_bytes = row.number<std::uint32_t>(7);
  Attachment attachment;
  attachment.uid = row.number<std::uint32_t>(3);
  attachment.keep_result = row.integer(5) != 0;
  add_texts(row.text(8), row.text(9), attachment);
  const Instant at{row.integer(6)};
  image_.apply(record::Accepted{task, spec, at, at}, attachment);
  auto settled = settled_of(row);
  Attachment last;
  if (row.integer(20) != 0) restore_history(settled, last);
  if (settled.verdict == Verdict::Done) {
    last.content = row.number<Content>(21);
    last.body = Blob(body);
  }
  Attachment none;
  image_.apply(record::Started{task, settled.round, settled.attempt, settled.worker,
                               slot_of(row.number<std::uint32_t>(19)), Instant{row.integer(17)}},
               none);
  image_.apply(settled, last);
  if (row.is_null(22)) image_.received(task);
  ++figures_.results;
  const auto key = key_at(row, 23);
  const bool reconnects = key && key->use == KeyUse::Reconnect;
  if (reconnects && settled.cause != EndCause::Dropped && settled.at >= reconnect_from_) {
    remember_key(task, *key, settled.verdict, settled.at);
  }
}

record::Settled Recovery::settled_of(const Statement& row) {
  return {
      TaskId{row.number<std::uint64_t>(0)},
      row.number<std::uint16_t>(10),
      row.number<std::uint16_t>(11),
      WorkerId{},
      row.number<Verdict>(12),
      row.number<EndCause>(13),
      Charge::Nothing,
      0,
      {row.number<std::uint16_t>(14), row.number<std::uint16_t>(15), row.number<std::uint16_t>(16)},
      Instant{row.integer(18)}};
}

// All but the last, which the verdict itself brings.
void Recovery::restore_history(record::Settled& settled, Attachment& last) {
  auto history = history_of(settled.task);
  if (history.empty()) return;
  auto& end = history.back();
  settled.worker = end.end.worker;
  settled.charge = end.end.charge;
  settled.code = end.end.code;
  last = std::move(end.attachment);
  for (std::size_t at = 0; at + 1 < history.size(); ++at) {
    auto& row = history[at];
    Attachment none;
    image_.apply(record::Started{row.end.task, row.end.round, row.end.attempt, row.end.worker,
                                 row.slot, row.started_at},
                 none);
    image_.apply(row.end, row.attachment);
  }
}

}  // namespace warmpool::daemon
