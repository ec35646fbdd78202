// Read by hand: an option parser would be most of the launcher's size and start-up time, and nobody
// but the daemon ever writes these arguments.
#include "daemon/launch/plan.hpp"

#include <cstdint>
#include <cstring>

namespace warmpool::launch {
namespace {

// One number up to `end`; a minus only where `negative` may be. Moves `text` behind it.
bool number(const char*& text, char end, long long minimum, long long maximum, long long& value) {
  const bool minus = *text == '-';
  if (minus) ++text;
  if (*text < '0' || *text > '9') return false;
  value = 0;
  for (; *text >= '0' && *text <= '9'; ++text) {
    const int digit = *text - '0';
    if (value > (INT64_MAX - digit) / 10) return false;
    value = value * 10 + digit;
  }
  if (minus) value = -value;
  if (value < minimum || value > maximum || *text != end) return false;
  if (end != '\0') ++text;
  return true;
}

template <class T>
bool whole(const char* text, long long minimum, long long maximum, T& out) {
  long long value = 0;
  if (!number(text, '\0', minimum, maximum, value)) return false;
  out = static_cast<T>(value);
  return true;
}

// Calls take(n) for each number of "1,2,3"; an empty text has none.
template <class Take>
bool each(const char* text, long long maximum, Take take) {
  bool more = *text != '\0';
  while (more) {
    more = std::strchr(text, ',') != nullptr;
    long long value = 0;
    if (!number(text, more ? ',' : '\0', 0, maximum, value) || !take(value)) return false;
  }
  return true;
}

bool read_limit(const char* text, Plan& plan) {
  if (plan.limit_count == kLimitsMax) return false;
  Limit& limit = plan.limits[plan.limit_count];
  long long resource = 0, soft = 0, hard = 0;
  if (!number(text, ':', 0, RLIM_NLIMITS - 1, resource)) return false;
  if (!number(text, ':', -1, INT64_MAX, soft)) return false;  // -1: RLIM_INFINITY
  limit.keep_hard = std::strcmp(text, "keep") == 0;
  if (!limit.keep_hard && !number(text, '\0', -1, INT64_MAX, hard)) return false;
  limit.resource = static_cast<int>(resource);
  limit.soft = static_cast<rlim_t>(soft);
  limit.hard = static_cast<rlim_t>(hard);
  ++plan.limit_count;
  return true;
}

bool read_groups(const char* text, Plan& plan) {
  return each(text, UINT32_MAX - 1, [&plan](long long value) {
    if (plan.group_count == kGroupsMax) return false;
    plan.groups[plan.group_count++] = static_cast<gid_t>(value);
    return true;
  });
}

bool read_cpus(const char* text, Plan& plan) {
  plan.has_cpus = true;
  return each(text, CPU_SETSIZE - 1, [&plan](long long value) {
    CPU_SET(static_cast<std::size_t>(value), &plan.cpus);
    return true;
  });
}

bool read_cgroup(const char* text, Plan& plan) {
  if (plan.cgroup_count == kCgroupsMax || *text == '\0') return false;
  plan.cgroups[plan.cgroup_count++] = text;
  return true;
}

bool text_of(const char* text, const char*& out) {
  out = text;
  return *text != '\0';
}

struct Row {
  const char* name;
  bool (*read)(const char* value, Plan& plan);
};

constexpr Row kRows[] = {
    {"parent=", [](const char* v, Plan& p) { return whole(v, 1, INT32_MAX, p.parent); }},
    {"mask=", [](const char* v, Plan& p) { return whole(v, 0, 0777, p.mask); }},
    {"directory=", [](const char* v, Plan& p) { return text_of(v, p.directory); }},
    {"cgroup=", read_cgroup},
    {"uid=",
     [](const char* v, Plan& p) { return p.has_user = whole(v, 0, UINT32_MAX - 1, p.uid); }},
    {"gid=", [](const char* v, Plan& p) { return whole(v, 0, UINT32_MAX - 1, p.gid); }},
    {"groups=", read_groups},
    {"nice=", [](const char* v, Plan& p) { return p.has_nice = whole(v, -20, 19, p.nice); }},
    {"limit=", read_limit},
    {"cpus=", read_cpus},
};

bool read_argument(const char* argument, Plan& plan) {
  for (const Row& row : kRows) {
    const std::size_t length = std::strlen(row.name);
    if (std::strncmp(argument, row.name, length) == 0) return row.read(argument + length, plan);
  }
  return false;
}

}  // namespace

const char* read_plan(char** arguments, Plan& plan) {
  for (; *arguments != nullptr; ++arguments) {
    if (std::strcmp(*arguments, "--") == 0) {
      plan.command = arguments + 1;
      break;
    }
    if (!read_argument(*arguments, plan)) return *arguments;
  }
  if (plan.parent == 0) return "parent=";
  return plan.command != nullptr && *plan.command != nullptr ? nullptr : "--";
}

}  // namespace warmpool::launch
