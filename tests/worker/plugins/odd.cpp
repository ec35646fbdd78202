// A plug-in that does what one should not, as far as ODD says: how the stock worker takes it.
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unistd.h>

#include "worker/plugin.h"

namespace {

int forked_in = 0;        // a process
bool knew_token = false;  // what it would have started then would have known it too
void note_fork() {
  forked_in = ::getpid();
  knew_token = std::getenv("WARMPOOL_TOKEN") != nullptr;
}

int handle(warmpool_call* call) {
  const std::string asked(static_cast<const char*>(call->payload), call->payload_bytes);
  const auto say = [&](std::string_view text, int content = WARMPOOL_UTF8) {
    call->answer(call->worker, content, text.data(), text.size());
  };
  if (asked == "throw") throw std::runtime_error("thrown by a plug-in");
  if (asked == "throw-number") throw 5;
  if (asked == "content") return say("x", 9), WARMPOOL_DONE;
  if (asked == "outcome") return 99;
  if (asked == "later") return call->retry_after_ns = 1'000'000, say("later"), WARMPOOL_RETRY_AFTER;
  if (asked == "held") return say("held"), WARMPOOL_HELD;
  if (asked == "nothing") return WARMPOOL_DONE;
  if (asked == "null") return call->answer(call->worker, WARMPOOL_UTF8, nullptr, 5), WARMPOOL_DONE;
  if (asked == "forked") return say(std::to_string(forked_in)), WARMPOOL_DONE;
  if (asked == "token") return say(knew_token ? "known" : "hidden"), WARMPOOL_DONE;
  if (asked == "wait")
    return call->wait(call->worker, 60'000'000'000) != 0 ? WARMPOOL_FAILED : WARMPOOL_DONE;
  say(std::string(call->type) + ' ' + std::to_string(call->task) + ' ' +
      std::to_string(call->attempt) + ' ' + std::to_string(call->content) + ' ' +
      std::to_string(call->size == sizeof(*call)));
  return WARMPOOL_DONE;
}

constexpr const char* kTypes[] = {"odd.one", "odd.two", nullptr};
constexpr const char* kNoTypes[] = {nullptr};
constexpr warmpool_plugin kPlugin{WARMPOOL_PLUGIN_VERSION, kTypes, handle, note_fork};
constexpr warmpool_plugin kOfTheFuture{WARMPOOL_PLUGIN_VERSION + 1, kTypes, handle, nullptr};
constexpr warmpool_plugin kWithoutTypes{WARMPOOL_PLUGIN_VERSION, kNoTypes, handle, nullptr};

}  // namespace

extern "C" const warmpool_plugin* warmpool_plugin_get(void) {
  const char* set = std::getenv("ODD");
  const std::string_view odd = set == nullptr ? "" : set;
  if (odd == "throw") throw std::runtime_error("the model is not there");
  if (odd == "null") return std::fputs("no licence\n", stderr), nullptr;
  if (odd == "version") return &kOfTheFuture;
  return odd == "types" ? &kWithoutTypes : &kPlugin;
}
