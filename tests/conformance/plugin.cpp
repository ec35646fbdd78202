// The handlers of docs/sdk.md (conformance), as a plug-in for warmpool-worker.
#include "worker/plugin.h"

#include <array>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "tests/conformance/program_output.hpp"

namespace {

using warmpool::testing::kSurroundings;
using warmpool::testing::output_of;
using warmpool::testing::print_strays;

constexpr std::int64_t kMillisecond = 1'000'000;

std::string payload_of(const warmpool_call& call) {
  return {static_cast<const char*>(call.payload), call.payload_bytes};
}

int say(const warmpool_call& call, int outcome, std::string_view text,
        int content = WARMPOOL_UTF8) {
  call.answer(call.worker, content, text.data(), text.size());
  return outcome;
}

std::string many(const warmpool_call& call) {
  return std::string(std::stoul(payload_of(call)), 'x');
}

int open_gate(warmpool_call& call) {
  std::ifstream opened(payload_of(call));
  std::string line;
  std::getline(opened, line);
  return say(call, WARMPOOL_DONE, line);
}

int gate(warmpool_call& call) {
  call.progress(call.worker, 1, "begun");
  return open_gate(call);
}

int reported_gate(warmpool_call& call) {
  call.progress(call.worker, 1, "begun");
  call.progress(call.worker, 2, "at the gate");
  return open_gate(call);
}

int heed(warmpool_call& call) {
  call.progress(call.worker, 1, "begun");
  call.wait(call.worker, 60'000 * kMillisecond);
  return say(call, WARMPOOL_FAILED, "told to end");
}

int checkpoint(warmpool_call& call) {
  const std::string before(static_cast<const char*>(call.checkpoint), call.checkpoint_bytes);
  const int left =
      call.leave_checkpoint(call.worker, WARMPOOL_UTF8, call.payload, call.payload_bytes);
  return say(call, WARMPOOL_DONE, before.empty() || left == 0 ? "none" : before);
}

int large_checkpoint(warmpool_call& call) {
  const std::string large = many(call);
  const int left = call.leave_checkpoint(call.worker, WARMPOOL_UTF8, large.data(), large.size());
  return say(call, WARMPOOL_DONE, left == 0 ? "refused" : "left");
}

int asked_checkpoint(warmpool_call& call) {
  call.progress(call.worker, 1, "begun");
  while (call.checkpoint_wanted(call.worker) == 0) call.wait(call.worker, kMillisecond);
  call.leave_checkpoint(call.worker, WARMPOOL_UTF8, "asked", 5);
  return say(call, WARMPOOL_DONE, call.checkpoint_wanted(call.worker) == 0 ? "left" : "wanted");
}

int steps(warmpool_call& call) {
  const unsigned count = static_cast<unsigned>(std::stoul(payload_of(call)));
  for (unsigned step = 1; step <= count; ++step) {
    call.progress(call.worker, 1000 * step / count, ("step " + std::to_string(step)).c_str());
  }
  return say(call, WARMPOOL_DONE, payload_of(call));
}

int context(warmpool_call& call) {
  std::string json = "{\"type\":\"" + std::string(call.type) + '"';
  const auto text = [&](const char* name, std::uint64_t value) {
    json += std::string(",\"") + name + "\":\"" + std::to_string(value) + '"';
  };
  const auto number = [&](const char* name, std::int64_t value) {
    json += std::string(",\"") + name + "\":" + std::to_string(value);
  };
  text("task", call.task);
  text("token", call.token);
  number("round", call.round);
  number("attempt", call.attempt);
  number("timeout_ms", call.timeout_ns / kMillisecond);
  number("failures", call.failures);
  number("crashes", call.crashes);
  json += ",\"directory\":\"" + std::string(call.directory) + '"';
  return say(call, WARMPOOL_DONE, json + '}', WARMPOOL_JSON);
}

int later(warmpool_call& call) {
  call.retry_after_ns = 1'500 * kMillisecond;
  return say(call, WARMPOOL_RETRY_AFTER, payload_of(call));
}

int echo(warmpool_call& call) { return say(call, WARMPOOL_DONE, payload_of(call), call.content); }

using Handler = int (*)(warmpool_call&);
const std::map<std::string_view, Handler> kHandlers{
    {"echo", echo},
    {"echo.msgpack", echo},
    {"size",
     [](warmpool_call& call) {
       return say(call, WARMPOOL_DONE, std::to_string(call.payload_bytes));
     }},
    {"large", [](warmpool_call& call) { return say(call, WARMPOOL_DONE, many(call)); }},
    {"fail", [](warmpool_call& call) { return say(call, WARMPOOL_FAILED, payload_of(call)); }},
    {"fail.long", [](warmpool_call& call) { return say(call, WARMPOOL_FAILED, many(call)); }},
    {"fatal",
     [](warmpool_call& call) { return say(call, WARMPOOL_FAILED_FOR_GOOD, payload_of(call)); }},
    {"later", later},
    {"held", [](warmpool_call& call) { return say(call, WARMPOOL_HELD, payload_of(call)); }},
    {"throw", [](warmpool_call& call) -> int { throw std::runtime_error(payload_of(call)); }},
    {"gate", gate},
    {"gate.reported", reported_gate},
    {"heed", heed},
    {"partial",
     [](warmpool_call& call) {
       call.partial(call.worker, 1, "begun", WARMPOOL_UTF8, call.payload, call.payload_bytes);
       return say(call, WARMPOOL_DONE, payload_of(call));
     }},
    {"steps", steps},
    {"checkpoint", checkpoint},
    {"checkpoint.large", large_checkpoint},
    {"checkpoint.asked", asked_checkpoint},
    {"context", context},
    {"print",
     [](warmpool_call& call) {
       print_strays();
       return say(call, WARMPOOL_DONE, "printed");
     }},
    {"surroundings",
     [](warmpool_call& call) { return say(call, WARMPOOL_DONE, output_of(kSurroundings)); }},
};

int handle(warmpool_call* call) { return kHandlers.at(call->type)(*call); }

}  // namespace

extern "C" const warmpool_plugin* warmpool_plugin_get(void) {
  static const auto types = [] {
    std::vector<const char*> names;
    for (const auto& [name, handler] : kHandlers) names.push_back(name.data());
    names.push_back(nullptr);
    return names;
  }();
  static const warmpool_plugin plugin{WARMPOOL_PLUGIN_VERSION, types.data(), handle, nullptr};
  return &plugin;
}
