// What a client asks for, as the core sees it: no text and no payload, only what decisions need.
#pragma once

#include <cstdint>
#include <optional>

#include "pool/ids.hpp"
#include "pool/time.hpp"
#include "pool/words.hpp"

namespace warmpool {

// Two submits with the same key are the same task, unless the digests differ.
struct IdempotencyKey {
  std::uint64_t high = 0, low = 0;  // hash of tenant and key text, drawn by the daemon
  std::uint64_t digest = 0;         // hash of type and payload
  KeyUse use = KeyUse::Lasting;
  friend constexpr auto operator<=>(const IdempotencyKey&, const IdempotencyKey&) = default;
};

// Bounds: checked by whoever makes one (ipc/ and daemon/): priority <= 100, times within
// 0..kDurationMax, retries and crashes_max <= 1000.
struct TaskSpec {
  TypeId type{};
  TenantId tenant{};
  std::uint8_t priority = 10;
  Durability durability = Durability::Full;
  bool cancel_on_disconnect = false;
  std::uint16_t retries = 3;
  std::uint16_t crashes_max = 3;
  std::uint32_t payload_bytes = 0;
  Duration timeout = seconds(300);  // of each run
  Duration deadline{};              // of the whole, from acceptance; 0: none
  Duration expiry{};                // of waiting in each round; 0: none
  Duration delay{};                 // before the first run
  WallTime run_at{};                // 0: none; else instead of delay
  std::optional<IdempotencyKey> key{};
};

}  // namespace warmpool
