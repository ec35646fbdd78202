// Members of a daemon's document that may be missing or of another kind, as from another version.
#pragma once

#include <algorithm>
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

// 0 where it is no number.
inline double real_of(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number() ? found->get<double>() : 0;
}

// Empty where it is none.
inline const nlohmann::json& list_of(const nlohmann::json& object, const char* name) {
  static const nlohmann::json none = nlohmann::json::array();
  const auto found = object.find(name);
  return found != object.end() && found->is_array() ? *found : none;
}
inline const nlohmann::json& object_of(const nlohmann::json& object, const char* name) {
  static const nlohmann::json none = nlohmann::json::object();
  const auto found = object.find(name);
  return found != object.end() && found->is_object() ? *found : none;
}

// Of a list of objects the one with this name; an empty object where there is none.
inline const nlohmann::json& named(const nlohmann::json& rows, const std::string& name) {
  static const nlohmann::json none = nlohmann::json::object();
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const nlohmann::json& row) {
    return row.is_object() && text_of(row, "name") == name;
  });
  return found == rows.end() ? none : *found;
}

inline bool has(const nlohmann::json& list, const std::string& text) {
  return std::any_of(list.begin(), list.end(), [&](const auto& each) { return each == text; });
}

}  // namespace warmpool::cli
