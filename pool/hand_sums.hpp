// What is known of all in a worker's hand together: Slot's sums and words.
#pragma once

#include "pool/slot_table.hpp"

namespace warmpool {

// After any change. Cost: O(hand); of the others O(1).
void count_hand(Slot& slot);
// After one was given that has not started, and nothing else has changed.
void count_given(Slot& slot);
// Whether all that changes when this one leaves is that the next starts. Then, once that has
// happened: the one that left was expected to take so long.
bool leaves_plainly(const Slot& slot, std::size_t at);
void count_taken(Slot& slot, Duration expected);

}  // namespace warmpool
