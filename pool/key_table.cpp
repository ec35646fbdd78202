// 128 bits of hash name a key. The table is by the low half; the few that share it are chained.
#include "pool/key_table.hpp"

namespace warmpool {
namespace {

constexpr std::uint32_t kEnd = 0xffffffff;
std::uint64_t home(const IdempotencyKey& key) { return key.low | 1; }
bool same(const IdempotencyKey& a, const IdempotencyKey& b) {
  return a.high == b.high && a.low == b.low;
}

}  // namespace

std::optional<KeyTable::Owner> KeyTable::find(const IdempotencyKey& key) const {
  const std::uint32_t* first = index_.find(home(key));
  for (std::uint32_t at = first == nullptr ? kEnd : *first; at != kEnd; at = entries_[at].next) {
    const Entry& entry = entries_[at];
    if (same(entry.key, key)) return Owner{entry.task, entry.key.digest};
  }
  return std::nullopt;
}

void KeyTable::insert(const IdempotencyKey& key, TaskId task) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(entries_.size()));
    entries_.emplace_back();
  }
  const std::uint32_t at = free_.back();
  free_.pop_back();
  entries_[at] = Entry{key, task, kEnd};
  if (std::uint32_t* first = index_.find(home(key)); first != nullptr) {
    entries_[at].next = *first;
    *first = at;
  } else {
    index_.insert(home(key), at);
  }
}

void KeyTable::erase(const IdempotencyKey& key, TaskId task) {
  std::uint32_t* first = index_.find(home(key));
  std::uint32_t before = kEnd;
  for (std::uint32_t at = first == nullptr ? kEnd : *first; at != kEnd; at = entries_[at].next) {
    if (!same(entries_[at].key, key) || entries_[at].task != task) {
      before = at;
      continue;
    }
    if (before != kEnd) {
      entries_[before].next = entries_[at].next;
    } else if (entries_[at].next != kEnd) {
      *first = entries_[at].next;
    } else {
      index_.erase(home(key));
    }
    free_.push_back(at);
    return;
  }
}

void KeyTable::remember(const IdempotencyKey& key, TaskId task, Instant now, std::uint64_t most) {
  done_.push_back({now, key, task});
  while (done_.size() > most) {
    erase(done_.front().key, done_.front().task);
    done_.pop_front();
  }
}

void KeyTable::expire(Instant now, Duration age_max) {
  while (!done_.empty() && done_.front().at + age_max <= now) {
    erase(done_.front().key, done_.front().task);
    done_.pop_front();
  }
}

Instant KeyTable::next_expiry(Duration age_max) const {
  return done_.empty() ? kNever : done_.front().at + age_max;
}

}  // namespace warmpool
