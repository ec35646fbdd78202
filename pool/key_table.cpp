// 128 bits of hash name a key. The table is by the low half; the few that share it are chained.
// Remembered keys stand in a list for each use, oldest first, so that expiry looks at the front
// only and a key that its client needs no more leaves from the middle at once.
#include "pool/key_table.hpp"

#include <algorithm>

namespace warmpool {
namespace {

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
  if (locate(key, task) != kEnd) return;  // a record that is replayed twice
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(entries_.size()));
    entries_.emplace_back();
  }
  const std::uint32_t at = free_.back();
  free_.pop_back();
  entries_[at] = Entry{.key = key, .task = task, .at = {}};
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
    unlink(at);
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

std::uint32_t KeyTable::locate(const IdempotencyKey& key, TaskId task) const {
  const std::uint32_t* first = index_.find(home(key));
  std::uint32_t at = first == nullptr ? kEnd : *first;
  while (at != kEnd && !(same(entries_[at].key, key) && entries_[at].task == task)) {
    at = entries_[at].next;
  }
  return at;
}

void KeyTable::remember(const IdempotencyKey& key, TaskId task, Instant now, std::uint64_t most) {
  const std::uint32_t at = locate(key, task);
  if (at == kEnd || entries_[at].remembered) return;
  Entry& entry = entries_[at];
  List& list = list_of(entry);
  entry.remembered = true;
  entry.at = now;
  entry.older = list.newest;
  (list.newest == kEnd ? list.oldest : entries_[list.newest].newer) = at;
  list.newest = at;
  ++list.count;
  if (entry.key.use == KeyUse::Reconnect) reconnect_.insert(task.value, at);
  while (list.count > most) forget(list.oldest);
}

void KeyTable::unlink(std::uint32_t at) {
  Entry& entry = entries_[at];
  if (!entry.remembered) return;
  List& list = list_of(entry);
  (entry.older == kEnd ? list.oldest : entries_[entry.older].newer) = entry.newer;
  (entry.newer == kEnd ? list.newest : entries_[entry.newer].older) = entry.older;
  --list.count;
  entry.remembered = false;
  if (entry.key.use == KeyUse::Reconnect) reconnect_.erase(entry.task.value);
}

void KeyTable::received(TaskId task) {
  const std::uint32_t* at = task ? reconnect_.find(task.value) : nullptr;
  if (at != nullptr) forget(*at);
}

void KeyTable::expire(List& list, Instant now, Duration age_max) {
  while (list.oldest != kEnd && entries_[list.oldest].at + age_max <= now) forget(list.oldest);
}

void KeyTable::expire(Instant now, const KeyAges& ages) {
  expire(lists_[static_cast<std::size_t>(KeyUse::Lasting)], now, ages.lasting);
  expire(lists_[static_cast<std::size_t>(KeyUse::Reconnect)], now, ages.reconnect);
}

Instant KeyTable::next_expiry(const KeyAges& ages) const {
  const auto next = [this](KeyUse use, Duration age_max) {
    const std::uint32_t oldest = lists_[static_cast<std::size_t>(use)].oldest;
    return oldest == kEnd ? kNever : entries_[oldest].at + age_max;
  };
  return std::min(next(KeyUse::Lasting, ages.lasting), next(KeyUse::Reconnect, ages.reconnect));
}

void KeyTable::renew(Instant now) {
  const List& list = lists_[static_cast<std::size_t>(KeyUse::Reconnect)];
  for (std::uint32_t at = list.oldest; at != kEnd; at = entries_[at].newer) entries_[at].at = now;
}

}  // namespace warmpool
