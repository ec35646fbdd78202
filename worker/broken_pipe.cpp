// A handler that does nothing, and not SIG_IGN: programs that a task starts would inherit that, and
// `yes | head` would never end; a handler becomes the default again at exec.
#include "worker/broken_pipe.hpp"

#include "pool/require.hpp"

namespace warmpool::worker {
namespace {

extern "C" void on_pipe(int) {}

}  // namespace

BrokenPipe::BrokenPipe() {
  struct sigaction before {};
  REQUIRE(::sigaction(SIGPIPE, nullptr, &before) == 0);
  if ((before.sa_flags & SA_SIGINFO) != 0 || before.sa_handler != SIG_DFL) return;
  struct sigaction action {};
  action.sa_handler = on_pipe;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  REQUIRE(::sigaction(SIGPIPE, &action, nullptr) == 0);
  changed_ = true;
}

BrokenPipe::~BrokenPipe() {
  if (changed_) std::signal(SIGPIPE, SIG_DFL);
}

}  // namespace warmpool::worker
