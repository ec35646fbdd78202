// What tells a damaged payload or result from the one that was stored.
#pragma once

#include <cstdint>
#include <optional>

#include "ipc/bytes.hpp"
#include "pool/ids.hpp"

namespace warmpool::daemon {

// XXH3, seeded with the task, so that another task's bytes do not pass either.
std::uint64_t checksum_of(TaskId task, ipc::Bytes bytes);

// Of what came by descriptor, which is written before it is known whose it is: XXH3 with this seed.
inline constexpr std::uint64_t kDescriptorSeed = 0x6c6c61206b656570;
std::uint64_t checksum_of_descriptor(ipc::Bytes bytes);

// Of either: a backup has what came by descriptor in its row.
bool is_whole(TaskId task, ipc::Bytes bytes, std::uint64_t checksum);
// Earlier versions did not read what came by descriptor: theirs is the checksum of nothing.
bool is_unread(TaskId task, std::uint64_t bytes, std::optional<std::uint64_t> checksum);

}  // namespace warmpool::daemon
