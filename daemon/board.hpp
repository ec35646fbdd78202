// Publishes figures of this daemon in a file that others read without asking it, also when it is
// busy, stopped or dead. docs/board.md.
#pragma once

#include <memory>
#include <optional>

#include "daemon/board_file.hpp"
#include "daemon/documents.hpp"
#include "ipc/board.hpp"

namespace warmpool::daemon {

// Order: after_turn() at the end of each turn. Errors: a board that cannot be published is a line
// in the log and nothing worse. Owns: the file, which it takes away at the end.
class Board {
 public:
  Board(Services& services, const Workers& workers, const Documents& documents, BoardPlace place);
  ~Board();

  // Writes it if board_interval has passed. `changed`: this turn did something.
  void after_turn(bool changed);
  // When something that happened is still to be written; kNever if nothing is.
  Instant due() const;
  // Publishes it again if somebody has taken it away.
  void look_after();

 private:
  struct Published {
    BoardFile file;
    ipc::BoardWriter writer;
  };

  void open(std::uint32_t slots_max);
  Result<Published> make(std::uint32_t slots_max);
  // Returns how many slots found no row.
  std::uint32_t fill(ipc::BoardWriter& writer) const;
  ipc::BoardPool pool_row() const;
  std::uint32_t pool_flags(const Snapshot& overview) const;
  ipc::BoardClass class_row(const ClassView& view) const;
  ipc::BoardSlot slot_row(const SlotView& view) const;

  Services& services_;
  const Workers& workers_;
  const Documents& documents_;
  const BoardPlace place_;
  std::unique_ptr<Published> published_;  // none: it could not be
  const Instant started_;
  Instant written_at_{};
  bool pending_ = false, may_grow_ = true;
};

}  // namespace warmpool::daemon
