// One fits payloads of exactly its size: it can be cut no shorter while somebody has it mapped, and
// who is given more than the payload would have to be told, and kept from, what else is in it.
#include "client/arenas.hpp"

#include <algorithm>

namespace warmpool::client {

using std::chrono::steady_clock;

struct Arenas::Held {
  ipc::Arena arena;
  std::shared_ptr<Tally> tally;

  Held(ipc::Arena made, std::shared_ptr<Tally> counted)
      : arena(std::move(made)), tally(std::move(counted)) {
    ++tally->count;
    tally->bytes += arena.bytes();
  }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  ~Held() {
    --tally->count;
    tally->bytes -= arena.bytes();
  }
};

const ipc::SharedFd& Arenas::Lease::fd() const { return held_->arena.fd(); }

Arenas::Arenas(std::uint64_t bytes_max, std::chrono::milliseconds idle_max)
    : bytes_max_(bytes_max), idle_max_(idle_max), tally_(std::make_shared<Tally>()) {}

Arenas::Lease Arenas::lend(ipc::Bytes bytes) {
  if (bytes_max_ == 0) return {};
  const auto fits = [&](const Idle& one) { return one.lease.held_->arena.bytes() == bytes.size(); };
  // The one that was used last: most of it may still be in the caches.
  const auto found = std::find_if(idle_.rbegin(), idle_.rend(), fits);
  if (found != idle_.rend()) {
    Lease lease = std::move(found->lease);
    idle_.erase(std::next(found).base());
    lease.held_->arena.fill(bytes);
    return lease;
  }
  if (!seen(bytes.size()) || !make_room(bytes.size())) return {};
  auto made = ipc::Arena::of(bytes);
  if (!made) return {};
  return Lease(std::make_shared<Held>(std::move(*made), tally_));
}

bool Arenas::seen(std::uint64_t bytes) {
  if (std::ranges::find(sizes_, bytes) != sizes_.end()) return true;
  sizes_[next_size_++ % sizes_.size()] = bytes;
  return false;
}

bool Arenas::make_room(std::uint64_t bytes) {
  const auto full = [&] {
    return tally_->count > 0 && (tally_->count >= kCountMax || tally_->bytes + bytes > bytes_max_);
  };
  while (full() && !idle_.empty()) idle_.erase(idle_.begin());
  return !full();
}

void Arenas::take_back(Lease lease) {
  if (lease) idle_.push_back({std::move(lease), steady_clock::now()});
}

void Arenas::forget_idle() {
  if (idle_.empty()) return;
  const auto now = steady_clock::now();
  std::erase_if(idle_, [&](const Idle& one) { return now - one.since >= idle_max_; });
}

ipc::Deadline Arenas::due() const {
  return idle_.empty() ? ipc::kNoDeadline : idle_.front().since + idle_max_;
}

}  // namespace warmpool::client
