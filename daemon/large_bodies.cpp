// The check needs no look at the bytes: sealed as it is, what was true of it when it came stays
// true. Of an arena the bytes may change, which its sender answers for, and never the size: who
// maps it is not ended by that.
#include "daemon/large_bodies.hpp"

#include "daemon/refusals.hpp"
#include "ipc/arena.hpp"
#include "ipc/large_body.hpp"
#include "pool/refusal.hpp"

namespace warmpool::daemon {

struct LargeBodies::Held {
  ipc::UniqueFd fd;
  std::uint64_t bytes;
  std::shared_ptr<Tally> tally;

  Held(ipc::UniqueFd came, std::uint64_t said, std::shared_ptr<Tally> counted)
      : fd(std::move(came)), bytes(said), tally(std::move(counted)) {
    tally->held.fetch_add(1, std::memory_order_relaxed);
    tally->bytes.fetch_add(bytes, std::memory_order_relaxed);
  }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  ~Held() {
    tally->held.fetch_sub(1, std::memory_order_relaxed);
    tally->bytes.fetch_sub(bytes, std::memory_order_relaxed);
  }
};

LargeBodies::LargeBodies() : tally_(std::make_shared<Tally>()) {}

namespace {

std::uint64_t room_of(LargeBodies::Use use, std::uint64_t all) {
  return use == LargeBodies::Use::Payload ? all - all / 4 : all;
}

Result<void> check_form(int fd, std::uint64_t bytes, LargeBodies::Form form) {
  const bool arena = form == LargeBodies::Form::SealedOrArena && ipc::is_arena(fd);
  return arena ? ipc::check_arena(fd, bytes) : ipc::check_sealed(fd, bytes);
}

}  // namespace

Result<Blob> LargeBodies::take(ipc::UniqueFd fd, std::uint64_t bytes, std::uint64_t most, Use use,
                               Form form, const Options& options) {
  if (bytes > most) {
    return refused(Refusal::PayloadTooLarge,
                   "it has " + std::to_string(bytes) + " bytes, at most " + std::to_string(most) +
                       " are taken by descriptor (large_bytes_max, of results also "
                       "results_bytes_max); send a path instead, or raise it");
  }
  if (!fd) {
    return refused(Refusal::LargeFull,
                   "the daemon has as many open files as it may; try again later, or raise its "
                   "limit (LimitNOFILE=, ulimit -n)");
  }
  if (auto sound = check_form(fd.get(), bytes, form); !sound) {
    return refused(Refusal::BadDescriptor,
                   "what came beside the frame is not what it must be: " + sound.error().text);
  }
  // One that is larger than the part of payloads, and alone, would never be taken.
  const auto bytes_max =
      held() == 0 ? options.large_bytes_total_max : room_of(use, options.large_bytes_total_max);
  const bool full =
      held() >= room_of(use, options.large_held_max) || this->bytes() + bytes > bytes_max;
  if (full) {
    return refused(
        Refusal::LargeFull,
        "as much as may be is held by descriptor: " + std::to_string(held()) + " bodies of " +
            std::to_string(this->bytes()) +
            " bytes (large_held_max, large_bytes_total_max; a quarter of each is kept for "
            "results); try again later");
  }
  return hold(std::move(fd), bytes);
}

Blob LargeBodies::hold(ipc::UniqueFd fd, std::uint64_t bytes) {
  auto kept = std::make_shared<const Held>(std::move(fd), bytes, tally_);
  return Blob(ipc::SharedFd(kept, &kept->fd), bytes);
}

}  // namespace warmpool::daemon
