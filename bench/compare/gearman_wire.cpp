// Foreground jobs of the function `echo`, background jobs of a function that nobody knows. A worker
// takes one job at a time, as its libraries do, and sends result and next grab in one write.
// Source: PROTOCOL of gearmand.
#include "bench/compare/wire.hpp"

namespace warmpool::compare {

namespace {

constexpr std::size_t kHeaderBytes = 12;
constexpr std::uint32_t kCanDo = 1, kPreSleep = 4, kNoop = 6, kSubmit = 7, kCreated = 8, kGrab = 9,
                        kNoJob = 10, kAssign = 11, kComplete = 13, kSubmitBackground = 18;

void number(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
}

std::uint32_t number_at(std::string_view in, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(in[at + i]);
  return value;
}

void packet(std::string& out, std::uint32_t kind, std::string_view head,
            std::string_view data = {}) {
  out.append("\0REQ", 4);
  number(out, kind);
  number(out, static_cast<std::uint32_t>(head.size() + data.size()));
  (out += head) += data;
}

// Takes a text that ends with NUL off the front.
std::string_view cut(std::string_view& text) {
  const auto end = text.find('\0');
  const auto front = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return front;
}

class GearmanWire final : public Wire {
 public:
  explicit GearmanWire(bool is_kept) : is_kept_(is_kept) {}
  void greet_worker(std::string& out) override {
    packet(out, kCanDo, "echo");
    packet(out, kGrab, {});
  }
  void submit(std::string& out, std::uint64_t id, std::string_view payload) override {
    packet(out, kSubmit, named("echo", id), payload);
  }
  void hold(std::string& out, std::uint64_t id, std::string_view payload) override {
    packet(out, kSubmitBackground, named("held", id), payload);
  }
  Message next(std::string_view in, std::string& out) override {
    if (in.size() < kHeaderBytes) return {};
    const auto kind = number_at(in, 4);
    const std::size_t size = number_at(in, 8);
    if (in.size() - kHeaderBytes < size) return {};
    auto data = in.substr(kHeaderBytes, size);
    Message message{.kind = Message::Kind::Other, .bytes = kHeaderBytes + size};
    if (kind == kNoJob) packet(out, kPreSleep, {});
    if (kind == kNoop) packet(out, kGrab, {});
    if (kind == kCreated) {
      message.kind = Message::Kind::Accepted;
      message.accepted = 1;
    } else if (kind == kAssign || kind == kComplete) {
      message.kind = Message::Kind::Payloads;
      message.key = cut(data);
      if (kind == kAssign) cut(data);  // the function
      message.payloads.push_back(data);
    } else if (kind != kNoJob && kind != kNoop) {
      give_up("gearmand says packet " + std::to_string(kind) + " " + std::string(data));
    }
    return message;
  }
  void answer(std::string& out, const Message& job) override {
    std::string head(job.key);
    packet(out, kComplete, head += '\0', job.payloads.front());
    packet(out, kGrab, {});
  }

 private:
  // Function and unique name. A queue on disk keeps one job of each name. In memory a name is of no
  // use and dear: its table of names does not grow, so that 700,000 waiting jobs with names came in
  // at 6,000 a second.
  std::string named(std::string_view function, std::uint64_t id) const {
    std::string head(function);
    head += '\0';
    if (is_kept_) head += std::to_string(id);
    return head += '\0';
  }

  bool is_kept_;
};

}  // namespace

std::unique_ptr<Wire> gearman_wire(bool is_kept) { return std::make_unique<GearmanWire>(is_kept); }

}  // namespace warmpool::compare
