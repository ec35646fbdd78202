#include "client/cli/board_command.hpp"

#include <algorithm>

#include "client/cli/format.hpp"

namespace warmpool::cli {

namespace {

// An idle daemon writes each second.
constexpr std::int64_t kQuietIntervalNs = 1'000'000'000;

std::string who(const client::BoardView& board) {
  return "daemon (pid " + std::to_string(board.pid) + ")";
}

bool is_late(const client::BoardView& board) {
  return board.age.ns > 3 * std::max(board.figures.pool.interval, kQuietIntervalNs);
}

}  // namespace

int print_board(Context& context, std::string (*document)(const client::BoardView&),
                const View& view) {
  auto board = client::Board::open(context.globals().socket);
  if (!board) return context.fail(board.error());
  const auto read = board->read();
  if (!read) return context.fail(read.error());
  const int status = print_document(context, document(*read), view);
  if (status != kOk) return status;
  context.out().flush();
  const auto age = short_duration(read->age);
  if (!read->alive) {
    return context.fail(kUnreachable, "the figures are " + age + " old, and the " + who(*read) +
                                          " that wrote them is gone; start a daemon, or name the "
                                          "socket of another with --socket");
  }
  context.say("the figures of the " + who(*read) + " are " + age + " old" +
              (is_late(*read) ? ": it is stopped, or stuck" : ""));
  return kOk;
}

}  // namespace warmpool::cli
