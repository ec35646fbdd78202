// Submits tasks by key, and keeps what it was told of each for the judge.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <unordered_map>

#include "client/client.hpp"
#include "tests/campaign/ledger.hpp"
#include "tests/support/patience.hpp"

namespace warmpool::campaign {

struct Sent {
  Entry entry{};
  unsigned runs_max = 1;  // by its budgets (I3)
  std::uint64_t submitted_at = 0;
  std::uint16_t crashes = 0, failures = 0;  // charged, as told
};

// Threads: one at a time.
class Sender {
 public:
  Sender(const std::string& socket, std::string name);

  // Its number. Blocks: until it is acknowledged.
  std::size_t submit(const std::string& type, const std::string& payload, unsigned runs_max = 1,
                     std::optional<Duration> timeout = std::nullopt);
  // Many that do nothing, whose results and ids are not kept. Blocks: until all have settled.
  // Returns how many are done.
  std::uint64_t flood(const std::string& type, std::uint64_t count);
  // Null: no end was told. Blocks: at most for test::patience(usual).
  const Sent* settled(std::size_t at, std::chrono::milliseconds usual = std::chrono::seconds(20));
  void cancel(std::size_t at);
  // Of the acknowledged task; 0: it was not acknowledged.
  std::uint64_t id_of(std::size_t at) const;
  // A JSON document; empty where there is no answer.
  std::string ask(const ipc::RequestMeta& request);

  const std::deque<Sent>& all() const { return sent_; }
  std::uint64_t flooded() const { return flooded_; }
  const std::vector<std::string>& oddities() const { return oddities_; }

 private:
  bool take(std::chrono::steady_clock::time_point deadline);
  void on(const client::Accepted& event);
  void on(const client::Settled& event);
  void on(const client::Refused& event);
  void on(const client::Unknown& event);
  template <class Other>
  void on(const Other&) {}

  std::string name_;
  std::optional<client::Client> client_;
  std::deque<Sent> sent_;
  std::unordered_map<std::uint64_t, std::size_t> open_;  // ticket, place in sent_
  std::vector<std::string> oddities_;
  std::uint64_t flooded_ = 0, flooded_done_ = 0;
};

}  // namespace warmpool::campaign
