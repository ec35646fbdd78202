// The task types that the stock worker handles.
#pragma once

#include <span>
#include <string_view>

#include "worker/worker.hpp"

namespace warmpool::worker::stock {

// echo: the payload and its content, back.
Answer echo(Context& context);
// sleep: payload: milliseconds, as text, up to a day. Heeds cancel.
Answer sleep(Context& context);
// fail: payload: a number or {"times": N}: fails until N failures were charged, then is done.
Answer fail(Context& context);
// crash: payload: a signal ("SIGSEGV", "segv", "11") or "exit:N". Ends the process.
Answer crash(Context& context);
// alloc: payload: MiB, as text, and perhaps milliseconds ("200 500"): takes and fills so much,
// holds it so long and gives it back; "keep:20": never.
Answer alloc(Context& context);
// file.digest: payload: a path -> {"path", "bytes", "lines", "words", "sha256"}. See digest.cpp.
Answer file_digest(Context& context);
// exec: payload: {"argv", ...} -> {"status", "signal", "stdout", ...}. See exec.cpp.
Answer exec(Context& context);
// The same in a worker that joined by itself: when it is killed the kernel kills the program too.
Answer exec_tied(Context& context);

struct Type {
  std::string_view name;
  Answer (*handler)(Context&);
  std::string_view help;
};

// All of them: help, registration and documentation come from the rows.
std::span<const Type> types();

}  // namespace warmpool::worker::stock
