// Handlers out of a shared object: see worker/plugin.h.
#pragma once

#include <string>

#include "worker/worker.hpp"

namespace warmpool::worker::stock {

// Adds the types of the plug-in; it stays loaded for the life of the process. Its hook for forked
// workers, if it has one (else empty), is the result.
// Errors: names the file, and what is wrong with it: it is missing (ENOENT), cannot be loaded, has
// not the function, another version, no types, or says that it cannot serve.
Result<std::function<void()>> load_plugin(const std::string& path, Handlers& handlers);

}  // namespace warmpool::worker::stock
