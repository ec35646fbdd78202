// What a process that passes large payloads on does with memory that it has freed.
#pragma once

#include <malloc.h>

namespace warmpool::ipc {

// A task of a mebibyte takes and frees several, and pages that went back to the kernel in between
// come again one fault at a time, which is most of what such a task costs: so up to 8 MiB at the
// end of the heap are kept. Order: first of all; for main functions alone.
inline void keep_freed_memory() {
  mallopt(M_MMAP_THRESHOLD, 4 << 20);
  mallopt(M_TRIM_THRESHOLD, 8 << 20);
}

}  // namespace warmpool::ipc
