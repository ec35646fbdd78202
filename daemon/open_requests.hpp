// Requests of one connection that have no reply yet: the core is given their numbers, and the
// client its own tokens back.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "pool/ids.hpp"
#include "pool/refusal.hpp"
#include "pool/require.hpp"

namespace warmpool::daemon {

struct RefusedPart {
  TaskId task;
  Refusal code{};
};

struct OpenRequest {
  std::uint64_t token = 0;  // the client's request number
  std::uint8_t flags = 0;   // of its frame
  std::uint8_t verb = 0;    // of a request; 0: submit, await or cancel
  std::uint32_t parts = 1;  // answers of the core that are still to come
  std::uint32_t succeeded = 0, refused = 0;
  std::vector<RefusedPart> refusals{};  // the first of them
};

// The core's name of an open one; ids begin at 1.
inline RequestId id_of(std::uint32_t number) { return RequestId{number + 1ULL}; }

// So many parts that were refused are named to the client.
inline constexpr std::size_t kRefusalsNamedMax = 16;

// Bounds: size() is for the caller's cap.
class OpenRequests {
 public:
  std::uint32_t open(OpenRequest request) {
    ++size_;
    if (free_.empty()) {
      slots_.push_back(std::move(request));
      return static_cast<std::uint32_t>(slots_.size() - 1);
    }
    const auto number = free_.back();
    free_.pop_back();
    slots_[number] = std::move(request);
    return number;
  }
  OpenRequest& at(std::uint32_t number) { return slots_[number]; }
  void close(std::uint32_t number) {
    REQUIRE(size_ > 0);
    --size_;
    free_.push_back(number);
  }
  std::size_t size() const { return size_; }

 private:
  std::vector<OpenRequest> slots_;
  std::vector<std::uint32_t> free_;
  std::size_t size_ = 0;
};

}  // namespace warmpool::daemon
