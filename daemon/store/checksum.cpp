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

}  // namespace warmpool::daemon
