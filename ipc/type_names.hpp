// Names of task types as numbers: each direction of a connection has its own, given by the sender.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "pool/result.hpp"

namespace warmpool::ipc {

// Numbers are given from 0 without gaps; a number may be given again.
inline constexpr std::uint16_t kTypeNamesMax = 4'096;

// The sender's side.
class TypeNumbers {
 public:
  struct Given {
    std::uint16_t number;
    bool is_new;  // send *type-name* before the frame that uses it
  };
  // Bounds: after kTypeNamesMax names the oldest numbers are given again.
  Given number_of(std::string_view name);
  // Some number stands for another name than at first, so a sender that keeps numbers must ask.
  bool gives_again() const { return gives_again_; }

 private:
  std::unordered_map<std::string, std::uint16_t> numbers_;
  std::vector<std::string> names_;
  std::size_t next_ = 0;
  bool gives_again_ = false;
};

// The receiver's side.
class TypeNames {
 public:
  // Errors: BadFrame: a number with a gap before it or from kTypeNamesMax up; BadMeta: an empty
  // name.
  Result<void> learn(std::uint16_t number, std::string_view name);
  // Empty for a number that was never given.
  std::string_view name_of(std::uint16_t number) const;

 private:
  std::vector<std::string> names_;
};

}  // namespace warmpool::ipc
