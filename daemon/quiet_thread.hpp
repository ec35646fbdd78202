// A thread beside the loop's that no signal is delivered to.
#pragma once

#include <functional>
#include <thread>

namespace warmpool::daemon {

// Signals are the loop's, which reads them from a descriptor: delivered to another thread they
// would end the process. `name`: at most 15 bytes, as the kernel shows it.
std::thread quiet_thread(const char* name, std::function<void()> run);

}  // namespace warmpool::daemon
