// Secrets from the kernel.
#pragma once

#include <cstdint>

namespace warmpool::daemon {

// Blocks: only before the kernel's generator was first seeded, at boot. REQUIREs that it works:
// without secrets no result could be trusted.
std::uint64_t random_u64();

}  // namespace warmpool::daemon
