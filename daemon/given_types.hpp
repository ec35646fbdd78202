// Which number stands for a task type on a worker's channel.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "ipc/type_names.hpp"
#include "pool/ids.hpp"

namespace warmpool::daemon {

// Of a type that was given before no text is looked at, as long as each number stands for the name
// that it first stood for.
class GivenTypes {
 public:
  // `name`: the type's.
  ipc::TypeNumbers::Given number_of(TypeId type, std::string_view name) {
    const bool known = type.value < known_.size() && known_[type.value] != kUnknown;
    if (known && !numbers_.gives_again()) return {known_[type.value], false};
    const auto given = numbers_.number_of(name);
    if (type.value >= known_.size()) known_.resize(type.value + 1, kUnknown);
    known_[type.value] = given.number;
    return given;
  }

 private:
  static constexpr std::uint16_t kUnknown = 0xffff;
  static_assert(kUnknown >= ipc::kTypeNamesMax);

  ipc::TypeNumbers numbers_;
  std::vector<std::uint16_t> known_;  // by type
};

}  // namespace warmpool::daemon
