// 64 bits: this guards against disks and not against people.
#include "daemon/store/checksum.hpp"

#include <xxhash.h>

namespace warmpool::daemon {

std::uint64_t checksum_of(TaskId task, ipc::Bytes bytes) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), task.value);
}

std::uint64_t checksum_of_descriptor(ipc::Bytes bytes) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), kDescriptorSeed);
}

bool is_whole(TaskId task, ipc::Bytes bytes, std::uint64_t checksum) {
  return checksum_of(task, bytes) == checksum || checksum_of_descriptor(bytes) == checksum;
}

bool is_unread(TaskId task, std::uint64_t bytes, std::optional<std::uint64_t> checksum) {
  return bytes > 0 && checksum == checksum_of(task, {});
}

}  // namespace warmpool::daemon
