// What the daemon keeps of workers that people start themselves, beside what it keeps of all.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "daemon/attempt_file.hpp"
#include "daemon/worker_process.hpp"

namespace warmpool::daemon {

struct Strangers {
  std::map<std::uint64_t, Registration> asked{};  // that have no answer yet, by RegistrationId
  std::uint64_t last_asked = 0;
  // Where the attempts that they hold are written down; null: nowhere. Order: outlives this.
  AttemptFile* attempts = nullptr;
  std::string attempt_trouble{};  // why that is not so at the moment; empty: it is
  // Classes that were paused before and are not here: they come paused.
  std::set<std::string, std::less<>> paused_absent{};
};

}  // namespace warmpool::daemon
