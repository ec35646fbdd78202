// Numbers records, and keeps what must wait until one of them is kept.
#pragma once

#include <deque>
#include <tuple>
#include <vector>

#include "pool/command.hpp"
#include "pool/ids.hpp"
#include "pool/task_table.hpp"

namespace warmpool {

class Recorder {
 public:
  // What to do when a record is kept.
  enum class Then : std::uint8_t {
    Accept,     // answer the submit, let the task go on
    GoOn,       // let the task go on; answer the request if there is one
    Settle,     // announce the verdict
    Answer,     // only answer the request
    Duplicate,  // answer a submit that named an earlier task
  };
  struct Waiting {
    RecordNumber number;
    Then then{};
    TaskIndex task = kNone;
    TaskId id;
    ClientId client;
    RequestId request;
  };

  RecordNumber persist(Record record, Commands& out) {
    out.emplace_back(command::Persist{{++last_}, std::move(record)});
    return {last_};
  }
  // For the newest record.
  void then(Then then, TaskIndex task, TaskId id, ClientId client = {}, RequestId request = {}) {
    waiting_.push_back({{last_}, then, task, id, client, request});
  }
  void keep(RecordNumber through) { kept_ = through > kept_ ? through : kept_; }
  bool pop_kept(Waiting& waiting) {
    if (waiting_.empty() || waiting_.front().number > kept_) return false;
    waiting = waiting_.front();
    waiting_.pop_front();
    return true;
  }
  // The client is gone: what waits for it goes on without an answer.
  void forget(ClientId client) {
    for (auto& waiting : waiting_) {
      if (waiting.client == client) waiting.client = ClientId{};
    }
  }
  // Submits that have not been answered: they will not be by pop_kept().
  std::vector<Waiting> take_submits() {
    std::vector<Waiting> taken;
    for (auto& waiting : waiting_) {
      if (!waiting.client || (waiting.then != Then::Accept && waiting.then != Then::Duplicate)) {
        continue;
      }
      taken.push_back(waiting);
      waiting.client = ClientId{};
    }
    return taken;
  }
  RecordNumber last() const { return {last_}; }
  RecordNumber kept() const { return kept_; }
  bool idle() const { return waiting_.empty(); }

  static auto fields(auto& self) {
    auto& [last, kept, waiting] = self;
    return std::tie(last, kept, waiting);
  }

 private:
  std::uint64_t last_ = 0;
  RecordNumber kept_;
  std::deque<Waiting> waiting_;
};

}  // namespace warmpool
