// How each broker is spoken to: in its own protocol, without its library, so that one program
// drives all of them alike.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace warmpool::compare {

// One message at the front of what was read.
struct Message {
  enum class Kind : std::uint8_t { Part, Other, Accepted, Payloads } kind = Kind::Part;
  std::size_t bytes = 0;  // of the input; a part has none
  // Of jobs or results. They point into the input.
  std::vector<std::string_view> payloads{};
  std::string_view key{};      // what an answer to it must name
  std::uint64_t accepted = 0;  // submits that it acknowledges
};

// A client has a connection to put tasks through and, where takes_apart(), another to wait for
// results on, because there nothing else is heard while one waits. Each method adds to `out` what
// is to be sent. Errors: what a broker says no to ends the program, with its words.
class Wire {
 public:
  virtual ~Wire() = default;
  virtual bool takes_apart() const { return false; }
  virtual void greet_putter(std::string&) {}
  virtual void greet_taker(std::string&) {}
  virtual void greet_worker(std::string&) {}
  // To be done by workers, with an answer.
  virtual void submit(std::string& out, std::uint64_t id, std::string_view payload) = 0;
  // Kept by the broker, no worker takes it.
  virtual void hold(std::string& out, std::uint64_t id, std::string_view payload) = 0;
  // `open` results are still to come. Brokers that push results need not be asked.
  virtual void ask(std::string&, std::uint64_t /*open*/) {}
  // A result came.
  virtual void taken(std::string&, const Message&) {}
  // `out`: pings are answered.
  virtual Message next(std::string_view in, std::string& out) = 0;
  // A worker's: the results of a message's jobs, and the wish for more.
  virtual void answer(std::string&, const Message&) {}
};

std::unique_ptr<Wire> warmpool_wire();  // a client's only: workers are warmpool's own
std::unique_ptr<Wire> redis_wire(unsigned prefetch);
std::unique_ptr<Wire> nats_wire();
std::unique_ptr<Wire> gearman_wire(bool is_kept);  // is_kept: on disk, where each job needs a name
std::unique_ptr<Wire> beanstalkd_wire();

// A line up to CRLF and, where it announces some, the data after it.
struct Line {
  bool whole = false;
  std::string_view text;
  std::size_t bytes = 0;  // with its end
};
Line line_of(std::string_view in);
// The last word of a line, as a number.
std::size_t last_number(std::string_view line);
[[noreturn]] void give_up(const std::string& why);

}  // namespace warmpool::compare
