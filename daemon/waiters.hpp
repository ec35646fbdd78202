// Who waits for which task: a client's open request is answered when the task has settled.
#pragma once

#include <cstdint>
#include <vector>

#include "pool/flat_map.hpp"
#include "pool/ids.hpp"

namespace warmpool::daemon {

struct Waiter {
  ClientId client;
  std::uint32_t request = 0;  // number of the client's open request
  bool progress = false;      // wants to be told of progress
};

// Cost: 48 bytes a waiter. Bounds: open requests of all clients.
class Waiters {
 public:
  void add(TaskId task, Waiter waiter);
  // All of a task, and forgets them. `out` is replaced.
  void take(TaskId task, std::vector<Waiter>& out);
  // All of a task that want progress. `out` is replaced.
  void watching(TaskId task, std::vector<Waiter>& out) const;
  // Of a client that is gone.
  void drop(ClientId client);

  std::size_t size() const { return size_; }

 private:
  static constexpr std::uint32_t kNone = 0xffff'ffff;
  struct Links {
    std::uint32_t previous = kNone, next = kNone;
  };
  struct Node {
    Waiter waiter;
    TaskId task;
    Links of_task, of_client;
  };
  using Heads = FlatMap<std::uint32_t>;

  void link(Heads& heads, std::uint64_t key, std::uint32_t node, Links Node::*links);
  void unlink(Heads& heads, std::uint64_t key, std::uint32_t node, Links Node::*links);
  void release(std::uint32_t node);

  std::vector<Node> nodes_;
  std::uint32_t free_ = kNone;
  Heads tasks_, clients_;  // first node of each
  std::size_t size_ = 0;
};

}  // namespace warmpool::daemon
