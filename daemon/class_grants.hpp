// What a class asks for its workers that the machine has to grant: a user, limits, a share. Found
// out at the start, so that a class which cannot work is refused there and not at each spawn.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/config/configuration.hpp"
#include "daemon/exit_status.hpp"
#include "daemon/process/process_port.hpp"

namespace warmpool::daemon {

// What cannot be granted; `problem` names the place of the option.
struct GrantFault {
  ExitStatus status{};
  Problem problem;
};

// Whom the workers of each class run as, appended to `identities`; none: the daemon's own user.
// Blocks: on the machine's user database.
std::optional<GrantFault> find_identities(const Configuration& configuration,
                                          std::vector<std::optional<Identity>>& identities);

// Nice values and limits that only root may give, CPUs that the machine does not have.
std::optional<GrantFault> resource_fault(const Configuration& configuration);

// A line for each class whose workers are of a user whose processes this one may not look into:
// their marks cannot be seen.
std::vector<std::string> hidden_workers(const Configuration& configuration,
                                        const std::vector<std::optional<Identity>>& identities);
// The users of those.
std::vector<uid_t> hidden_users(const std::vector<std::optional<Identity>>& identities);

// Mask, nice value, CPUs and limits of the class.
void set_resources(const ClassOptions& options, SpawnSpec& spec);

}  // namespace warmpool::daemon
