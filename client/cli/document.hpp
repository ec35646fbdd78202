// A JSON document of the daemon, laid out for people.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace warmpool::cli {

// Objects become sections of "name  value" lines, lists of objects become tables; a value is
// written by the unit at the end of its name (_ns, _us, _ms, _s, _bytes; a rate as a percentage).
std::string document_text(const nlohmann::ordered_json& document, bool bold);
// A list of objects with these members as columns, then nothing else; members that no row has are
// left out. Empty `columns`: all members that are no objects or lists.
std::string rows_text(const nlohmann::ordered_json& rows, std::span<const std::string_view> columns,
                      bool bold);
std::string value_text(std::string_view name, const nlohmann::ordered_json& value);

}  // namespace warmpool::cli
