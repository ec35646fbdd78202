// The figures that a daemon publishes, read without asking it: also while it is busy, stopped or
// dead. docs/board.md.
#pragma once

#include <string>
#include <string_view>

#include "ipc/board.hpp"
#include "ipc/client_address.hpp"
#include "ipc/fd.hpp"
#include "pool/time.hpp"

namespace warmpool::client {

struct BoardView {
  std::string server;  // name and version of the daemon
  std::int32_t pid = 0;
  bool alive = false;  // the process that wrote it lives, though it may be stopped
  Duration age{};      // of the figures
  ipc::BoardFigures figures;
};

// Owns: a mapping of the file, to be read only. Threads: one.
class Board {
 public:
  // The board beside this socket; empty: where a client looks for the daemon.
  // Errors: a Fault; Unreachable says what to do.
  static Result<Board> open(std::string_view socket = {});

  // Blocks: never. Where a larger board has taken the place of this one, that is opened.
  Result<BoardView> read();
  const std::string& path() const { return path_; }

 private:
  Board(std::string path, bool by_default, ipc::UniqueFd fd, ipc::BoardReader reader);
  static Result<Board> open_at(std::string path, bool by_default);
  bool writer_lives() const;

  std::string path_;
  bool by_default_;
  ipc::UniqueFd fd_;
  ipc::BoardReader reader_;
};

}  // namespace warmpool::client
