// Takes connections from the listening socket, also when descriptors are out, and makes the socket
// file again when somebody removed it.
#pragma once

#include <functional>
#include <memory>

#include "daemon/log.hpp"
#include "daemon/reactor.hpp"
#include "ipc/endpoint.hpp"

namespace warmpool::daemon {

class Acceptor {
 public:
  using Taker = std::function<void(ipc::UniqueFd)>;

  // Owns: the lock and the listener. Order: the lock was taken of this directory.
  Acceptor(Reactor& reactor, Log& log, ipc::RuntimeDirectory directory, ipc::RuntimeLock lock,
           ipc::Listener listener, Taker taker);
  ~Acceptor();

  std::string path() const { return listener_.path(); }
  // To be called now and then. False: the socket file is gone and cannot be made again, or the
  // path of its directory leads elsewhere.
  bool check();
  // No connection is taken any more, and the file goes if it is ours.
  void close();

 private:
  void accept_some();
  void refuse_one();
  void watch();
  bool lost(const std::string& why);

  Reactor& reactor_;
  Log& log_;
  ipc::RuntimeDirectory directory_;
  ipc::RuntimeLock lock_;
  ipc::Listener listener_;
  Taker taker_;
  std::unique_ptr<Watch> watch_;
  ipc::UniqueFd reserve_;  // given up to take and refuse a connection when descriptors are out
  bool exhausted_ = false, lost_ = false;
};

}  // namespace warmpool::daemon
