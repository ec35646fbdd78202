// Who is told of all that a core is given and of all that it asks for: a recorder, in tests of it.
#pragma once

#include <span>

#include "pool/pool.hpp"

namespace warmpool::sim {

class Tape {
 public:
  virtual ~Tape() = default;
  // Order: first of a life.
  virtual void life_begins(const Genesis& genesis) = 0;
  virtual void stepped(Instant now, const Event& event, std::span<const Command> commands) = 0;
  virtual void replayed(const Record& record) = 0;
  virtual void replay_finished(Instant now, std::span<const Command> commands) = 0;
  virtual void turn_ended(const Pool& pool) = 0;
};

}  // namespace warmpool::sim
