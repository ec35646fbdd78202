// From records to what the tables get of them.
#pragma once

#include "daemon/store/change.hpp"
#include "daemon/store/name_numbers.hpp"
#include "daemon/store/store.hpp"
#include "daemon/store/task_image.hpp"

namespace warmpool::daemon {

// Order: before() and after() around the image's apply() of each record.
class ChangeMaker {
 public:
  // Owns: neither; `names` is set before the first record.
  explicit ChangeMaker(const TaskImage& image) : image_(image) {}
  void set_names(const StoreNames& names) { names_ = &names; }
  NameNumbers& numbers(NameKind kind) { return numbers_[static_cast<std::size_t>(kind)]; }

  // What the image will take out of the entry.
  void before(const StoreEntry& entry);
  // Adds to `batch` what became of it. Order: only where the image has changed.
  void after(const StoreEntry& entry, ChangeBatch& batch);

 private:
  void make(const record::Accepted& record, ChangeBatch& batch);
  void make(const record::Started& record, ChangeBatch& batch);
  void make(const record::Ended& record, ChangeBatch& batch);
  void make(const record::Settled& record, ChangeBatch& batch);
  void make(const record::Revived& record, ChangeBatch& batch);
  void make(const record::Released& record, ChangeBatch& batch);
  void make(const record::Removed& record, ChangeBatch& batch);
  void make(const record::Paused& record, ChangeBatch& batch);
  void make(const record::Kept& record, ChangeBatch& batch);
  void make(const record::Checkpointed& record, ChangeBatch& batch);
  void make_finished(const record::Settled& record, const TaskRow& row,
                     std::unique_ptr<AttemptRow> attempt, ChangeBatch& batch);

  template <class Kind>
  void pass_on(const Kind& record, ChangeBatch& batch);
  void drop_checkpoint(TaskId task, ChangeBatch& batch) const;
  // Null: nothing of this task is on disk.
  const TaskRow* kept_row(TaskId task) const;
  std::unique_ptr<AttemptRow> attempt_of(const TaskRow& row, ChangeBatch& batch);
  void demand(Durability durability, ChangeBatch& batch) const;
  template <class Id>
  std::uint32_t number_of(NameKind kind, Id id, ChangeBatch& batch);

  const TaskImage& image_;
  const StoreNames* names_ = nullptr;
  std::array<NameNumbers, 3> numbers_{NameNumbers(NameKind::Type), NameNumbers(NameKind::Tenant),
                                      NameNumbers(NameKind::Slot)};
  // Of the entry between before() and after().
  Blob body_;
  BodyFile file_;
  std::unique_ptr<KeyText> texts_;
  std::uint32_t history_before_ = 0, dropped_before_ = 0;
  Durability durability_{};
  bool has_checkpoint_ = false;  // its task had one
};

}  // namespace warmpool::daemon
