// The fields of each kind stand in one place, for both ways: a structured binding does not compile
// when a kind gets a field that is not here. Bodies come behind them.
#include "daemon/store/change_codec.hpp"

#include <array>
#include <concepts>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

namespace warmpool::daemon {
namespace {

template <class Value, class Kind>
concept Is = std::same_as<std::remove_const_t<Value>, Kind>;

void fields(Is<IdempotencyKey> auto& value, auto&& each) {
  auto& [high, low, digest, use] = value;
  each(high, low, digest, use);
}
void fields(Is<TaskSpec> auto& value, auto&& each) {
  auto& [type, tenant, priority, durability, cancel, retries, crashes, bytes, timeout, deadline,
         expiry, delay, run_at, key] = value;
  each(type, tenant, priority, durability, cancel, retries, crashes, bytes, timeout, deadline,
       expiry, delay, run_at, key);
}
void fields(Is<record::Used> auto& value, auto&& each) {
  auto& [failures, crashes, interruptions, memory_ends, timeouts] = value;
  each(failures, crashes, interruptions, memory_ends, timeouts);
}
void fields(Is<record::Accepted> auto& value, auto&& each) {
  auto& [task, spec, at, eligible_at] = value;
  each(task, spec, at, eligible_at);
}
void fields(Is<record::Started> auto& value, auto&& each) {
  auto& [task, round, attempt, worker, slot, at] = value;
  each(task, round, attempt, worker, slot, at);
}
void fields(Is<record::Ended> auto& value, auto&& each) {
  auto& [task, round, attempt, worker, cause, charge, code, used, at, eligible_at, held, suspect,
         bound] = value;
  each(task, round, attempt, worker, cause, charge, code, used, at, eligible_at, held, suspect,
       bound);
}
void fields(Is<record::Settled> auto& value, auto&& each) {
  auto& [task, round, attempt, worker, verdict, cause, charge, code, used, at] = value;
  each(task, round, attempt, worker, verdict, cause, charge, code, used, at);
}
void fields(Is<record::Revived> auto& value, auto&& each) {
  auto& [task, round, at, eligible_at, payload_bytes] = value;
  each(task, round, at, eligible_at, payload_bytes);
}
void fields(Is<record::Released> auto& value, auto&& each) {
  auto& [task, at, eligible_at] = value;
  each(task, at, eligible_at);
}
void fields(Is<record::Removed> auto& value, auto&& each) {
  auto& [task, archived, at] = value;
  each(task, archived, at);
}
void fields(Is<record::Kept> auto& value, auto&& each) {
  auto& [task] = value;
  each(task);
}
void fields(Is<record::Checkpointed> auto& value, auto&& each) {
  auto& [task, round, attempt, bytes, at] = value;
  each(task, round, attempt, bytes, at);
}
void fields(Is<AttemptRow> auto& value, auto&& each) {
  auto& [position, slot, started_at, error, output, autopsy, drops, dropped] = value;
  each(position, slot, started_at, error, output, autopsy, drops, dropped);
}
void fields(Is<BodyInFile> auto& value, auto&& each) {
  auto& [bytes, checksum] = value;
  each(bytes, checksum);
}
void fields(Is<KeyText> auto& value, auto&& each) {
  auto& [key, labels] = value;
  each(key, labels);
}
void fields(Is<change::Named> auto& value, auto&& each) {
  auto& [kind, number, name] = value;
  each(kind, number, name);
}
void fields(Is<change::Added> auto& value, auto&& each) {
  auto& [record, type, tenant, uid, content, keep_result, body, file, texts, in_file] = value;
  each(record, type, tenant, uid, content, keep_result, file, texts);
}
void fields(Is<change::Started> auto& value, auto&& each) {
  auto& [record, slot] = value;
  each(record, slot);
}
void fields(Is<change::Ended> auto& value, auto&& each) {
  auto& [record, attempt, bound] = value;
  each(record, attempt, bound);
}
void fields(Is<change::Buried> auto& value, auto&& each) {
  auto& [record, attempt] = value;
  each(record, attempt);
}
void fields(Is<change::Finished> auto& value, auto&& each) {
  auto& [record, slot, started_at, attempts, content, has_key, body, file, attempt, in_file] =
      value;
  each(record, slot, started_at, attempts, content, has_key, file, attempt);
}
void fields(Is<change::Revived> auto& value, auto&& each) {
  auto& [record, content, body, file, in_file] = value;
  each(record, content, file);
}
void fields(Is<change::Checkpointed> auto& value, auto&& each) {
  auto& [record, content, body] = value;
  each(record, content, body);
}
void fields(Is<change::CheckpointGone> auto& value, auto&& each) {
  auto& [task] = value;
  each(task);
}
void fields(Is<change::Paused> auto& value, auto&& each) {
  auto& [scope, name, paused] = value;
  each(scope, name, paused);
}
void fields(Is<change::Received> auto& value, auto&& each) {
  auto& [task] = value;
  each(task);
}
void fields(Is<change::Cleaned> auto& value, auto&& each) {
  auto& [task] = value;
  each(task);
}

template <class Value>
concept HasValue = requires(Value& value) {
  value.value;
};
template <class Value>
concept HasNanoseconds = requires(Value& value) {
  value.ns;
};
// Of a body that has a file only what its row says is written.
template <class Value>
concept HasBody = requires(Value& value) {
  value.in_file;
};
template <class Value>
concept IsNumber = std::integral<Value> && !std::same_as<Value, bool>;

// Numbers are gathered before they are appended: a change has some forty of them.
class Encoder {
 public:
  explicit Encoder(std::string& to) : to_(to) {}
  ~Encoder() { flush(); }
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  void put(IsNumber auto value) {
    if constexpr (std::is_signed_v<decltype(value)>) {
      const std::int64_t wide = value;
      put_bits(static_cast<std::uint64_t>(wide) << 1 ^ static_cast<std::uint64_t>(wide >> 63));
    } else {
      put_bits(value);
    }
  }
  void put(bool value) { put_bits(value ? 1 : 0); }
  template <class Word>
  requires std::is_enum_v<Word>
  void put(Word value) { put(static_cast<std::underlying_type_t<Word>>(value)); }
  void put(const HasValue auto& value) { put(value.value); }
  void put(const HasNanoseconds auto& value) { put(value.ns); }
  void put(const BodyFile& file) { put(file.number); }
  void put(const std::string& text) { put_bytes(ipc::bytes_of(text)); }
  void put(const Blob& body) { put_bytes(body.bytes()); }
  template <class Value>
  void put(const std::optional<Value>& value) {
    put(value.has_value());
    if (value) put(*value);
  }
  template <class Value>
  void put(const std::unique_ptr<Value>& value) {
    put(value != nullptr);
    if (value) put(*value);
  }
  template <class Value>
  requires requires(const Value& value) {
    fields(value, [](const auto&...) {});
  }
  void put(const Value& value) {
    fields(value, [this](const auto&... each) { (this->put(each), ...); });
    if constexpr (HasBody<const Value>) {
      if (value.file) {
        put(body_in_file(value));
      } else {
        put(value.body);
      }
    }
  }

