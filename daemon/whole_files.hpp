// What is written to files whole, and stays after a power cut; and what is read whole.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "ipc/bytes.hpp"
#include "pool/result.hpp"

namespace warmpool::daemon {

// Blocks: until the kernel has taken all of it. False: errno says why.
bool write_all(int fd, ipc::Bytes bytes);
// Fills `room` with what is there from `at` on. False: errno says why; EIO: there is less.
bool read_all_at(int fd, std::span<char> room, std::uint64_t at);
// Names that were made or changed in it are on the disk then. Blocks: as long as the disk does.
Result<void> sync_directory(const std::string& directory);
// Of the file at `path`.
Result<void> sync_parent(const std::string& path);

}  // namespace warmpool::daemon
