// Numbers are given again from the first on when all are in use: a program that uses more names
// than numbers pays a *type-name* frame now and then, and neither end keeps more than the bound.
#include "ipc/type_names.hpp"

#include "ipc/fault.hpp"

namespace warmpool::ipc {

TypeNumbers::Given TypeNumbers::number_of(std::string_view name) {
  std::string text(name);
  if (auto known = numbers_.find(text); known != numbers_.end()) return {known->second, false};
  const std::size_t number = next_;
  next_ = (next_ + 1) % kTypeNamesMax;
  if (number < names_.size()) {
    gives_again_ = true;
    numbers_.erase(names_[number]);
    names_[number] = text;
  } else {
    names_.push_back(text);
  }
  const auto short_number = static_cast<std::uint16_t>(number);
  numbers_.emplace(std::move(text), short_number);
  return {short_number, true};
}

Result<void> TypeNames::learn(std::uint16_t number, std::string_view name) {
  if (name.empty()) return refusal(Refusal::BadMeta, "type-name: the name is empty");
  if (number > names_.size() || number >= kTypeNamesMax) {
    return refusal(Refusal::BadFrame, "type-name: number " + std::to_string(number) +
                                          " leaves a gap or is over the most, 4095");
  }
  if (number == names_.size()) names_.emplace_back();
  names_[number] = name;
  return {};
}

std::string_view TypeNames::name_of(std::uint16_t number) const {
  return number < names_.size() ? std::string_view(names_[number]) : std::string_view();
}

}  // namespace warmpool::ipc