 private:
  void put_bits(std::uint64_t bits) {
    if (used_ + kBitsBytesMax > gathered_.size()) flush();
    for (; bits >= 0x80; bits >>= 7) gathered_[used_++] = static_cast<char>(bits | 0x80);
    gathered_[used_++] = static_cast<char>(bits);
  }
  void put_bytes(ipc::Bytes bytes) {
    put_bits(bytes.size());
    flush();
    to_ += ipc::text_of(bytes);
  }
  void flush() { to_.append(gathered_.data(), std::exchange(used_, 0)); }

  static constexpr std::size_t kBitsBytesMax = 10;
  std::string& to_;
  std::array<char, 128> gathered_;
  std::size_t used_ = 0;
};

// After a fault nothing more is taken.
class Decoder {
 public:
  explicit Decoder(ipc::Bytes& from) : from_(from) {}
  bool good() const { return good_; }

  template <IsNumber Number>
  void take(Number& value) {
    const auto bits = take_bits();
    if constexpr (std::is_signed_v<Number>) {
      const auto wide = static_cast<std::int64_t>(bits >> 1 ^ (~(bits & 1) + 1));
      good_ = good_ && wide >= std::numeric_limits<Number>::min() &&
              wide <= std::numeric_limits<Number>::max();
      value = static_cast<Number>(wide);
    } else {
      good_ = good_ && bits <= std::numeric_limits<Number>::max();
      value = static_cast<Number>(bits);
    }
  }
  void take(bool& value) {
    std::uint8_t byte = 0;
    take(byte);
    good_ = good_ && byte <= 1;
    value = byte == 1;
  }
  template <class Word>
  requires std::is_enum_v<Word>
  void take(Word& word) {
    std::underlying_type_t<Word> number{};
    take(number);
    good_ = good_ && is_known(static_cast<Word>(number));
    word = static_cast<Word>(number);
  }
  void take(HasValue auto& value) { take(value.value); }
  void take(HasNanoseconds auto& value) { take(value.ns); }
  void take(BodyFile& file) { take(file.number); }
  void take(std::string& text) { text = ipc::text_of(take_bytes()); }
  void take(Blob& body) { body = Blob(take_bytes()); }
  template <class Value>
  void take(std::optional<Value>& value) {
    bool there = false;
    take(there);
    value.reset();
    if (good_ && there) take(value.emplace());
  }
  template <class Value>
  void take(std::unique_ptr<Value>& value) {
    bool there = false;
    take(there);
    value.reset();
    if (good_ && there) take(*(value = std::make_unique<Value>()));
  }
  template <class Value>
  requires requires(Value& value) {
    fields(value, [](auto&...) {});
  }
  void take(Value& value) {
    fields(value, [this](auto&... each) { (this->take(each), ...); });
    if constexpr (HasBody<Value>) {
      if (value.file) {
        take(value.in_file.emplace());
      } else {
        take(value.body);
      }
    }
  }

