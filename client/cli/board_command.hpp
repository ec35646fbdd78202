// Commands that read the board and do not ask the daemon.
#pragma once

#include "client/board.hpp"
#include "client/cli/requests.hpp"

namespace warmpool::cli {

// Prints what `document` makes of the board, and says how old it is. Returns what the command ends
// with: kUnreachable where the daemon that wrote it is gone.
int print_board(Context& context, std::string (*document)(const client::BoardView&),
                const View& view);

}  // namespace warmpool::cli
