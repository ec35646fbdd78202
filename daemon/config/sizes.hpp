// What holds between options, and the sizes that follow from one another.
#pragma once

#include <string>
#include <vector>

#include "daemon/config/configuration.hpp"

namespace warmpool::daemon {

// A size that somebody gave moves a minimum or maximum that nobody gave, and the other way round.
// Each move is an origin "adjusted" and a note.
void fit_sizes(Sourced<ClassOptions>& worker_class, std::vector<std::string>& notes);

// Errors: appended, with the origins of the options that they name.
void check_classes(const Configuration& configuration, Problems& problems);
void check_pool(const Configuration& configuration, Problems& problems);
void check_types(const Configuration& configuration, Problems& problems);

}  // namespace warmpool::daemon
