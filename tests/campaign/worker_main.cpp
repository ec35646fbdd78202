// The worker of the kill campaign: writes down each run by itself, and only then works.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <unistd.h>

#include "tests/campaign/ledger.hpp"
#include "worker/worker.hpp"

using namespace warmpool::worker;

namespace {

int ledger = -1;

// One write of a short line: a kill leaves the whole of it or nothing.
void write_down(const Context& context) {
  const std::string line = std::to_string(context.task().value) + " " +
                           std::to_string(context.round()) + " " +
                           std::to_string(context.attempt()) + " " +
                           std::to_string(warmpool::campaign::monotonic_nanoseconds()) + "\n";
  if (::write(ledger, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    ::_exit(74);
  }
}

// Another run would have another result.
Answer answer(const Context& context) {
  return done(std::to_string(context.attempt()) + "/" + std::to_string(context.token()) + "/" +
              std::string(context.text()));
}

std::uint64_t number(const Context& context) {
  return std::strtoull(std::string(context.text()).c_str(), nullptr, 10);
}

Answer work(Context& context) {
  write_down(context);
  if (context.wait_for(std::chrono::milliseconds(number(context)))) return failed("cancelled");
  return answer(context);
}

Answer flaky(Context& context) {
  write_down(context);
  if (context.failures() < number(context)) return failed("as asked");
  return answer(context);
}

Answer doomed(Context& context) {
  write_down(context);
  return failed("always");
}

Answer crashing(Context& context) {
  write_down(context);
  if (context.crashes() == 0) ::_exit(9);
  return answer(context);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  ledger = ::open(argv[1], O_WRONLY | O_APPEND | O_CLOEXEC);
  if (ledger < 0) return 74;
  Worker worker("campaign-worker");
  worker.handle("work", work).handle("flaky", flaky);
  worker.handle("doomed", doomed).handle("crashing", crashing);
  return worker.run();
}
