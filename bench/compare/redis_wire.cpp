// Lists: RPUSH to `jobs`, BLMPOP by the workers, RPUSH to `results`, BLMPOP by the client. Source:
// Redis' RESP page.
#include "bench/compare/wire.hpp"

namespace warmpool::compare {

namespace {

constexpr std::uint64_t kResultsMax = 1000;  // of one reply

void add(std::string& out, std::string_view word) {
  out += '$';
  out += std::to_string(word.size());
  out += "\r\n";
  out += word;
  out += "\r\n";
}

void begin(std::string& out, std::size_t words) { out += "*" + std::to_string(words) + "\r\n"; }

void push(std::string& out, std::string_view list, std::string_view payload) {
  begin(out, 3);
  add(out, "RPUSH");
  add(out, list);
  add(out, payload);
}

void pop(std::string& out, std::string_view list, std::uint64_t most) {
  begin(out, 7);
  for (const std::string_view word : {"BLMPOP", "0", "1"}) add(out, word);
  add(out, list);
  for (const std::string_view word : {"LEFT", "COUNT"}) add(out, word);
  add(out, std::to_string(most));
}

// Moves `at` behind one value and collects the texts in it. False: it is not whole yet.
bool read_value(std::string_view in, std::size_t& at, std::vector<std::string_view>& texts) {
  const auto line = line_of(in.substr(at));
  if (!line.whole) return false;
  at += line.bytes;
  if (line.text.starts_with('-')) give_up("redis says " + std::string(line.text));
  if (line.text.starts_with(':') || line.text.starts_with('+') || line.text.ends_with("-1"))
    return true;
  const auto count = last_number(line.text.substr(1));
  if (line.text.starts_with('$')) {
    if (in.size() - at < count + 2) return false;
    texts.push_back(in.substr(at, count));
    at += count + 2;
    return true;
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (!read_value(in, at, texts)) return false;
  }
  return true;
}

class RedisWire final : public Wire {
 public:
  explicit RedisWire(unsigned prefetch) : prefetch_(prefetch) {}
  bool takes_apart() const override { return true; }
  void greet_worker(std::string& out) override { pop(out, "jobs", prefetch_); }
  void submit(std::string& out, std::uint64_t, std::string_view payload) override {
    push(out, "jobs", payload);
  }
  void hold(std::string& out, std::uint64_t, std::string_view payload) override {
    push(out, "held", payload);
  }
  void ask(std::string& out, std::uint64_t open) override {
    if (asked_ || open == 0) return;
    pop(out, "results", kResultsMax);
    asked_ = true;
  }
  void taken(std::string&, const Message&) override { asked_ = false; }
  Message next(std::string_view in, std::string&) override {
    Message message;
    std::size_t at = 0;
    if (in.empty() || !read_value(in, at, message.payloads)) return {};
    message.bytes = at;
    message.kind = in.starts_with('*') ? Message::Kind::Payloads : Message::Kind::Accepted;
    message.accepted = 1;
    if (!message.payloads.empty())
      message.payloads.erase(message.payloads.begin());  // the list's name
    return message;
  }
  void answer(std::string& out, const Message& jobs) override {
    begin(out, 2 + jobs.payloads.size());
    add(out, "RPUSH");
    add(out, "results");
    for (const auto payload : jobs.payloads) add(out, payload);
    pop(out, "jobs", prefetch_);
  }

 private:
  unsigned prefetch_;
  bool asked_ = false;
};

}  // namespace

std::unique_ptr<Wire> redis_wire(unsigned prefetch) {
  return std::make_unique<RedisWire>(prefetch);
}

}  // namespace warmpool::compare
