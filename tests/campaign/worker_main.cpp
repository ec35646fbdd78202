// The worker of the kill campaign: writes down each run by itself, and only then works.
#include <chrono>
#include <cstdlib>
#include <string>
#include <unistd.h>

#include "tests/campaign/run_log.hpp"
#include "worker/worker.hpp"

using namespace warmpool::worker;

namespace {

warmpool::campaign::RunLog runs;

// Another run would have another result.
Answer answer(const Context& context) {
  return done(std::to_string(context.attempt()) + "/" + std::to_string(context.token()) + "/" +
              std::string(context.text()));
}

std::uint64_t number(const Context& context) {
  return std::strtoull(std::string(context.text()).c_str(), nullptr, 10);
}

// A run, from its first moment to its last before it answers.
class Run {
 public:
  explicit Run(const Context& context) : context_(context) { runs.begin(context); }
  ~Run() { runs.end(context_); }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

 private:
  const Context& context_;
};

Answer work(Context& context) {
  const Run run(context);
  if (context.wait_for(std::chrono::milliseconds(number(context)))) return failed("cancelled");
  return answer(context);
}

Answer flaky(Context& context) {
  const Run run(context);
  if (context.failures() < number(context)) return failed("as asked");
  return answer(context);
}

Answer doomed(Context& context) {
  const Run run(context);
  return failed("always");
}

Answer crashing(Context& context) {
  const Run run(context);
  if (context.crashes() == 0) ::_exit(9);
  return answer(context);
}

// A dead letter, until somebody retries it.
Answer reviving(Context& context) {
  const Run run(context);
  return context.round() == 1 ? failed("until it is retried") : answer(context);
}

Answer holding(Context& context) {
  const Run run(context);
  return context.attempt() == 1 ? held("for a person") : answer(context);
}

// What was saved before it failed is there when that failure is known.
Answer saving(Context& context) {
  const Run run(context);
  const auto mark = "mark of " + std::to_string(context.task().value);
  if (context.failures() > 0) {
    return done(context.checkpointed() == mark ? "gone on with" : "lost");
  }
  if (const auto saved = context.checkpoint(mark); !saved) return done(saved.error().text);
  return failed("as asked");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  if (!runs.open(argv[1], argv[2])) return 74;
  Worker worker("campaign-worker");
  worker.handle("work", work).handle("flaky", flaky);
  worker.handle("doomed", doomed).handle("crashing", crashing).handle("reviving", reviving);
  worker.handle("holding", holding).handle("saving", saving).handle("paused", work);
  return worker.run();
}