 private:
  static bool is_known(NameKind kind) { return kind <= NameKind::Slot; }
  template <class Word>
  static bool is_known(Word word) {
    for (const auto& row : Words<Word>::rows) {
      if (row.value == word) return true;
    }
    return false;
  }

  std::uint64_t take_bits() {
    std::uint64_t bits = 0;
    for (unsigned shift = 0; good_; shift += 7) {
      if (from_.empty() || shift > 63) break;
      const auto byte = std::to_integer<std::uint64_t>(from_.front());
      from_ = from_.subspan(1);
      if (shift == 63 && byte > 1) break;
      bits |= (byte & 0x7f) << shift;
      if (byte < 0x80) return bits;
    }
    good_ = false;
    return 0;
  }
  ipc::Bytes take_bytes() {
    const auto count = take_bits();
    good_ = good_ && count <= from_.size();
    if (!good_) return {};
    const auto bytes = from_.first(static_cast<std::size_t>(count));
    from_ = from_.subspan(bytes.size());
    return bytes;
  }

  ipc::Bytes& from_;
  bool good_ = true;
};

template <std::size_t... Places>
bool decode_kind(std::size_t kind, Decoder& decoder, Change& change,
                 std::index_sequence<Places...>) {
  const auto take = [&]<std::size_t Place>() {
    decoder.take(change.emplace<Place>());
    return true;
  };
  return ((kind == Places && take.template operator()<Places>()) || ...) && decoder.good();
}

}  // namespace

void encode_change(const Change& change, std::string& to) {
  Encoder encoder(to);
  encoder.put(static_cast<std::uint8_t>(change.index()));
  std::visit([&](const auto& each) { encoder.put(each); }, change);
}

bool decode_change(ipc::Bytes& from, Change& change) {
  Decoder decoder(from);
  std::uint8_t kind = 0;
  decoder.take(kind);
  return decoder.good() && decode_kind(kind, decoder, change,
                                       std::make_index_sequence<std::variant_size_v<Change>>());
}

}  // namespace warmpool::daemon
