// A board as the documents that status and workers print; members have the names that the daemon's
// documents have.
#pragma once

#include <string>

#include "client/board.hpp"

namespace warmpool::cli {

std::string board_status(const client::BoardView& board);
std::string board_workers(const client::BoardView& board);

}  // namespace warmpool::cli
