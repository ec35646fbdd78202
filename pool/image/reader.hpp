// Values out of the bytes that ByteSink made. Any bytes may come: what cannot be is refused, and
// memory follows what was read, never a count that was only claimed.
#pragma once

#include <cstdint>
#include <limits>

#include "pool/image/walk.hpp"

namespace warmpool::image {

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  // False from the first byte on that cannot be; values read after that mean nothing.
  bool good() const { return good_; }
  bool empty() const { return rest_.empty(); }
  void refuse() { good_ = false; }

  std::uint64_t number() {
    std::uint64_t number = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) break;
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      if (shift == 63 && byte > 1) break;
      number |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return number;
    }
    refuse();
    return 0;
  }

  template <class T>
  void get(T& value);

 private:
  template <std::integral T>
  void get_number(T& value) {
    const auto raw = number();
    if constexpr (std::signed_integral<T>) {
      const auto wide = unzigzag(raw);
      value = static_cast<T>(wide);
      if (value != wide) refuse();
    } else {
      value = static_cast<T>(raw);
      if (value != raw) refuse();
    }
  }
  template <class Enum>
  void get_word(Enum& value) {
    const auto raw = number();
    if (!is_known<Enum>(raw)) return refuse();
    value = static_cast<Enum>(raw);
  }
  void get_text(std::string& value) {
    const auto size = number();
    if (!good_ || size > rest_.size()) return refuse();
    value.assign(rest_.substr(0, size));
    rest_.remove_prefix(size);
  }
  template <class T>
  void get_list(T& values) {
    values.clear();
    for (auto left = number(); left > 0 && good_; --left) {
      typename T::value_type value{};
      get(value);
      values.push_back(std::move(value));
    }
  }
  template <class T>
  void get_map(T& values) {
    values.clear();
    for (auto left = number(); left > 0 && good_; --left) {
      typename T::key_type key{};
      typename T::mapped_type value{};
      get(key);
      get(value);
      values.emplace(std::move(key), std::move(value));
    }
  }
  template <class T>
  void get_lookup(T& lookup) {
    for (auto left = number(); left > 0 && good_; --left) {
      std::uint64_t key = 0;
      typename T::Mapped value{};
      get(key);
      get(value);
      if (key == 0 || lookup.find(key) != nullptr) return refuse();
      lookup.insert(key, std::move(value));
    }
  }
  template <class T>
  void get_optional(T& value) {
    value.reset();
    bool has = false;
    get(has);
    if (has && good_) get(value.emplace());
  }
  template <std::size_t At = 0, class T>
  void get_alternative(T& value, std::uint64_t index) {
    if constexpr (At < std::variant_size_v<T>) {
      if (index == At) return get(value.template emplace<At>());
      get_alternative<At + 1>(value, index);
    } else {
      refuse();
    }
  }
  template <Optioned T>
  void get_options(T& options) {
    for (const auto& row : rows_of(options)) {
      if (!is_left_out(row.name)) {
        std::visit([&](auto field) { get(options.*field); }, row.field);
      }
    }
  }

  std::string_view rest_;
  bool good_ = true;
};

template <class T>
void Reader::get(T& value) {
  if (!good_) return;
  if constexpr (std::is_enum_v<T>) {
    get_word(value);
  } else if constexpr (std::integral<T>) {
    get_number(value);
  } else if constexpr (Text<T>) {
    get_text(value);
  } else if constexpr (Optioned<T>) {
    get_options(value);
  } else if constexpr (List<T>) {
    get_list(value);
  } else if constexpr (Map<T>) {
    get_map(value);
  } else if constexpr (Lookup<T>) {
    get_lookup(value);
  } else if constexpr (Array<T>) {
    for (auto& each : value) get(each);
  } else if constexpr (Optional<T>) {
    get_optional(value);
  } else if constexpr (Variant<T>) {
    get_alternative(value, number());
  } else if constexpr (Packed<T>) {
    auto bits = value.pack();
    get(bits);
    if (!value.unpack(bits)) refuse();
  } else if constexpr (Box<T>) {
    value = std::make_unique<typename T::element_type>();
    get(*value);
  } else {
    if constexpr (Slab<T>) {
      for (auto left = number(); left > 0 && good_; --left) get(value[value.add_place()]);
    }
    auto fields = fields_of(value);
    std::apply([this](auto&... each) { (this->get(each), ...); }, fields);
    if constexpr (Slab<T>) {
      if (good_ && !value.restore()) refuse();
    }
  }
}

}  // namespace warmpool::image
