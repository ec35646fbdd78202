// Which states of the pool are alerts at the moment.
#pragma once

#include <vector>

#include "daemon/alerts/alert_book.hpp"
#include "daemon/alerts/surroundings.hpp"
#include "daemon/services.hpp"
#include "daemon/workers.hpp"

namespace warmpool::daemon {

// Bytes of the file system that holds `path`. Blocks: as statvfs(3) does. None: it cannot be told.
struct DiskSpace {
  std::uint64_t bytes = 0, bytes_free = 0;  // free to this user
};
std::optional<DiskSpace> disk_space(const std::string& path);

// `disk`: of the store; none: it has none.
std::vector<Sighting> alert_states(const Services& services, const Workers& workers,
                                   const Surroundings& now, const std::optional<DiskSpace>& disk);

}  // namespace warmpool::daemon
