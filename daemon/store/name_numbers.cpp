// Numbers count from 1 and are never given again, so a row of an old life keeps its name.
#include "daemon/store/name_numbers.hpp"

#include "pool/require.hpp"

namespace warmpool::daemon {

void NameNumbers::know(std::uint32_t number, std::string name) {
  REQUIRE(number == newest() + 1);
  if (names_.empty()) names_.emplace_back();  // there is no number 0
  known_.emplace(name, number);
  names_.push_back(std::move(name));
}

const std::string& NameNumbers::name_of(std::uint32_t number) const {
  static const std::string none;
  return number < names_.size() ? names_[number] : none;
}

void NameNumbers::join(std::uint32_t id, std::uint32_t number) {
  if (numbers_.size() <= id) numbers_.resize(id + std::size_t{1});
  numbers_[id] = number;
}

std::uint32_t NameNumbers::number(std::uint32_t id, std::string name,
                                  std::vector<Change>& changes) {
  const auto found = known_.find(name);
  const bool is_new = found == known_.end();
  const auto number = is_new ? newest() + 1 : found->second;
  if (is_new) {
    changes.push_back(change::Named{kind_, number, name});
    know(number, std::move(name));
  }
  join(id, number);
  return number;
}

}  // namespace warmpool::daemon
