// Texts and not the frames of workers: a template is asked a few times in its life, and who writes
// one in another language needs no msgpack for it.
#include "ipc/template_frames.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace warmpool::ipc {
namespace {

using Kind = TemplateAnswer::Kind;

constexpr std::string_view kFork = "fork";
// Beyond it nobody sets that many variables; bounds what a packet of NULs costs.
constexpr std::size_t kFieldsMax = 4096;

struct Row {
  Kind kind;
  std::string_view word;
  bool number, pid, text;
};
constexpr std::array<Row, 5> kRows{{
    {Kind::Ready, "ready", true, false, false},
    {Kind::Unfit, "unfit", false, false, true},
    {Kind::Forked, "forked", true, true, false},
    {Kind::Done, "done", true, false, false},
    {Kind::Failed, "failed", true, false, true},
}};

void append(std::string& packet, std::string_view field) {
  packet += field;
  packet += '\0';
}

// None where a field does not end or there are too many.
std::optional<std::vector<std::string_view>> fields_of(std::string_view packet) {
  if (packet.size() > kTemplateBytesMax) return std::nullopt;
  std::vector<std::string_view> fields;
  while (!packet.empty()) {
    const auto end = packet.find('\0');
    if (end == std::string_view::npos || fields.size() == kFieldsMax) return std::nullopt;
    fields.push_back(packet.substr(0, end));
    packet.remove_prefix(end + 1);
  }
  return fields;
}

bool read_number(std::string_view text, std::uint64_t& number) {
  const char* end = text.data() + text.size();
  const auto [stop, fault] = std::from_chars(text.data(), end, number);
  return fault == std::errc{} && stop == end;
}

bool is_entry(std::string_view field) {
  const auto equals = field.find('=');
  return equals != std::string_view::npos && equals != 0;
}

}  // namespace

std::string encode(const ForkRequest& request) {
  std::string packet;
  append(packet, kFork);
  append(packet, std::to_string(request.number));
  append(packet, request.mark);
  for (const auto entry : request.environment) append(packet, entry);
  return packet;
}

std::string encode(const TemplateAnswer& answer) {
  const auto& row = *std::ranges::find(kRows, answer.kind, &Row::kind);
  std::string packet;
  append(packet, row.word);
  if (row.number) append(packet, std::to_string(answer.number));
  if (row.pid) append(packet, std::to_string(answer.pid));
  if (row.text) append(packet, answer.text);
  return packet;
}

std::optional<ForkRequest> parse_fork_request(std::string_view packet) {
  const auto fields = fields_of(packet);
  constexpr std::size_t kBeforeEntries = 3;
  if (!fields || fields->size() < kBeforeEntries || fields->front() != kFork) return std::nullopt;
  ForkRequest request;
  if (!read_number((*fields)[1], request.number)) return std::nullopt;
  request.mark = (*fields)[2];
  request.environment.assign(fields->begin() + kBeforeEntries, fields->end());
  if (!std::ranges::all_of(request.environment, is_entry)) return std::nullopt;
  return request;
}

std::optional<TemplateAnswer> parse_template_answer(std::string_view packet) {
  const auto fields = fields_of(packet);
  if (!fields || fields->empty()) return std::nullopt;
  const auto* row = std::ranges::find(kRows, fields->front(), &Row::word);
  if (row == kRows.end()) return std::nullopt;
  const std::size_t wanted =
      1U + (row->number ? 1U : 0U) + (row->pid ? 1U : 0U) + (row->text ? 1U : 0U);
  if (fields->size() != wanted) return std::nullopt;
  TemplateAnswer answer{row->kind};
  auto field = fields->begin() + 1;
  if (row->number && !read_number(*field++, answer.number)) return std::nullopt;
  if (row->pid && !read_number(*field++, answer.pid)) return std::nullopt;
  if (row->text) answer.text = *field;
  return answer;
}

}  // namespace warmpool::ipc
