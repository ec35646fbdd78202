// Each node is in two lists, of its task and of its client, so that both a settled task and a
// client that vanished are cheap, whatever the other one has.
#include "daemon/waiters.hpp"

namespace warmpool::daemon {

void Waiters::add(TaskId task, Waiter waiter) {
  std::uint32_t node = free_;
  if (node == kNone) {
    node = static_cast<std::uint32_t>(nodes_.size());
    nodes_.emplace_back();
  } else {
    free_ = nodes_[node].of_task.next;
  }
  nodes_[node] = {waiter, task, {}, {}};
  link(tasks_, task.value, node, &Node::of_task);
  link(clients_, waiter.client.value, node, &Node::of_client);
  ++size_;
}

void Waiters::take(TaskId task, std::vector<Waiter>& out) {
  out.clear();
  while (const auto* head = tasks_.find(task.value)) {
    const auto node = *head;
    out.push_back(nodes_[node].waiter);
    release(node);
  }
}

void Waiters::watching(TaskId task, std::vector<Waiter>& out) const {
  out.clear();
  const auto* head = tasks_.find(task.value);
  for (auto node = head == nullptr ? kNone : *head; node != kNone;
       node = nodes_[node].of_task.next) {
    if (nodes_[node].waiter.progress) out.push_back(nodes_[node].waiter);
  }
}

void Waiters::drop(ClientId client) {
  while (const auto* head = clients_.find(client.value)) release(*head);
}

void Waiters::link(Heads& heads, std::uint64_t key, std::uint32_t node, Links Node::*links) {
  auto* head = heads.find(key);
  if (head == nullptr) {
    heads.insert(key, node);
    return;
  }
  (nodes_[node].*links).next = *head;
  (nodes_[*head].*links).previous = node;
  *head = node;
}

void Waiters::unlink(Heads& heads, std::uint64_t key, std::uint32_t node, Links Node::*links) {
  const auto [previous, next] = nodes_[node].*links;
  if (next != kNone) (nodes_[next].*links).previous = previous;
  if (previous != kNone) {
    (nodes_[previous].*links).next = next;
  } else if (next != kNone) {
    *heads.find(key) = next;
  } else {
    heads.erase(key);
  }
}

void Waiters::release(std::uint32_t node) {
  const auto task = nodes_[node].task;
  const auto client = nodes_[node].waiter.client;
  unlink(tasks_, task.value, node, &Node::of_task);
  unlink(clients_, client.value, node, &Node::of_client);
  nodes_[node] = {};
  nodes_[node].of_task.next = free_;
  free_ = node;
  --size_;
}

}  // namespace warmpool::daemon
