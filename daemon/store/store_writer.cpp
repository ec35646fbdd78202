// All statements stand in one table. A statement that changes no row where it must change one shows
// that memory and disk disagree; that is damage, never something to go over.
//
// What changes of a task stands in a row of its own (progress), which is small: an update of the
// task's row would write its payload again.
#include "daemon/store/store_writer.hpp"

#include <algorithm>

#include <sqlite3.h>

#include "daemon/store/change_codec.hpp"
#include "daemon/store/checksum.hpp"
#include "daemon/store/schema.hpp"

namespace warmpool::daemon {

enum class StoreWriter::Sql : std::uint8_t {
  Begin,
  Commit,
  AddType,
  AddTenant,
  AddSlot,
  AddTask,
  Start,
  End,
  Bury,
  Revive,
  Replace,
  Release,
  Keep,
  AddAttempt,
  CutErrors,
  CutOutputs,
  CutAutopsies,
  DropAttempt,
  DropAttempts,
  AddResult,
  AddKey,
  DropTask,
  DropProgress,
  Pause,
  Resume,
  Checkpoint,
  DropCheckpoint,
  FindReceived,
  FindResult,
  DropResult,
  DropBody,
  OldestResults,
  TrimResults,
  OldestKeys,
  TrimKeys,
  State,
};

struct StoreWriter::SqlRow {
  Sql sql;
  std::string_view text;
};

namespace {

// Of what is over a bound go so many in a transaction, and twice what it brings.
constexpr std::int64_t kTrimmedAtOnce = 512;
std::int64_t trimmed_at_once(std::uint64_t before, std::uint64_t now) {
  return kTrimmedAtOnce + (now > before ? 2 * static_cast<std::int64_t>(now - before) : 0);
}
// How long an oldest row is not looked at where there is none.
constexpr Duration kTrimPause = seconds(10);

std::optional<std::uint64_t> column_of(BodyFile file) {
  return file ? std::optional(file.number) : std::nullopt;
}

}  // namespace

const std::span<const StoreWriter::SqlRow> StoreWriter::kSql = [] {
  static constexpr SqlRow rows[] = {
      {Sql::Begin, "BEGIN IMMEDIATE"},
      {Sql::Commit, "COMMIT"},
      {Sql::AddType, "INSERT INTO types(number, name) VALUES(?, ?)"},
      {Sql::AddTenant, "INSERT INTO tenants VALUES(?, ?)"},
      {Sql::AddSlot, "INSERT INTO slots VALUES(?, ?)"},
      {Sql::AddTask,
       "INSERT INTO tasks VALUES(?, ?,?,?, ?,?,?,?, ?,?, ?,?,?,?, ?,?, ?,?,?,?,?,?, ?,?,?,?,?)"},
      {Sql::Start,
       "INSERT INTO progress(task, round, attempt, started_at, slot, worker) "
       "SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE EXISTS(SELECT 1 FROM tasks WHERE id = ?1) "
       "ON CONFLICT DO UPDATE SET attempt = ?3, started_at = ?4, slot = ?5, worker = ?6 "
       "WHERE round = ?2 AND ended < ?3 AND dead_at IS NULL"},
      {Sql::End,
       "INSERT INTO progress(task, round, attempt, ended, cause, failures, crashes, "
       "interruptions, eligible_at, held, suspect, bound) "
       "SELECT ?1, ?2, ?3, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, nullif(?11, '') "
       "WHERE EXISTS(SELECT 1 FROM tasks WHERE id = ?1) "
       "ON CONFLICT DO UPDATE SET attempt = ?3, ended = ?3, cause = ?4, failures = ?5, "
       "crashes = ?6, interruptions = ?7, eligible_at = ?8, held = ?9, suspect = ?10, "
       "bound = nullif(?11, '') WHERE round = ?2 AND attempt <= ?3 AND dead_at IS NULL"},
      {Sql::Bury,
       "INSERT INTO progress(task, round, attempt, ended, cause, failures, crashes, "
       "interruptions, dead_at) SELECT ?1, ?2, ?3, ?3, ?4, ?5, ?6, ?7, ?8 "
       "WHERE EXISTS(SELECT 1 FROM tasks WHERE id = ?1) "
       "ON CONFLICT DO UPDATE SET attempt = ?3, ended = ?3, cause = ?4, failures = ?5, "
       "crashes = ?6, interruptions = ?7, held = 0, suspect = 0, dead_at = ?8 "
       "WHERE round = ?2 AND attempt <= ?3 AND dead_at IS NULL"},
      {Sql::Revive,
       "UPDATE progress SET round = ?2, round_at = ?3, eligible_at = ?4, attempt = 0, ended = 0, "
       "failures = 0, crashes = 0, interruptions = 0, cause = NULL, started_at = NULL, "
       "bound = NULL, dead_at = NULL WHERE task = ?1 AND round = ?2 - 1 AND dead_at IS NOT NULL"},
      {Sql::Replace,
       "UPDATE tasks SET content = ?2, payload_bytes = ?3, checksum = ?4, file = ?5, payload = ?6 "
       "WHERE id = ?1"},
      {Sql::Release,
       "UPDATE progress SET held = 0, eligible_at = ?2 WHERE task = ?1 AND dead_at IS NULL"},
      {Sql::Keep, "UPDATE tasks SET cancel_on_disconnect = 0 WHERE id = ?"},
      {Sql::AddAttempt, "INSERT INTO attempts VALUES(?, ?, ?,?,?,?,?, ?,?,?,?, ?,?, ?)"},
      {Sql::CutErrors,
       "UPDATE attempts SET error = substr(error, 1, ?3) WHERE task = ?1 AND position < ?2 "
       "AND length(error) > ?3"},
      {Sql::CutOutputs,
       "UPDATE attempts SET output = NULL WHERE task = ?1 AND output IS NOT NULL AND position <= "
       "(SELECT position FROM attempts WHERE task = ?1 AND output IS NOT NULL "
       "ORDER BY position DESC LIMIT 1 OFFSET ?2)"},
      {Sql::CutAutopsies,
       "UPDATE attempts SET autopsy = NULL WHERE task = ?1 AND autopsy IS NOT NULL AND position <= "
       "(SELECT position FROM attempts WHERE task = ?1 AND autopsy IS NOT NULL "
       "ORDER BY position DESC LIMIT 1 OFFSET ?2)"},
      {Sql::DropAttempt, "DELETE FROM attempts WHERE task = ? AND position = ?"},
      {Sql::DropAttempts, "DELETE FROM attempts WHERE task = ?"},
      {Sql::AddResult,
       "INSERT INTO results SELECT ?2, id, type, tenant, uid, durability, keep_result, "
       "accepted_at, payload_bytes, key, labels, key_high, key_low, key_digest, key_use, ?3, ?4, "
       "?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, "
       "?14, ?15, ?16, ?17, ?18 FROM tasks WHERE id = ?1"},
      {Sql::AddKey,
       "INSERT INTO keys SELECT ?2, id, key_high, key_low, key_digest, ?3 FROM tasks WHERE id = "
       "?1"},
      {Sql::DropTask, "DELETE FROM tasks WHERE id = ?"},
      {Sql::DropProgress, "DELETE FROM progress WHERE task = ?"},
      {Sql::Pause, "INSERT OR REPLACE INTO pauses(scope, name) VALUES(?, ?)"},
      {Sql::Resume, "DELETE FROM pauses WHERE scope = ? AND name = ?"},
      {Sql::Checkpoint,
       "INSERT INTO checkpoints SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 "
       "WHERE EXISTS(SELECT 1 FROM tasks WHERE id = ?1) "
       "ON CONFLICT DO UPDATE SET round = ?2, attempt = ?3, at = ?4, content = ?5, "
       "checksum = ?6, body = ?7"},
      {Sql::DropCheckpoint, "DELETE FROM checkpoints WHERE task = ?"},
      {Sql::FindReceived,
       "SELECT sequence, bytes, attempts, file FROM results WHERE task = ? AND NOT keep_result"},
      {Sql::FindResult, "SELECT sequence, bytes, attempts, file FROM results WHERE task = ?"},
      {Sql::DropResult, "DELETE FROM results WHERE sequence = ?"},
      {Sql::DropBody,
       "UPDATE results SET bytes = 0, checksum = NULL, file = NULL, body = NULL WHERE sequence = "
       "?"},
      {Sql::OldestResults,
       "SELECT sequence, bytes, settled_at, attempts, task, file FROM results ORDER BY sequence "
       "LIMIT ?"},
      {Sql::TrimResults, "DELETE FROM results WHERE sequence <= ?"},
      {Sql::OldestKeys, "SELECT sequence, settled_at FROM keys ORDER BY sequence LIMIT ?"},
      {Sql::TrimKeys, "DELETE FROM keys WHERE sequence <= ?"},
      {Sql::State,
       "UPDATE store SET record = ?, groups = groups + 1, instant = ?, wall = ?, done = ?, dead = "
       "?, cancelled = ?, "
       "expired = ?, skipped = ?, journal = ?"},
  };
  return std::span<const SqlRow>(rows);
}();

Result<void> StoreWriter::prepare(Database& database) {
  database_ = &database;
  statements_.clear();
  for (const auto& row : kSql) {
    REQUIRE(static_cast<std::size_t>(row.sql) == statements_.size());
    auto statement = database.prepare(row.text);
    if (!statement) return statement.error();
    statements_.push_back(std::move(*statement));
  }
  fault_ = {};
  if (auto read = read_files(); !read) return read;
  return read_state();
}

Result<void> StoreWriter::read_files() {
  payload_files_ = {};
  auto query = database_->prepare("SELECT id, file FROM tasks WHERE file IS NOT NULL");
  if (!query) return query.error();
  auto step = query->step();
  for (; step == Step::Row; step = query->step()) {
    payload_files_.insert(query->number<std::uint64_t>(0), query->number<std::uint64_t>(1));
  }
  if (step == Step::Failed) return database_->error("files of payloads");
  return {};
}

Result<void> StoreWriter::read_state() {
  auto query = database_->prepare(
      "SELECT (SELECT count(*) FROM results), (SELECT ifnull(sum(bytes), 0) FROM results), "
      "(SELECT count(*) FROM keys), (SELECT ifnull(max(sequence), 0) FROM results), "
      "(SELECT ifnull(max(sequence), 0) FROM keys), done, dead, cancelled, expired, skipped "
      "FROM store");
  if (!query) return query.error();
  if (const auto step = query->step(); step != Step::Row) {
    return database_->no_row("the table store", step);
  }
  State state;
  state.figures = {query->number<std::uint64_t>(0),
                   query->number<std::uint64_t>(1),
                   query->number<std::uint64_t>(2),
                   {}};
  state.result_sequence = query->integer(3);
  state.key_sequence = query->integer(4);
  for (int at = 0; at < 5; ++at) {
    state.figures.settled[static_cast<std::size_t>(at)] = query->number<std::uint64_t>(5 + at);
  }
  kept_ = state;
  results_due_ = keys_due_ = Instant{};
  return {};
}

void StoreWriter::begin() {
  fault_ = {};
  state_ = kept_;
  named_.clear();
  dropped_.clear();
  if (!database_->is_idle()) fault_ = Error{SQLITE_IOERR, "the transaction before did not end"};
  run(Sql::Begin);
}

void StoreWriter::add(const ChangeBatch& batch) {
  for (const auto& change : batch.changes) write(change);
}

Result<void> StoreWriter::commit(const GroupEnd& end) {
  trim_results(end.now);
  trim_keys(end.now);
  write_state(end);
  run(Sql::Commit);
  if (!fault_) {
    roll_back();
    return fault_;
  }
  kept_ = state_;
  take_files();
  return {};
}

void StoreWriter::roll_back() {
  (void)database_->run("ROLLBACK");  // where there is still something to roll back
  results_due_ = keys_due_ = Instant{};
}

void StoreWriter::take_files() {
  for (const auto& [task, file] : named_) {
    payload_files_.erase(task.value);
    if (file) payload_files_.insert(task.value, file.number);
  }
  gone_.insert(gone_.end(), dropped_.begin(), dropped_.end());
}

void StoreWriter::write(const Change& change) {
  std::visit([this](const auto& each) { this->change(each); }, change);
}

template <class... Values>
void StoreWriter::run(Sql sql, const Values&... values) {
  if (!fault_) return;
  auto& statement = statements_[static_cast<std::size_t>(sql)];
  if (!statement.with(values...).run()) {
    fault_ = database_->error(kSql[static_cast<std::size_t>(sql)].text);
  }
}

template <class... Values>
void StoreWriter::run_one(Sql sql, const Values&... values) {
  run(sql, values...);
  if (!fault_ || database_->changes() == 1) return;
  fault_ = Error{kStoreDamaged,
                 "the store and the daemon disagree: " + std::to_string(database_->changes()) +
                     " rows were changed, 1 should be, by: " +
                     std::string(kSql[static_cast<std::size_t>(sql)].text) +
                     "; keep the state directory and report it"};
}

bool StoreWriter::has_row(Sql sql, Statement& statement) {
  const auto step = statement.step();
  if (step == Step::Failed && fault_) {
    fault_ = database_->error(kSql[static_cast<std::size_t>(sql)].text);
  }
  return step == Step::Row;
}

void StoreWriter::change(const change::Named& named) {
  constexpr Sql by_kind[] = {Sql::AddType, Sql::AddTenant, Sql::AddSlot};
  run(by_kind[static_cast<std::size_t>(named.kind)], named.number, named.name);
}

void StoreWriter::change(const change::Added& added) {
  const auto& record = added.record;
  const auto& spec = record.spec;
  const auto body = added.body.bytes();
  auto& statement = statements_[static_cast<std::size_t>(Sql::AddTask)];
  if (!fault_) return;
  statement.with(record.task.value, added.type, added.tenant, added.uid,
                 std::uint32_t{spec.priority}, static_cast<std::uint32_t>(spec.durability),
                 spec.cancel_on_disconnect, added.keep_result, std::uint32_t{spec.retries},
                 std::uint32_t{spec.crashes_max}, spec.timeout.ns, spec.deadline.ns, spec.expiry.ns,
                 spec.run_at.ns, record.at.ns, record.eligible_at.ns, nullptr, nullptr, nullptr,
                 nullptr, nullptr, nullptr, static_cast<std::uint32_t>(added.content),
                 spec.payload_bytes, body_in_file(added).checksum, column_of(added.file),
                 added.file ? ipc::Bytes{} : body);
  if (added.texts && !added.texts->key.empty()) statement.bind(17, added.texts->key);
  if (added.texts && !added.texts->labels.empty()) statement.bind(18, added.texts->labels);
  if (spec.key) {
    statement.bind(19, spec.key->high);
    statement.bind(20, spec.key->low);
    statement.bind(21, spec.key->digest);
    statement.bind(22, static_cast<std::uint32_t>(spec.key->use));
  }
  name_payload(record.task, added.file);
  if (!statement.run()) fault_ = database_->error("cannot add a task");
}

void StoreWriter::change(const change::Started& started) {
  const auto& record = started.record;
  run_one(Sql::Start, record.task.value, std::uint32_t{record.round}, std::uint32_t{record.attempt},
          record.at.ns, started.slot, record.worker.value);
}

void StoreWriter::change(const change::Ended& ended) {
  const auto& record = ended.record;
  run_one(Sql::End, record.task.value, std::uint32_t{record.round}, std::uint32_t{record.attempt},
          static_cast<std::uint32_t>(record.cause), std::uint32_t{record.used.failures},
          std::uint32_t{record.used.crashes}, std::uint32_t{record.used.interruptions},
          record.eligible_at.ns, record.held, record.suspect, ended.bound);
  add_attempt(record, *ended.attempt);
}

void StoreWriter::change(const change::Buried& buried) {
  const auto& record = buried.record;
  run_one(Sql::Bury, record.task.value, std::uint32_t{record.round}, std::uint32_t{record.attempt},
          static_cast<std::uint32_t>(record.cause), std::uint32_t{record.used.failures},
          std::uint32_t{record.used.crashes}, std::uint32_t{record.used.interruptions},
          record.at.ns);
  if (buried.attempt) add_attempt(record, *buried.attempt);
  ++state_.figures.settled[static_cast<std::size_t>(Verdict::Dead)];
}

void StoreWriter::change(const change::Finished& finished) {
  const auto& record = finished.record;
  const auto body = finished.body.bytes();
  const auto in_row = finished.file ? ipc::Bytes{} : body;
  const auto said = body_in_file(finished);
  run_one(Sql::AddResult, record.task.value, ++state_.result_sequence, std::uint32_t{record.round},
          std::uint32_t{record.attempt}, static_cast<std::uint32_t>(record.verdict),
          static_cast<std::uint32_t>(record.cause), std::uint32_t{record.used.failures},
          std::uint32_t{record.used.crashes}, std::uint32_t{record.used.interruptions},
          finished.started_at.ns, record.at.ns, finished.slot, finished.attempts,
          static_cast<std::uint32_t>(finished.content), said.bytes, said.checksum,
          column_of(finished.file), in_row);
  if (finished.has_key && record.verdict == Verdict::Done) {
    run_one(Sql::AddKey, record.task.value, ++state_.key_sequence, record.at.ns);
    ++state_.figures.keys;
  }
  if (finished.attempt) add_attempt(record, *finished.attempt);
  drop_task(record.task);
  ++state_.figures.results;
  state_.figures.result_bytes += said.bytes;
  ++state_.figures.settled[static_cast<std::size_t>(record.verdict)];
}

void StoreWriter::change(const change::Revived& revived) {
  const auto& record = revived.record;
  run_one(Sql::Revive, record.task.value, std::uint32_t{record.round}, record.at.ns,
          record.eligible_at.ns);
  if (!record.payload_bytes) return;
  const auto body = revived.body.bytes();
  run_one(Sql::Replace, record.task.value, static_cast<std::uint32_t>(revived.content),
          *record.payload_bytes, body_in_file(revived).checksum, column_of(revived.file),
          revived.file ? ipc::Bytes{} : body);
  name_payload(record.task, revived.file);
}

void StoreWriter::change(const record::Released& record) {
  run_one(Sql::Release, record.task.value, record.eligible_at.ns);
}

void StoreWriter::change(const record::Kept& record) { run_one(Sql::Keep, record.task.value); }

void StoreWriter::change(const change::Checkpointed& checkpointed) {
  const auto& record = checkpointed.record;
  const auto body = checkpointed.body.bytes();
  run_one(Sql::Checkpoint, record.task.value, std::uint32_t{record.round},
          std::uint32_t{record.attempt}, record.at.ns,
          static_cast<std::uint32_t>(checkpointed.content), checksum_of(record.task, body), body);
}

void StoreWriter::change(const change::CheckpointGone& gone) {
  run(Sql::DropCheckpoint, gone.task.value);
}

void StoreWriter::change(const record::Removed& record) {
  drop_task(record.task);
  run(Sql::DropAttempts, record.task.value);
}

void StoreWriter::change(const change::Paused& paused) {
  run(paused.paused ? Sql::Pause : Sql::Resume, static_cast<std::uint32_t>(paused.scope),
      paused.name);
}

void StoreWriter::change(const change::Received& received) {
  if (!fault_) return;
  auto& find = statements_[static_cast<std::size_t>(Sql::FindReceived)];
  const bool found = has_row(Sql::FindReceived, find.with(received.task.value));
  const auto sequence = find.integer(0);
  const auto bytes = find.number<std::uint64_t>(1);
  const bool plain = find.integer(2) == 0;
  drop_file(find, 3);
  find.reset();
  if (!found) return;  // trimmed meanwhile, or to be kept
  run_one(plain ? Sql::DropResult : Sql::DropBody, sequence);
  state_.figures.result_bytes -= bytes;
  if (plain) --state_.figures.results;
}

void StoreWriter::change(const change::Cleaned& cleaned) {
  if (!fault_) return;
  auto& find = statements_[static_cast<std::size_t>(Sql::FindResult)];
  const bool found = has_row(Sql::FindResult, find.with(cleaned.task.value));
  const auto sequence = find.integer(0);
  const auto bytes = find.number<std::uint64_t>(1);
  const bool has_attempts = find.integer(2) != 0;
  drop_file(find, 3);
  find.reset();
  if (!found) return;  // trimmed meanwhile
  run_one(Sql::DropResult, sequence);
  if (has_attempts) run(Sql::DropAttempts, cleaned.task.value);
  state_.figures.result_bytes -= bytes;
  --state_.figures.results;
}

template <class End>
void StoreWriter::add_attempt(const End& record, const AttemptRow& row) {
  const auto task = record.task.value;
  run(Sql::AddAttempt, task, row.position, std::uint32_t{record.round},
      std::uint32_t{record.attempt}, static_cast<std::uint32_t>(record.cause),
      static_cast<std::uint32_t>(record.charge), record.code, row.slot, record.worker.value,
      row.started_at.ns, record.at.ns, row.error, row.output, row.autopsy);
  if (row.position == 0) return;
  if (!row.error.empty()) run(Sql::CutErrors, task, row.position, std::uint64_t{kErrorKeptMax});
  run(Sql::CutOutputs, task, std::uint64_t{kOutputsKept});
  if (!row.autopsy.empty()) run(Sql::CutAutopsies, task, std::uint64_t{kAutopsiesKept});
  if (row.drops) run(Sql::DropAttempt, task, row.dropped);
}

void StoreWriter::drop_task(TaskId task) {
  run_one(Sql::DropTask, task.value);
  run(Sql::DropProgress, task.value);
  name_payload(task, {});
}

// Another file, or none, than the one that its row has named so far.
void StoreWriter::name_payload(TaskId task, BodyFile file) {
  BodyFile before;
  const auto changed = std::find_if(named_.rbegin(), named_.rend(),
                                    [&](const NamedFile& each) { return each.first == task; });
  if (changed != named_.rend()) {
    before = changed->second;
  } else if (const auto* kept = payload_files_.find(task.value)) {
    before = BodyFile{*kept};
  }
  if (before) dropped_.push_back(before);
  if (before || file) named_.emplace_back(task, file);
}

void StoreWriter::drop_file(const Statement& row, int column) {
  const BodyFile file{row.number<std::uint64_t>(column)};
  if (file) dropped_.push_back(file);
}

void StoreWriter::write_state(const GroupEnd& end) {
  const auto& settled = state_.figures.settled;
  run_one(Sql::State, end.through.value, end.now.ns, end.wall.ns, settled[0], settled[1],
          settled[2], settled[3], settled[4], end.journal);
}

bool StoreWriter::trim_due(Instant now) const {
  const auto& figures = kept_.figures;
  const bool results =
      figures.results > bounds_.results_max || figures.result_bytes > bounds_.results_bytes_max;
  return (figures.results != 0 && (results || results_due_ <= now)) ||
         (figures.keys != 0 && (figures.keys > bounds_.keys_max || keys_due_ <= now));
}

// The oldest go by a range of their sequence, some at a time.
void StoreWriter::trim_results(Instant now) {
  auto& figures = state_.figures;
  const auto over = [&] {
    return figures.results > bounds_.results_max ||
           figures.result_bytes > bounds_.results_bytes_max;
  };
  if (!fault_ || figures.results == 0 || (!over() && results_due_ > now)) return;
  auto& oldest = statements_[static_cast<std::size_t>(Sql::OldestResults)];
  oldest.with(trimmed_at_once(kept_.figures.results, figures.results));
  std::int64_t last = 0;
  results_due_ = now + kTrimPause;
  while (has_row(Sql::OldestResults, oldest)) {
    const Instant due = Instant{oldest.integer(2)} + bounds_.results_age_max;
    results_due_ = std::max(due, now);
    if (!over() && due > now) break;
    last = oldest.integer(0);
    --figures.results;
    figures.result_bytes -= oldest.number<std::uint64_t>(1);
    drop_file(oldest, 5);
    if (oldest.integer(3) != 0) run(Sql::DropAttempts, oldest.integer(4));
  }
  oldest.reset();
  if (last != 0) run(Sql::TrimResults, last);
}

void StoreWriter::trim_keys(Instant now) {
  auto& figures = state_.figures;
  const auto over = [&] { return figures.keys > bounds_.keys_max; };
  if (!fault_ || figures.keys == 0 || (!over() && keys_due_ > now)) return;
  auto& oldest = statements_[static_cast<std::size_t>(Sql::OldestKeys)];
  oldest.with(trimmed_at_once(kept_.figures.keys, figures.keys));
  std::int64_t last = 0;
  keys_due_ = now + kTrimPause;
  while (has_row(Sql::OldestKeys, oldest)) {
    const Instant due = Instant{oldest.integer(1)} + bounds_.keys_age_max;
    keys_due_ = std::max(due, now);
    if (!over() && due > now) break;
    last = oldest.integer(0);
    --figures.keys;
  }
  oldest.reset();
  if (last != 0) run(Sql::TrimKeys, last);
}

}  // namespace warmpool::daemon
