#include "daemon/store/row_texts.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace warmpool::daemon {
namespace {

std::vector<std::string> list_of(std::string_view json) {
  std::vector<std::string> texts;
  const auto list = nlohmann::json::parse(json, nullptr, false);
  for (const auto& each : list) {
    if (each.is_string()) texts.push_back(each.get<std::string>());
  }
  return texts;
}

}  // namespace

std::optional<IdempotencyKey> key_at(const FileRow& row, int column) {
  if (row.is_null(column + 3)) return std::nullopt;
  return IdempotencyKey{row.bits(column), row.bits(column + 1), row.bits(column + 2),
                        row.word<KeyUse>(column + 3)};
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

void add_texts(std::string_view key, std::string_view labels, Attachment& attachment) {
  if (key.empty() && labels.empty()) return;
  attachment.texts = std::make_unique<TaskTexts>();
  attachment.texts->key = key;
  if (!labels.empty()) attachment.texts->labels = list_of(labels);
}

}  // namespace warmpool::daemon
