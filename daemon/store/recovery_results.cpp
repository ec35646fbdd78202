// Results come last: their keys may be those of tasks that wait, and these are known by then.
#include <limits>

#include "daemon/store/recovery.hpp"
#include "daemon/store/row_texts.hpp"
#include "daemon/store/schema.hpp"

namespace warmpool::daemon {

Result<void> Recovery::read_results() {
  auto query = database_.prepare(
      "SELECT task, type, tenant, uid, durability, keep_result, accepted_at, payload_bytes, key, "
      "labels, round, attempt, verdict, cause, failures, crashes, interruptions, started_at, "
      "settled_at, slot, attempts, content, checksum, key_high, key_low, key_digest, key_use, "
      "body, "
      "bytes, file FROM results ORDER BY sequence");
  if (!query) return store_error(query.error());
  const FileRow row(*query, "results", limits_);
  auto step = Step::Done;
  while (next(*query, step)) {
    if (auto restored = restore_result(row); !restored) return restored;
    image_.keep_bounds();  // bounds may be less than what is there
  }
  return end_of(*query, step);
}

// The image alone gets results: the core forgets what has settled.
Result<void> Recovery::restore_result(const FileRow& row) {
  const auto task = row.task(0);
  std::string fault;
  auto body = body_of(
      row, {27, 29, 22}, task,
      static_cast<std::uint64_t>(row.within(28, 0, std::numeric_limits<std::uint32_t>::max())),
      fault);
  if (trouble_) return *trouble_;
  // A second row of a task, or one of a task that waits: which of them is true is not known.
  if (image_.row(task) != nullptr) row.refuse(0);
  if (!fault.empty()) {
    figures_.damaged.push_back(task);
    return {};
  }
  TaskSpec spec;
  spec.type = type_of(row, 1);
  spec.tenant = tenant_of(row, 2);
  spec.durability = row.word<Durability>(4);
  spec.payload_bytes = row.number<std::uint32_t>(7);
  Attachment attachment;
  attachment.uid = row.number<std::uint32_t>(3);
  attachment.keep_result = row.flag(5);
  add_texts(row.text(8), row.text(9), attachment);
  const auto at = row.past(6);
  auto settled = settled_of(row);
  const auto slot = slot_of(row, 19);
  const auto started_at = row.past(17);
  const auto content = row.word<Content>(21);
  // Read before anything is made of it: a dead letter is no result.
  if (settled.verdict == Verdict::Dead) row.refuse(12);
  if (limits_.refused()) return {};
  image_.apply(record::Accepted{task, spec, at, at}, attachment);
  Attachment last;
  if (row.within(20, 0, std::numeric_limits<std::uint32_t>::max()) != 0) {
    if (auto restored = restore_history(settled, last); !restored) return restored;
  }
  if (settled.verdict == Verdict::Done) {
    last.content = content;
    last.body = std::move(body);
  }
  Attachment none;
  image_.apply(
      record::Started{task, settled.round, settled.attempt, settled.worker, slot, started_at},
      none);
  image_.apply(settled, last);
  if (row.is_null(22)) image_.received(task);
  ++figures_.results;
  const auto key = key_at(row, 23);
  const bool reconnects = key && key->use == KeyUse::Reconnect;
  if (reconnects && settled.cause != EndCause::Dropped && settled.at >= reconnect_from_) {
    remember_key(task, *key, settled.verdict, settled.at);
  }
  return {};
}

record::Settled Recovery::settled_of(const FileRow& row) {
  return {
      row.task(0),
      row.number<std::uint16_t>(10, 1),
      row.number<std::uint16_t>(11),
      WorkerId{},
      row.word<Verdict>(12),
      row.word<EndCause>(13),
      Charge::Nothing,
      0,
      {row.number<std::uint16_t>(14), row.number<std::uint16_t>(15), row.number<std::uint16_t>(16)},
      row.past(18)};
}

// All but the last, which the verdict itself brings.
Result<void> Recovery::restore_history(record::Settled& settled, Attachment& last) {
  std::vector<HistoryRow> history;
  if (auto read = read_history(settled.task, settled.round, history); !read) return read;
  if (history.empty()) return {};
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
  return {};
}

}  // namespace warmpool::daemon
