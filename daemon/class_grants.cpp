// Limits are rows: name of the option, its member, the kernel's number. One that is given holds as
// hard limit too, so that a worker cannot raise it again; one that is not keeps what the port sets.
#include "daemon/class_grants.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/process/process_tree.hpp"

namespace warmpool::daemon {
namespace {

struct LimitRow {
  std::string_view name;
  int resource;
  std::optional<std::uint64_t> ClassOptions::*field;
};

constexpr std::array<LimitRow, 4> kLimitRows{{
    {"open_files", RLIMIT_NOFILE, &ClassOptions::open_files},
    {"processes", RLIMIT_NPROC, &ClassOptions::processes},
    {"address_space", RLIMIT_AS, &ClassOptions::address_space},
    {"core_size", RLIMIT_CORE, &ClassOptions::core_size},
}};

constexpr std::int64_t kSecond = 1'000'000'000;

rlim_t limit_of(std::uint64_t value) { return value == kUnlimited ? RLIM_INFINITY : value; }
rlim_t limit_of(Duration time) {
  if (time == kDurationMax) return RLIM_INFINITY;
  return static_cast<rlim_t>((time.ns + kSecond - 1) / kSecond);
}

// All that the class says, by the kernel's number; the option's name beside it.
struct Wanted {
  std::string_view name;
  int resource;
  rlim_t value;
};

std::vector<Wanted> wanted_limits(const ClassOptions& options) {
  std::vector<Wanted> wanted;
  for (const auto& row : kLimitRows) {
    if (const auto& value = options.*row.field) {
      wanted.push_back({row.name, row.resource, limit_of(*value)});
    }
  }
  if (options.cpu_time) wanted.push_back({"cpu_time", RLIMIT_CPU, limit_of(*options.cpu_time)});
  return wanted;
}

GrantFault fault(const Sourced<ClassOptions>& worker_class, std::string_view option,
                 ExitStatus status, std::string_view text) {
  const auto at = worker_class.origins.find(option);
  return {status,
          {at == worker_class.origins.end() ? Origin{} : at->second,
           "class '" + worker_class.values.name + "': " + std::string(text)}};
}

std::optional<GrantFault> nice_fault(const Sourced<ClassOptions>& worker_class) {
  const auto& nice = worker_class.values.nice;
  const int own = ::getpriority(PRIO_PROCESS, 0);
  rlimit limit{};
  ::getrlimit(RLIMIT_NICE, &limit);
  // Source: getrlimit(2): the ceiling of the nice value is 20 - rlim_cur.
  const auto lowest = std::min<std::int64_t>(
      own, 20 - static_cast<std::int64_t>(std::min<rlim_t>(limit.rlim_cur, 40)));
  if (!nice || *nice >= lowest || ::geteuid() == 0) return std::nullopt;
  return fault(worker_class, "nice", ExitStatus::NotPermitted,
               "nice = " + std::to_string(*nice) + " is below the daemon's own " +
                   std::to_string(own) +
                   ", which only root may give; raise it, start warmpoold "
                   "as root, or raise LimitNICE=");
}

std::optional<GrantFault> limit_fault(const Sourced<ClassOptions>& worker_class) {
  for (const auto& wanted : wanted_limits(worker_class.values)) {
    rlimit own{};
    ::getrlimit(static_cast<__rlimit_resource>(wanted.resource), &own);
    if (wanted.value <= own.rlim_max || ::geteuid() == 0) continue;
    const std::string name(wanted.name);
    return fault(worker_class, wanted.name, ExitStatus::NotPermitted,
                 name + " is above what the daemon itself may have (" +
                     std::to_string(own.rlim_max) + "), and only root may raise that; lower " +
                     name + ", or raise the hard limit of warmpoold (ulimit -H)");
  }
  return std::nullopt;
}

std::optional<GrantFault> cpus_fault(const Sourced<ClassOptions>& worker_class) {
  const auto& text = worker_class.values.cpus;
  if (text.empty()) return std::nullopt;
  const auto cpus = parse_cpus(text);
  const auto there = ::sysconf(_SC_NPROCESSORS_CONF);
  if (!cpus || cpus->back() < there) return std::nullopt;
  return fault(
      worker_class, "cpus", ExitStatus::Configuration,
      "cpus = '" + text + "': this machine has the CPUs 0 to " + std::to_string(there - 1));
}

ExitStatus identity_status(int error) {
  if (error == ENOENT) return ExitStatus::Configuration;
  return error == EPERM ? ExitStatus::NotPermitted : ExitStatus::System;
}

}  // namespace

std::optional<GrantFault> find_identities(const Configuration& configuration,
                                          std::vector<std::optional<Identity>>& identities) {
  for (const auto& worker_class : configuration.classes) {
    auto& identity = identities.emplace_back();
    if (worker_class.values.user.empty()) continue;
    auto found = find_identity(worker_class.values.user);
    if (!found) {
      return fault(worker_class, "user", identity_status(found.error().code), found.error().text);
    }
    identity = std::move(*found);
  }
  return std::nullopt;
}

std::optional<GrantFault> resource_fault(const Configuration& configuration) {
  for (const auto& worker_class : configuration.classes) {
    if (auto found = nice_fault(worker_class)) return found;
    if (auto found = limit_fault(worker_class)) return found;
    if (auto found = cpus_fault(worker_class)) return found;
  }
  return std::nullopt;
}

std::vector<uid_t> hidden_users(const std::vector<std::optional<Identity>>& identities) {
  std::vector<uid_t> users;
  for (const auto& identity : identities) {
    if (identity && hides_marks(identity->uid)) users.push_back(identity->uid);
  }
  return users;
}

std::vector<std::string> hidden_workers(const Configuration& configuration,
                                        const std::vector<std::optional<Identity>>& identities) {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < identities.size(); ++i) {
    if (!identities[i] || !hides_marks(identities[i]->uid)) continue;
    const auto& options = configuration.classes[i].values;
    lines.push_back("class '" + options.name + "': its workers run as " + options.user +
                    ", and this daemon may not look into the processes of that user (no "
                    "CAP_SYS_PTRACE): what they leave behind is known by its cgroup, session or "
                    "parent alone, and survivors of an earlier life are not found; give warmpoold "
                    "that capability");
  }
  return lines;
}

void set_resources(const ClassOptions& options, SpawnSpec& spec) {
  if (auto mask = parse_mask(options.umask)) spec.file_mask = static_cast<mode_t>(*mask);
  spec.pids_max = options.pids_max;
  if (options.nice) spec.nice = static_cast<int>(*options.nice);
  if (auto cpus = parse_cpus(options.cpus)) spec.cpus = std::move(*cpus);
  for (const auto& wanted : wanted_limits(options)) {
    std::erase_if(spec.limits,
                  [&](const auto& known) { return known.resource == wanted.resource; });
    spec.limits.push_back({wanted.resource, wanted.value, wanted.value});
  }
}

}  // namespace warmpool::daemon
