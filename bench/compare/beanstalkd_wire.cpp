// Tubes `jobs` and `results`. A worker takes one job at a time, because a connection that waits for
// a job hears nothing else; result, delete and the next reserve go in one write. Source:
// protocol.txt of beanstalkd.
#include <algorithm>

#include "bench/compare/wire.hpp"

namespace warmpool::compare {

namespace {

constexpr std::uint64_t kReservesMax = 16;
constexpr std::string_view kReserve = "reserve\r\n";

void put(std::string& out, std::string_view payload) {
  out += "put 10 0 600 ";
  out += std::to_string(payload.size());
  out += "\r\n";
  out += payload;
  out += "\r\n";
}

void drop(std::string& out, std::string_view key) { ((out += "delete ") += key) += "\r\n"; }

class BeanstalkdWire final : public Wire {
 public:
  bool takes_apart() const override { return true; }
  void greet_putter(std::string& out) override { out += "use jobs\r\n"; }
  void greet_taker(std::string& out) override { out += "watch results\r\nignore default\r\n"; }
  void greet_worker(std::string& out) override {
    (out += "use results\r\nwatch jobs\r\nignore default\r\n") += kReserve;
  }
  void submit(std::string& out, std::uint64_t, std::string_view payload) override {
    if (holding_) out += "use jobs\r\n";
    holding_ = false;
    put(out, payload);
  }
  void hold(std::string& out, std::uint64_t, std::string_view payload) override {
    if (!holding_) out += "use held\r\n";
    holding_ = true;
    put(out, payload);
  }
  void ask(std::string& out, std::uint64_t open) override {
    for (; asked_ < std::min(open, kReservesMax); ++asked_) out += kReserve;
  }
  void taken(std::string& out, const Message& result) override {
    drop(out, result.key);
    --asked_;
  }
  Message next(std::string_view in, std::string&) override {
    const auto line = line_of(in);
    if (!line.whole) return {};
    Message message{.kind = Message::Kind::Other, .bytes = line.bytes};
    if (line.text.starts_with("INSERTED ")) {
      message.kind = Message::Kind::Accepted;
      message.accepted = 1;
    } else if (line.text.starts_with("RESERVED ")) {
      const auto size = last_number(line.text);
      if (in.size() - line.bytes < size + 2) return {};
      message.kind = Message::Kind::Payloads;
      message.payloads.push_back(in.substr(line.bytes, size));
      message.key = line.text.substr(9, line.text.rfind(' ') - 9);
      message.bytes += size + 2;
    } else if (line.text != "DELETED" && !line.text.starts_with("USING") &&
               !line.text.starts_with("WATCHING")) {
      give_up("beanstalkd says " + std::string(line.text));
    }
    return message;
  }
  void answer(std::string& out, const Message& job) override {
    put(out, job.payloads.front());
    drop(out, job.key);
    out += kReserve;
  }

 private:
  std::uint64_t asked_ = 0;
  bool holding_ = false;
};

}  // namespace

std::unique_ptr<Wire> beanstalkd_wire() { return std::make_unique<BeanstalkdWire>(); }

}  // namespace warmpool::compare
