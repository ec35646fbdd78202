// Members of a daemon's document that may be missing or of another kind, as from another version.
#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

namespace warmpool::cli {

// Empty where it is no text.
inline std::string text_of(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// 0 where it is no whole number.
inline std::uint64_t number_of(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number_integer() ? found->get<std::uint64_t>() : 0;
}

}  // namespace warmpool::cli
