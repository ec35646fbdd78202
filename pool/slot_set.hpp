// A set of slots of one class by their index, one bit each, so that "the next free one after the
// cursor" costs a few words also with 500 workers.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <tuple>
#include <vector>

namespace warmpool {

class SlotSet {
 public:
  void set(std::uint16_t index, bool in) {
    const std::size_t word = index / 64;
    if (word >= words_.size()) words_.resize(word + 1);
    const std::uint64_t bit = std::uint64_t{1} << (index % 64);
    const bool was = (words_[word] & bit) != 0;
    if (was == in) return;
    words_[word] ^= bit;
    count_ += in ? 1 : std::size_t{0} - 1;
  }

  bool has(std::uint16_t index) const {
    const std::size_t word = index / 64;
    return word < words_.size() && ((words_[word] >> (index % 64)) & 1) != 0;
  }

  std::size_t count() const { return count_; }
  bool empty() const { return count_ == 0; }

  // The first at or after `from`; nullopt if none.
  std::optional<std::uint16_t> next(std::size_t from) const {
    for (std::size_t word = from / 64; word < words_.size(); ++word) {
      std::uint64_t bits = words_[word];
      if (word == from / 64) bits &= ~std::uint64_t{0} << (from % 64);
      if (bits != 0) {
        return static_cast<std::uint16_t>(64 * word +
                                          static_cast<std::size_t>(std::countr_zero(bits)));
      }
    }
    return std::nullopt;
  }

  template <class Visit>
  void each(Visit visit) const {
    for (auto at = next(0); at; at = next(*at + std::size_t{1})) visit(*at);
  }

  static auto fields(auto& self) {
    auto& [words, count] = self;
    return std::tie(words, count);
  }

 private:
  std::vector<std::uint64_t> words_;
  std::size_t count_ = 0;
};

}  // namespace warmpool
