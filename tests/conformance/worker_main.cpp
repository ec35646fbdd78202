// The handlers of docs/sdk.md (conformance), in C++.
#include <fstream>
#include <stdexcept>
#include <string>

#include "tests/conformance/program_output.hpp"
#include "worker/worker.hpp"

using namespace warmpool::worker;
using warmpool::Content;

namespace {

std::string text_of(const Context& context) { return std::string(context.text()); }

std::string many(const Context& context) { return std::string(std::stoul(text_of(context)), 'x'); }

Answer open_gate(Context& context) {
  std::ifstream opened(text_of(context));
  std::string line;
  std::getline(opened, line);
  return done(line, Content::Utf8);
}

Answer gate(Context& context) {
  context.progress(1, "begun");
  return open_gate(context);
}

Answer reported_gate(Context& context) {
  context.progress(1, "begun");
  context.progress(2, "at the gate");
  return open_gate(context);
}

Answer heed(Context& context) {
  context.progress(1, "begun");
  context.wait_for(std::chrono::seconds(60));
  return failed("told to end");
}

Answer steps(Context& context) {
  const unsigned count = static_cast<unsigned>(std::stoul(text_of(context)));
  for (unsigned step = 1; step <= count; ++step) {
    context.progress(1000 * step / count, "step " + std::to_string(step));
  }
  return done(text_of(context), Content::Utf8);
}

Answer report(Context& context) {
  context.gauge("queue", 17);
  context.gauge("queue", std::nullopt);
  context.degraded("the small one");
  context.well();
  return done(text_of(context), Content::Utf8);
}

Answer checkpoint(Context& context) {
  std::string before(context.checkpointed());
  const auto left = context.checkpoint(context.text(), Content::Utf8);
  if (before.empty() || !left) before = "none";
  return done(before, Content::Utf8);
}

Answer large_checkpoint(Context& context) {
  const bool left{context.checkpoint(many(context), Content::Utf8)};
  return done(left ? "left" : "refused", Content::Utf8);
}

Answer asked_checkpoint(Context& context) {
  context.progress(1, "begun");
  while (!context.checkpoint_wanted()) context.wait_for(std::chrono::milliseconds(1));
  const auto left = context.checkpoint("asked", Content::Utf8);
  return done(left && !context.checkpoint_wanted() ? "left" : "wanted", Content::Utf8);
}

Answer seen(Context& context) {
  const auto member = [](const char* name, const std::string& value) {
    return std::string("\"") + name + "\":" + value + ",";
  };
  const auto quoted = [](const std::string& text) { return '"' + text + '"'; };
  const auto timeout = std::chrono::duration_cast<std::chrono::milliseconds>(context.timeout());
  return done('{' + member("task", quoted(std::to_string(context.task().value))) +
                  member("round", std::to_string(context.round())) +
                  member("attempt", std::to_string(context.attempt())) +
                  member("timeout_ms", std::to_string(timeout.count())) +
                  member("token", quoted(std::to_string(context.token()))) +
                  member("failures", std::to_string(context.failures())) +
                  member("crashes", std::to_string(context.crashes())) +
                  member("directory", quoted(std::string(context.directory()))) +
                  "\"type\":" + quoted(std::string(context.type())) + '}',
              Content::Json);
}

Answer print(Context&) {
  warmpool::testing::print_strays();
  return done("printed", Content::Utf8);
}

}  // namespace

// With --connect SOCKET: as one that people start.
int main(int argc, char** argv) {
  Worker worker("conformance");
  worker.prints_nothing();  // that a case would look for
  const auto echo = [](Context& context) { return done(text_of(context), context.content()); };
  worker.handle("echo", echo).handle("echo.msgpack", echo);
  worker.handle("size", [](Context& context) {
    return done(std::to_string(context.payload().size()), Content::Utf8);
  });
  worker.handle("large", [](Context& context) { return done(many(context), Content::Utf8); });
  worker.handle("fail", [](Context& context) { return failed(text_of(context)); });
  worker.handle("fail.long", [](Context& context) { return failed(many(context)); });
  worker.handle("fatal", [](Context& context) { return failed_for_good(text_of(context)); });
  worker.handle("later", [](Context& context) {
    return retry_after(std::chrono::milliseconds(1500), text_of(context));
  });
  worker.handle("held", [](Context& context) { return held(text_of(context)); });
  worker.handle("throw",
                [](Context& context) -> Answer { throw std::runtime_error(text_of(context)); });
  worker.handle("gate", gate).handle("heed", heed).handle("steps", steps).handle("context", seen);
  worker.handle("gate.reported", reported_gate);
  worker.handle("partial", [](Context& context) {
    static_cast<void>(context.partial(1, context.text(), Content::Utf8, "begun"));
    return done(text_of(context), Content::Utf8);
  });
  worker.handle("print", print).handle("report", report).handle("checkpoint", checkpoint);
  worker.handle("checkpoint.large", large_checkpoint);
  worker.handle("checkpoint.asked", asked_checkpoint);
  worker.handle("surroundings", [](Context&) {
    return done(warmpool::testing::output_of(warmpool::testing::kSurroundings), Content::Utf8);
  });
  if (argc < 3) return worker.run();
  return worker.join({.socket = argv[2], .worker_class = "own", .reconnect = false});
}
