// Follows a daemon's events of workers, with the moment at which a client had each.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "client/client.hpp"
#include "tests/support/patience.hpp"

namespace warmpool::campaign {

struct Heard {
  std::uint64_t at = 0;  // nanoseconds
  std::string event{}, slot{}, worker_class{}, cause{};
  std::uint64_t worker = 0;
  int code = 0;  // exit status, or minus the signal
};

// Threads: one of its own, which reads the socket; all else on any.
class Watch {
 public:
  explicit Watch(const std::string& socket);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  using Fits = std::function<bool(const Heard&)>;
  // The first that fits, of those at `from` and later. Blocks: at most for test::patience(usual).
  std::optional<Heard> wait(std::size_t from, const Fits& fits,
                            std::chrono::milliseconds usual = std::chrono::seconds(20)) const;
  std::size_t count() const;
  std::vector<Heard> from(std::size_t first) const;
  // The worker in this slot, by the last hello; 0: none yet.
  std::uint64_t worker_in(const std::string& slot) const;
  // Events that did not come because this client was too slow: nothing is judged then.
  std::uint64_t missed() const;

 private:
  void run(const std::string& socket);
  void take(const client::Happened& event);

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::vector<Heard> heard_;
  std::map<std::string, std::uint64_t> workers_;
  std::uint64_t missed_ = 0;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace warmpool::campaign
