// Keys that nobody else has.
#pragma once

#include <string>

namespace warmpool::client {

// 128 random bits as 32 hexadecimal digits. Source: getrandom(2), which for so few bytes neither
// fails nor blocks once the machine has started.
std::string random_key();

}  // namespace warmpool::client
