// All that one turn asks to keep goes in one batch: that is the group commit.
#include "daemon/keeper.hpp"

namespace warmpool::daemon {
namespace {

// So many records of a turn, or bytes of bodies, the store may begin with while the rest is carried
// out. Fewer would be synced apart from the rest.
constexpr std::size_t kHandedOver = 256, kBytesHandedOver = 1U << 20;

}  // namespace

void Keeper::carry(command::Persist& command) {
  if (const auto* settled = std::get_if<record::Settled>(&command.record)) {
    services_.settling.begin(settled->task);
  }
  // The next attempt may be given in this very turn, and is given what the store has.
  const bool read_next = std::holds_alternative<record::Checkpointed>(command.record);
  auto attachment = services_.engine.detach(command.number);
  if (!attachment.file) bytes_ += attachment.body.size();
  batch_.push_back({command.number, command.record, std::move(attachment)});
  if (read_next || batch_.size() >= kHandedOver || bytes_ >= kBytesHandedOver) hand_over();
}

void Keeper::catch_up() {
  services_.engine.take_records(records_);
  for (auto& record : records_) carry(record);
  if (!batch_.empty()) hand_over();
}

void Keeper::hand_over() {
  services_.store.apply(batch_);
  bytes_ = 0;
}

bool Keeper::commit() {
  hand_over();
  auto answers = services_.store.take_answers();
  if (answers.broken) broken_ = std::move(answers.broken);
  if (answers.slower) tell_slower(*answers.slower);
  if (answers.accepting) tell(*answers.accepting);
  if (answers.persisted) services_.engine.step(event::Persisted{*answers.persisted});
  if (answers.accepting) {
    services_.engine.step(event::StoreState{*answers.accepting, answers.undone});
  }
  if (answers.backup) on_backup_(*answers.backup);
  for (const auto& ended : answers.bodies) end_body(ended);
  return answers.accepting.has_value() || answers.persisted.has_value() || !answers.bodies.empty();
}

// Without a file it goes into its row, where a disk that refuses is waited for.
void Keeper::end_body(const BodyEnded& ended) {
  if (!ended.fault.empty()) services_.log.warn("a large body has no file: " + ended.fault);
  on_body_(ended);
}

void Keeper::tell_slower(const std::string& why) {
  if (why.empty()) return services_.log.info("the journal of the store is used again");
  services_.log.warn("the journal of the store is not used, so that accepting takes longer: " +
                     why);
}

void Keeper::tell(bool accepting) {
  if (accepting) return services_.log.info("the store takes new work again");
  services_.log.error("the store takes nothing new: " + services_.store.figures().trouble +
                      "; what was accepted goes on, and the store is tried again by itself");
}

}  // namespace warmpool::daemon
