#include "tests/support/transport.hpp"

#include <cstdlib>
#include <string_view>

#include "ipc/message.hpp"

namespace warmpool::test {

bool over_fifos() {
  const char* channel = std::getenv("WARMPOOL_TEST_CHANNEL");
  return channel != nullptr && std::string_view(channel) == "fifo";
}

std::uint64_t carried_features() {
  return (over_fifos() ? ipc::feature::kOverPipes : ipc::feature::kAll) & ipc::feature::kOfWorker;
}

}  // namespace warmpool::test
