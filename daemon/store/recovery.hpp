// What the tables hold, as records: the image takes them, and the core replays them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/store/change_maker.hpp"
#include "daemon/store/file_row.hpp"

namespace warmpool::daemon {

struct RecoveryFigures {
  std::uint64_t live = 0, dead = 0, results = 0, keys = 0;
  std::vector<TaskId> damaged;  // whose payload or result is not what was stored
  std::vector<BodyFile> files;  // that rows name
  std::uint64_t buried = 0;     // of them those that become dead letters by that
};

// Order: once, before the connection goes to the store thread. Blocks: until all is read; about
// 2 us a task. Errors: Error::code is the ExitStatus; StoreDamaged where a row cannot be true.
// Nothing is written in any case.
class Recovery {
 public:
  // Keys that only serve to reconnect are remembered of what settled since `reconnect_from`.
  // `bodies`: the directory of what has a file.
  Recovery(Database& database, TaskImage& image, ChangeMaker& maker, StoreNames& names,
           const Store::Replay& replay, Instant reconnect_from, const RowLimits& limits,
           std::string bodies)
      : database_(database),
        image_(image),
        maker_(maker),
        names_(names),
        replay_(replay),
        reconnect_from_(reconnect_from),
        limits_(limits),
        bodies_(std::move(bodies)) {}

  Result<RecoveryFigures> run();
  // What must be written because of what was found: damaged tasks become dead letters.
  ChangeBatch take_repairs() { return std::move(repairs_); }

 private:
  struct Progress {
    std::uint16_t round = 1, attempt = 0, ended = 0;
    record::Used used;
    EndCause cause{};
    std::optional<Instant> eligible_at, dead_at;
    Instant round_at, started_at;
    bool held = false, suspect = false;
    SlotId slot;
    WorkerId worker;
    ClassId bound = kNoClass;
  };
  struct HistoryRow {
    record::Ended end;  // what the table holds of it
    SlotId slot;
    Instant started_at;
    std::uint32_t position = 0;
    Attachment attachment;
  };

  Result<void> read_names();
  Result<void> read_names(NameKind kind, std::string_view sql);
  Result<void> read_keys();
  Result<void> read_tasks();
  Result<void> read_checkpoints();
  Result<void> read_results();
  Result<void> read_pauses();
  bool next(Statement& query, Step& step) const;
  Result<void> end_of(Statement& query, Step step) const;

  record::Accepted accepted_of(const FileRow& row, Attachment& attachment);
  Progress progress_of(const FileRow& row);
  Result<void> restore(const record::Accepted& accepted, Attachment& attachment,
                       const std::optional<Progress>& progress, std::string_view fault);
  Result<void> restore_rounds(const record::Accepted& accepted, const Progress& progress);
  void restore_end(HistoryRow& row, const Progress& progress);
  void bury_damaged(const record::Accepted& accepted, const Progress& progress,
                    std::string_view fault);
  // The body of `task` of so many bytes, from its row or the file that the row names. `fault`: why
  // it is not what was stored.
  struct Columns {
    int body, file, checksum;
  };
  Blob body_of(const FileRow& row, Columns columns, TaskId task, std::uint64_t bytes,
               std::string& fault);
  // Errors: as read_body(); with code 0 also where it is not what was stored.
  Result<Blob> body_in(BodyFile file, TaskId task, std::uint64_t bytes,
                       std::optional<std::uint64_t> checksum);
  Result<void> restore_result(const FileRow& row);
  record::Settled settled_of(const FileRow& row);
  Result<void> restore_history(record::Settled& settled, Attachment& last);
  Result<void> read_history(TaskId task, std::uint16_t round, std::vector<HistoryRow>& rows);
  void remember_key(TaskId task, const IdempotencyKey& key, Verdict verdict, Instant at);
  // To the image and to the core.
  void tell(const Record& record, Attachment& attachment);
  void tell(const Record& record);

  TypeId type_of(const FileRow& row, int column);
  TenantId tenant_of(const FileRow& row, int column);
  SlotId slot_of(const FileRow& row, int column);

  Database& database_;
  TaskImage& image_;
  ChangeMaker& maker_;
  StoreNames& names_;
  const Store::Replay& replay_;
  Instant reconnect_from_;
  RowLimits limits_;
  std::string bodies_;
  std::optional<Error> trouble_;  // why a body cannot be looked at now, which is no damage
  Statement history_;
  std::vector<std::optional<TypeId>> types_;  // by number in the store
  std::vector<std::optional<TenantId>> tenants_;
  std::vector<std::optional<SlotId>> slots_;
  RecoveryFigures figures_;
  ChangeBatch repairs_;
};

}  // namespace warmpool::daemon
