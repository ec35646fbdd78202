// JSON as text: what handlers made is passed on byte by byte and never decoded into numbers.
#pragma once

#include <string>
#include <string_view>

#include "pool/words.hpp"

namespace warmpool::cli {

inline constexpr int kSchema = 1;

// "text" in quotes. Bytes that are not UTF-8 become {"base64":"..."}.
std::string json_string(std::string_view text);
// The text for people: of bytes that are not UTF-8 each stands as \xNN.
std::string readable_text(std::string_view bytes);
// On one line: json as it is, utf8 as a string, other bytes and what is not what it says as
// {"base64":"..."}.
std::string json_payload(Content content, std::string_view bytes);
// The content that a payload given as text has: utf8, or bytes where it is not.
Content content_of_text(std::string_view bytes);
// A document of the daemon with "schema" in front, on one line.
std::string with_schema(std::string_view document);

// {"a":1,"b":"x"} in the order of the calls.
class JsonObject {
 public:
  JsonObject& raw(std::string_view name, std::string_view json);
  JsonObject& text(std::string_view name, std::string_view value);
  JsonObject& number(std::string_view name, std::uint64_t value);
  JsonObject& real(std::string_view name, double value);
  JsonObject& flag(std::string_view name, bool value);
  std::string str() const { return text_ + "}"; }

 private:
  std::string text_ = "{";
};

}  // namespace warmpool::cli
