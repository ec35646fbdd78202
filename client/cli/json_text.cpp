// A result goes from a handler to the next program without a number changing: 64-bit integers and
// long decimals do not survive a parser that makes doubles of them. So JSON is checked by a parser
// that keeps nothing, and then copied. In valid JSON a line feed can only stand between tokens, so
// one line is made by blanks in their place.
#include "client/cli/json_text.hpp"

#include <algorithm>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "client/cli/format.hpp"
#include "ipc/bytes.hpp"

namespace warmpool::cli {

namespace {

std::string on_one_line(std::string_view json) {
  std::string line(json);
  std::replace(line.begin(), line.end(), '\n', ' ');
  std::replace(line.begin(), line.end(), '\r', ' ');
  return line;
}

std::string base64_object(std::string_view bytes) {
  return "{\"base64\":\"" + base64(bytes) + "\"}";
}

}  // namespace

std::string json_string(std::string_view text) {
  if (!ipc::is_utf8(text)) return base64_object(text);
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += {'\\', c};
    } else if (c == '\n') {
      quoted += "\\n";
    } else if (c == '\t') {
      quoted += "\\t";
    } else if (c == '\r') {
      quoted += "\\r";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == '\x7f') {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
      quoted += escaped;
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

std::string readable_text(std::string_view bytes) {
  constexpr std::size_t character_bytes_max = 4;
  std::string text;
  while (!bytes.empty()) {
    std::size_t size = 1;
    while (size <= character_bytes_max && !ipc::is_utf8(bytes.substr(0, size))) ++size;
    if (size <= character_bytes_max) {
      text += bytes.substr(0, size);
    } else {
      char escaped[8];
      size = 1;
      std::snprintf(escaped, sizeof escaped, "\\x%02x", static_cast<unsigned char>(bytes.front()));
      text += escaped;
    }
    bytes.remove_prefix(size);
  }
  return text;
}

std::string json_payload(Content content, std::string_view bytes) {
  if (content == Content::Json && nlohmann::json::accept(bytes)) return on_one_line(bytes);
  const bool is_text = content == Content::Json || content == Content::Utf8;
  return is_text ? json_string(bytes) : base64_object(bytes);
}

Content content_of_text(std::string_view bytes) {
  return ipc::is_utf8(bytes) ? Content::Utf8 : Content::Bytes;
}

std::string with_schema(std::string_view document) {
  const auto parsed = nlohmann::ordered_json::parse(document, nullptr, false);
  if (parsed.is_object() && parsed.contains("schema")) return on_one_line(document);
  if (!parsed.is_object())
    return JsonObject().number("schema", kSchema).raw("value", on_one_line(document)).str();
  const std::string line = on_one_line(document);
  const std::string rest = line.substr(line.find('{') + 1);
  return "{\"schema\":" + std::to_string(kSchema) + (parsed.empty() ? "" : ",") + rest;
}

JsonObject& JsonObject::raw(std::string_view name, std::string_view json) {
  if (text_.size() > 1) text_ += ",";
  text_ += json_string(name) + ":";
  text_ += json;
  return *this;
}

JsonObject& JsonObject::text(std::string_view name, std::string_view value) {
  return raw(name, json_string(value));
}

JsonObject& JsonObject::number(std::string_view name, std::uint64_t value) {
  return raw(name, std::to_string(value));
}

JsonObject& JsonObject::real(std::string_view name, double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return raw(name, text);
}

JsonObject& JsonObject::flag(std::string_view name, bool value) {
  return raw(name, value ? "true" : "false");
}

}  // namespace warmpool::cli
