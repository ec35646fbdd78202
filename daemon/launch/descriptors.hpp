// Nothing but 0, 1, 2, the channel and (until exec) the status pipe goes on to the program.
#pragma once

namespace warmpool::launch {

// Closes every descriptor from `first` on. Errors: errno as the result, 0 when done. Where
// close_range is missing (kernels before 5.9, or a filter that knows it not) /proc is needed.
int close_from(unsigned first);

}  // namespace warmpool::launch
