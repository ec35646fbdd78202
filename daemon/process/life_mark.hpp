// The mark that every process started by this daemon carries in its environment (WARMPOOL_MARK),
// and that its descendants inherit: how a sweep knows whose they are, also after setsid and double
// fork.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "pool/ids.hpp"
#include "pool/result.hpp"

namespace warmpool::daemon {

inline constexpr std::string_view kMarkVariable = "WARMPOOL_MARK";

// "<place>-<life>-<worker>" in hexadecimal, 16, 32 and 16 digits.
// place: the runtime directory, the same in every life of a daemon there. life: drawn from
// getrandom, so that nobody can wear the mark of a life to come.
struct LifeMark {
  std::string place, life;

  std::string place_prefix() const { return place + "-"; }
  std::string life_prefix() const { return place + "-" + life + "-"; }
  std::string of(WorkerId worker) const;
};

// Of `runtime_dir`, which must exist. The place is a hash of its canonical path and its file
// system, so that the same path in a container with its own file system is another place. Errors:
// errno, when the directory cannot be looked at or the kernel gives no random bytes.
Result<LifeMark> make_life_mark(const std::string& runtime_dir);

struct ParsedMark {
  std::string_view place, life;
  WorkerId worker;
};
std::optional<ParsedMark> parse_mark(std::string_view mark);

// The value of the mark in an environment block as the kernel shows it (NAME=VALUE\0 ...); empty if
// it has none. The first counts, as with getenv.
std::string_view mark_in_environment(std::string_view block);

}  // namespace warmpool::daemon
