// Why a call of the client library failed, where it was not the daemon that refused.
#pragma once

namespace warmpool::client {

// Error::code of the library: below 100 one of these, from 101 up a number of Refusal.
enum class Fault : int {
  TimedOut = 1,     // the deadline of the call passed; what was asked for may still happen
  Unreachable = 2,  // nobody listens at the socket; the text says how to start a daemon
  Lost = 3,         // the connection ended and the answer with it; nobody knows what took effect
  Protocol = 4,     // who answers there does not speak our protocol
  NothingOpen = 5,  // nothing was asked for, so nothing can come
};

}  // namespace warmpool::client
