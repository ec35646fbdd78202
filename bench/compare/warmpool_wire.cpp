// A client of warmpoold. Source: docs/protocol.md, sections 2 and 4.
#include <array>
#include <cstring>

#include "bench/compare/wire.hpp"

namespace warmpool::compare {

namespace {

constexpr std::size_t kHeaderBytes = 32;
constexpr std::uint8_t kHello = 1, kError = 3, kPing = 4, kPong = 5, kTypeName = 6, kSubmit = 16,
                       kReceived = 20, kAccepted = 32, kRefused = 33, kSettled = 34;
constexpr std::uint8_t kWait = 16;

struct Header {
  std::uint32_t body_bytes = 0;
  std::uint16_t meta_bytes = 0;
  std::uint8_t kind = 0, flags = 0;
  std::uint64_t id = 0, token = 0;
  std::uint16_t round = 0, attempt = 0, type = 0;
  std::uint8_t credits = 0, descriptors = 0;
};
static_assert(sizeof(Header) == kHeaderBytes);

void frame(std::string& out, Header header, std::string_view body = {}) {
  header.body_bytes = static_cast<std::uint32_t>(body.size());
  std::array<char, kHeaderBytes> head{};
  std::memcpy(head.data(), &header, kHeaderBytes);
  out.append(head.data(), head.size()).append(body);
}

class WarmpoolWire final : public Wire {
 public:
  // A hello without meta is a client's.
  void greet_putter(std::string& out) override {
    frame(out, {.kind = kHello});
    frame(out, {.meta_bytes = 6, .kind = kTypeName, .type = 0},
          "\x91\xa4"
          "echo");
    frame(out, {.meta_bytes = 6, .kind = kTypeName, .type = 1},
          "\x91\xa4"
          "held");
  }
  void submit(std::string& out, std::uint64_t id, std::string_view payload) override {
    frame(out, {.kind = kSubmit, .flags = kWait, .token = id, .type = 0}, payload);
  }
  void hold(std::string& out, std::uint64_t id, std::string_view payload) override {
    frame(out, {.kind = kSubmit, .token = id, .type = 1}, payload);
  }
  Message next(std::string_view in, std::string& out) override {
    Header header;
    if (in.size() >= kHeaderBytes) std::memcpy(&header, in.data(), kHeaderBytes);
    if (in.size() < kHeaderBytes + header.body_bytes) {
      tell_received(out);
      return {};
    }
    const auto body = in.substr(kHeaderBytes, header.body_bytes);
    Message message{.kind = Message::Kind::Other, .bytes = kHeaderBytes + header.body_bytes};
    if (header.kind == kRefused || header.kind == kError)
      give_up("warmpoold says " + std::string(body));
    if (header.kind == kPing) frame(out, {.kind = kPong, .token = header.token});
    if (header.kind == kAccepted) {
      message.kind = Message::Kind::Accepted;
      message.accepted = 1;
    }
    if (header.kind == kSettled) {
      message.kind = Message::Kind::Payloads;
      message.payloads.push_back(body.substr(header.meta_bytes));
      received_.append(reinterpret_cast<const char*>(&header.id), sizeof header.id);
    }
    return message;
  }

 private:
  // As the library does: the daemon then need not keep the results.
  void tell_received(std::string& out) {
    if (received_.empty()) return;
    frame(out, {.kind = kReceived}, received_);
    received_.clear();
  }

  std::string received_;  // ids, 8 bytes each
};

}  // namespace

std::unique_ptr<Wire> warmpool_wire() { return std::make_unique<WarmpoolWire>(); }

}  // namespace warmpool::compare
