// What comes up by the clock and not by an event: a row each, with how often.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "pool/time.hpp"

namespace warmpool::daemon {

class Chores {
 public:
  // `every` is asked after each run, because an option may change. The first run is after one
  // interval.
  void add(std::string_view name, std::function<Duration()> every, std::function<void()> run,
           Instant now);
  Instant due() const;
  void run(Instant now);

 private:
  struct Chore {
    std::string_view name;
    std::function<Duration()> every;
    std::function<void()> run;
    Instant next;
  };
  std::vector<Chore> chores_;
};

}  // namespace warmpool::daemon
