// What a plug-in gives is checked once, when it is loaded; what it answers is checked each time.
// It runs in this process, so all beyond that is trust.
#include "worker/stock/plugin.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <dlfcn.h>
#include <exception>
#include <unistd.h>

#include "worker/plugin.h"

namespace warmpool::worker::stock {
namespace {

constexpr std::size_t kTypesMax = 4096;
constexpr std::uint32_t kVersionWithForked = 2;

static_assert(WARMPOOL_BYTES == static_cast<int>(Content::Bytes));
static_assert(WARMPOOL_UTF8 == static_cast<int>(Content::Utf8));
static_assert(WARMPOOL_JSON == static_cast<int>(Content::Json));
static_assert(WARMPOOL_MSGPACK == static_cast<int>(Content::Msgpack));

// One call as the functions that a plug-in calls see it.
struct Running {
  Context& context;
  std::string directory = std::string(context.directory());
  std::string body = {};
  int content = WARMPOOL_BYTES;
};

bool is_content(int content) { return content >= WARMPOOL_BYTES && content <= WARMPOOL_MSGPACK; }

Running& running(void* worker) { return *static_cast<Running*>(worker); }

std::chrono::nanoseconds not_negative(std::int64_t nanoseconds) {
  return std::chrono::nanoseconds(std::max<std::int64_t>(nanoseconds, 0));
}

warmpool_call call_for(Running& run, const std::string& type) {
  const Context& context = run.context;
  warmpool_call call{};
  call.size = sizeof(call);
  call.task = context.task().value;
  call.token = context.token();
  call.round = context.round();
  call.attempt = context.attempt();
  call.failures = context.failures();
  call.crashes = context.crashes();
  call.type = type.c_str();
  call.payload = context.text().data();
  call.payload_bytes = context.text().size();
  call.content = static_cast<int>(context.content());
  call.timeout_ns = context.timeout().count();
  call.directory = run.directory.c_str();
  call.checkpoint = context.checkpointed().data();
  call.checkpoint_bytes = context.checkpointed().size();
  call.checkpoint_content = static_cast<int>(context.checkpointed_content());
  call.worker = &run;
  call.cancelled = [](void* worker) {
    return static_cast<int>(running(worker).context.cancelled());
  };
  call.wait = [](void* worker, std::int64_t nanoseconds) {
    return static_cast<int>(running(worker).context.wait_for(not_negative(nanoseconds)));
  };
  call.progress = [](void* worker, unsigned permille, const char* text) {
    running(worker).context.progress(permille, text == nullptr ? "" : text);
  };
  call.answer = [](void* worker, int content, const void* bytes, std::size_t count) {
    running(worker).content = content;
    running(worker).body.assign(static_cast<const char*>(bytes), bytes == nullptr ? 0 : count);
  };
  call.leave_checkpoint = [](void* worker, int content, const void* bytes, std::size_t count) {
    if (!is_content(content)) return 0;
    const std::string_view text(static_cast<const char*>(bytes), bytes == nullptr ? 0 : count);
    const auto left = running(worker).context.checkpoint(text, static_cast<Content>(content));
    return static_cast<int>(static_cast<bool>(left));
  };
  call.checkpoint_wanted = [](void* worker) {
    return static_cast<int>(running(worker).context.checkpoint_wanted());
  };
  call.partial = [](void* worker, unsigned permille, const char* text, int content,
                    const void* bytes, std::size_t count) {
    if (!is_content(content)) return 0;
    const std::string_view part(static_cast<const char*>(bytes), bytes == nullptr ? 0 : count);
    const auto told = running(worker).context.partial(permille, part, static_cast<Content>(content),
                                                      text == nullptr ? "" : text);
    return static_cast<int>(static_cast<bool>(told));
  };
  return call;
}

Answer answer_of(int outcome, Running& run, std::int64_t retry_after_ns) {
  switch (outcome) {
    case WARMPOOL_DONE:
      if (!is_content(run.content)) {
        return failed_for_good("the plug-in's result has the unknown content " +
                               std::to_string(run.content));
      }
      return done(std::move(run.body), static_cast<Content>(run.content));
    case WARMPOOL_FAILED:
      return failed(std::move(run.body));
    case WARMPOOL_FAILED_FOR_GOOD:
      return failed_for_good(std::move(run.body));
    case WARMPOOL_RETRY_AFTER:
      return retry_after(not_negative(retry_after_ns), std::move(run.body));
    case WARMPOOL_HELD:
      return held(std::move(run.body));
    default:
      return failed_for_good("the plug-in returned the unknown outcome " + std::to_string(outcome));
  }
}

Answer run_plugin(const warmpool_plugin& plugin, Context& context) {
  const std::string type(context.type());
  Running run{context};
  auto call = call_for(run, type);
  const int outcome = plugin.handle(&call);
  return answer_of(outcome, run, call.retry_after_ns);
}

Error wrong(const std::string& path, const std::string& what) {
  return {ENOEXEC, "the plug-in " + path + ' ' + what};
}

Result<const warmpool_plugin*> ask(const std::string& path, void* function) {
  try {
    const auto* plugin = reinterpret_cast<warmpool_plugin_function>(function)();
    if (plugin == nullptr) return wrong(path, "says that it cannot serve");
    return plugin;
  } catch (const std::exception& error) {
    return wrong(path, std::string("threw while it was loaded: ") + error.what());
  } catch (...) {
    return wrong(path, "threw while it was loaded");
  }
}

Result<const warmpool_plugin*> load(const std::string& path) {
  if (::access(path.c_str(), F_OK) != 0 && errno == ENOENT) {
    return Error{ENOENT, "there is no plug-in " + path};
  }
  // A path without a slash would be looked for where libraries are.
  const auto named = path.find('/') == std::string::npos ? "./" + path : path;
  void* library = ::dlopen(named.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return wrong(path, std::string("cannot be loaded: ") + ::dlerror());
  void* function = ::dlsym(library, WARMPOOL_PLUGIN_SYMBOL);
  if (function == nullptr) {
    return wrong(path, "has no function " WARMPOOL_PLUGIN_SYMBOL
                       "(); in C++ it is written inside extern \"C\"");
  }
  return ask(path, function);
}

}  // namespace

Result<std::function<void()>> load_plugin(const std::string& path, Handlers& handlers) {
  const auto loaded = load(path);
  if (!loaded) return loaded.error();
  const auto& plugin = **loaded;
  if (plugin.version < 1 || plugin.version > WARMPOOL_PLUGIN_VERSION) {
    return wrong(path, "has version " + std::to_string(plugin.version) +
                           " of worker/plugin.h, this worker has 1 to " +
                           std::to_string(WARMPOOL_PLUGIN_VERSION) + "; build it anew");
  }
  if (plugin.handle == nullptr || plugin.types == nullptr || *plugin.types == nullptr) {
    return wrong(path, "has no types or no handler");
  }
  for (std::size_t i = 0; plugin.types[i] != nullptr; ++i) {
    if (i == kTypesMax) return wrong(path, "has a list of types without an end");
    handlers[plugin.types[i]] = [&plugin](Context& context) { return run_plugin(plugin, context); };
  }
  return std::function<void()>(plugin.version >= kVersionWithForked ? plugin.forked : nullptr);
}

}  // namespace warmpool::worker::stock
