// Whose a directory is.
#pragma once

#include <optional>
#include <string>

#include "pool/ids.hpp"

namespace warmpool::daemon {

// A place's, or an attempt's on it.
struct DirectoryOwner {
  ClassId worker_class;
  std::string slot;  // name of the place
  std::optional<AttemptKey> attempt{};
  std::string type{};  // of the attempt
};

}  // namespace warmpool::daemon
