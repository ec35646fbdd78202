// One walk over a value and all that it holds, in the order of the fields. Sinks take what is met:
// bytes of an image, or a digest. The way back is reader.hpp.
#pragma once

#include <cstdint>
#include <string>

#include "pool/image/kinds.hpp"

namespace warmpool::image {

// Small numbers of either sign are small.
constexpr std::uint64_t zigzag(std::int64_t number) {
  return static_cast<std::uint64_t>(number) << 1 ^ static_cast<std::uint64_t>(number >> 63);
}
constexpr std::int64_t unzigzag(std::uint64_t number) {
  return static_cast<std::int64_t>(number >> 1) ^ -static_cast<std::int64_t>(number & 1);
}

// A sink has number(std::uint64_t) and text(std::string_view); also, if it likes, met(value) for
// single types, which says whether that was all of them.
template <class Sink, class T>
void walk(Sink& sink, const T& value);

template <class Sink, class T>
void walk_each(Sink& sink, const T& values) {
  sink.number(values.size());
  for (const auto& value : values) walk(sink, value);
}

template <class Sink, Optioned T>
void walk_options(Sink& sink, const T& options) {
  for (const auto& row : rows_of(options)) {
    if (is_left_out(row.name)) continue;
    std::visit([&](auto field) { walk(sink, options.*field); }, row.field);
  }
}

template <class Sink, class T>
void walk(Sink& sink, const T& value) {
  if constexpr (requires { sink.met(value); }) {
    sink.met(value);
  } else if constexpr (std::is_enum_v<T>) {
    sink.number(static_cast<std::uint64_t>(value));
  } else if constexpr (std::signed_integral<T>) {
    sink.number(zigzag(value));
  } else if constexpr (std::integral<T>) {
    sink.number(value);
  } else if constexpr (Text<T>) {
    sink.text(value);
  } else if constexpr (Optioned<T>) {
    walk_options(sink, value);
  } else if constexpr (List<T> || Map<T>) {
    walk_each(sink, value);
  } else if constexpr (Lookup<T>) {
    walk_each(sink, value.sorted());
  } else if constexpr (Array<T>) {
    for (const auto& each : value) walk(sink, each);
  } else if constexpr (Optional<T>) {
    sink.number(value.has_value() ? 1 : 0);
    if (value) walk(sink, *value);
  } else if constexpr (Variant<T>) {
    sink.number(value.index());
    std::visit([&sink](const auto& held) { walk(sink, held); }, value);
  } else if constexpr (Box<T>) {
    walk(sink, *value);
  } else if constexpr (Packed<T>) {
    sink.number(value.pack());
  } else {
    if constexpr (Slab<T>) {
      sink.number(value.places());
      for (std::uint32_t at = 0; at < value.places(); ++at) walk(sink, value[at]);
    }
    const auto fields = fields_of(value);
    std::apply([&sink](const auto&... each) { (walk(sink, each), ...); }, fields);
  }
}

// Numbers in groups of seven bits, the lowest first; the top bit says that more follow.
class ByteSink {
 public:
  // What would be longer than `bytes_max` is cut, and full() says so.
  explicit ByteSink(std::string& out, std::size_t bytes_max = ~std::size_t{0})
      : out_(out), bytes_max_(bytes_max) {}

  void number(std::uint64_t number) {
    if (full()) return;
    while (number >= 0x80) {
      out_.push_back(static_cast<char>(number | 0x80));
      number >>= 7;
    }
    out_.push_back(static_cast<char>(number));
  }
  void text(std::string_view text) {
    number(text.size());
    if (!full()) out_.append(text);
  }
  bool full() const { return out_.size() > bytes_max_; }

 private:
  std::string& out_;
  std::size_t bytes_max_;
};

template <class T>
std::string bytes_of(const T& value) {
  std::string bytes;
  ByteSink sink(bytes);
  walk(sink, value);
  return bytes;
}

// FNV over whole numbers, its high half folded in: equal values have equal digests, and others
// hardly ever.
class DigestSink {
 public:
  void number(std::uint64_t number) {
    state_ = (state_ ^ number) * 0x9E3779B97F4A7C15ULL;
    state_ ^= state_ >> 32;
  }
  void text(std::string_view text) {
    number(text.size());
    for (const char c : text) number(static_cast<unsigned char>(c));
  }
  std::uint32_t digest() const { return static_cast<std::uint32_t>(state_); }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325ULL;
};

}  // namespace warmpool::image
