// A hand may hold many, and each task comes and goes: counting all of it twice for each was a sixth
// of what the core does for a task.
#include "pool/hand_sums.hpp"

namespace warmpool {

void count_hand(Slot& slot) {
  slot.words = {};
  slot.expected = slot.behind = Duration{};
  for (const auto& held : slot.held) {
    slot.words.ending = slot.words.ending || held.is_ending();
    slot.words.known = slot.words.known && held.expected.ns != 0;
    slot.words.recalling = slot.words.recalling || held.recalling();
    if (!held.started()) ++slot.words.unstarted;
    slot.expected = slot.expected + held.expected;
    if (held.is_behind()) slot.behind = slot.behind + held.expected;
  }
}

void count_given(Slot& slot) {
  const Held& last = slot.held.back();
  slot.words.known = slot.words.known && last.expected.ns != 0;
  ++slot.words.unstarted;
  slot.expected = slot.expected + last.expected;
  slot.behind = slot.behind + last.expected;
}

bool leaves_plainly(const Slot& slot, std::size_t at) {
  const bool simple = slot.words.known && !slot.words.ending && !slot.words.recalling;
  const bool one_runs = slot.concurrency == 1 && at == 0 && slot.held.size() > 1;
  return one_runs && simple && slot.held[1].is_behind();
}

void count_taken(Slot& slot, Duration expected) {
  slot.expected = slot.expected - expected;
  slot.behind = slot.behind - slot.held.front().expected;
  --slot.words.unstarted;
}

}  // namespace warmpool
