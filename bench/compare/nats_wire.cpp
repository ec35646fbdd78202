// Request and reply through a queue group; at most once, nothing is kept. Source: the client
// protocol page of NATS.
#include "bench/compare/wire.hpp"

namespace warmpool::compare {

namespace {

constexpr std::string_view kConnect = "CONNECT {\"verbose\":false,\"pedantic\":false}\r\n";

void publish(std::string& out, std::string_view subject, std::string_view reply,
             std::string_view payload) {
  out += "PUB ";
  out += subject;
  out += ' ';
  if (!reply.empty()) (out += reply) += ' ';
  out += std::to_string(payload.size());
  out += "\r\n";
  out += payload;
  out += "\r\n";
}

// MSG subject sid [reply] bytes
std::string_view reply_of(std::string_view line) {
  const auto bytes_at = line.rfind(' ');
  const auto reply_at = line.rfind(' ', bytes_at - 1) + 1;
  return line.substr(reply_at, bytes_at - reply_at);
}

class NatsWire final : public Wire {
 public:
  void greet_putter(std::string& out) override { (out += kConnect) += "SUB results 1\r\n"; }
  void greet_worker(std::string& out) override { (out += kConnect) += "SUB jobs workers 1\r\n"; }
  void submit(std::string& out, std::uint64_t, std::string_view payload) override {
    publish(out, "jobs", "results", payload);
  }
  void hold(std::string&, std::uint64_t, std::string_view) override {
    give_up("nats keeps nothing without JetStream");
  }
  Message next(std::string_view in, std::string& out) override {
    const auto line = line_of(in);
    if (!line.whole) return {};
    Message message{.kind = Message::Kind::Other, .bytes = line.bytes};
    if (line.text.starts_with("-ERR")) give_up("nats says " + std::string(line.text));
    if (line.text == "PING") out += "PONG\r\n";
    if (!line.text.starts_with("MSG ")) return message;
    const auto size = last_number(line.text);
    if (in.size() - line.bytes < size + 2) return {};
    message.kind = Message::Kind::Payloads;
    message.payloads.push_back(in.substr(line.bytes, size));
    message.key = reply_of(line.text);
    message.bytes += size + 2;
    return message;
  }
  void answer(std::string& out, const Message& job) override {
    publish(out, job.key, {}, job.payloads.front());
  }
};

}  // namespace

std::unique_ptr<Wire> nats_wire() { return std::make_unique<NatsWire>(); }

}  // namespace warmpool::compare
