// What this program calls itself towards others.
#pragma once

namespace warmpool::daemon {

inline constexpr char kServerName[] = "warmpoold/0.1.0";

}  // namespace warmpool::daemon
