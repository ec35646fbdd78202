// The line is first judged as a whole, by a parser that keeps nothing and does not recurse; then it
// is valid JSON, and the ends of its values are found by counting brackets. So a payload that is
// JSON itself is passed on byte by byte: no number in it changes, however long it is.
//
// A member that nobody knows is refused, and so is one that comes twice: "timout" would otherwise
// turn up as a task that runs for five minutes.
#include "daemon/submit/submit_line.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "daemon/output/output_ring.hpp"
#include "daemon/refusals.hpp"
#include "ipc/codec.hpp"
#include "ipc/text_forms.hpp"
#include "pool/options.hpp"
#include "pool/refusal.hpp"

namespace warmpool::daemon {
namespace {

using nlohmann::json;

constexpr std::size_t kTextBytesMax = 255, kLabelsMax = 32;
constexpr std::string_view kBlanks = " \t\r\n";

Error wrong(std::string_view member, std::string_view what) {
  return refused(Refusal::BadArgument, "\"" + std::string(member) + "\" " + std::string(what));
}

// --- values of a line that is valid JSON ---

bool is_text(std::string_view value) { return value.front() == '"'; }

// Order: `value` is valid JSON, and a text.
std::string text_in(std::string_view value) { return json::parse(value).get<std::string>(); }

Result<std::string> plain_text(std::string_view member, std::string_view value) {
  if (!is_text(value)) return wrong(member, "is a text: put it in quotes");
  auto text = text_in(value);
  if (text.find('\0') != text.npos) return wrong(member, "has a NUL character");
  if (text.size() > kTextBytesMax) return wrong(member, "has more than 255 bytes");
  return text;
}

Result<void> set_time(std::string_view member, std::string_view value,
                      std::optional<Duration>& time) {
  if (!is_text(value))
    return wrong(member, "is a time with its unit, in quotes: \"500ms\", \"5s\"");
  const auto parsed = parse_duration(text_in(value));
  if (!parsed) return wrong(member, "is wrong: " + parsed.error().text);
  time = *parsed;
  return {};
}

Result<void> set_count(std::string_view member, std::string_view value,
                       std::optional<std::uint64_t>& count) {
  const auto parsed = parse_count(value);
  if (!parsed) return wrong(member, "is a whole number, without quotes");
  count = *parsed;
  return {};
}

template <class Enum>
std::string names_of() {
  std::string names;
  for (const auto& row : Words<Enum>::rows) {
    names += (names.empty() ? "" : ", ") + std::string(row.name);
  }
  return names;
}

template <class Enum>
Result<Enum> word_in(std::string_view member, std::string_view value) {
  const auto word = is_text(value) ? find_word<Enum>(text_in(value)) : std::nullopt;
  if (!word) return wrong(member, "is one of " + names_of<Enum>());
  return *word;
}

// --- members ---

Result<void> set_type(SubmitLine& line, std::string_view value) {
  auto text = plain_text("type", value);
  if (!text) return text.error();
  if (text->empty()) return wrong("type", "is empty; see: warmpool types");
  line.type = std::move(*text);
  return {};
}

// {"base64": text}, and nothing else; none if it is something else.
std::optional<Result<std::string>> bytes_in(std::string_view value) {
  if (value.front() != '{') return std::nullopt;
  const auto object = json::parse(value, nullptr, false);
  if (!object.is_object() || object.size() != 1 || !object.contains("base64")) return std::nullopt;
  const auto& text = object["base64"];
  const auto bytes = text.is_string() ? ipc::from_base64(text.get_ref<const std::string&>())
                                      : std::optional<std::string>();
  if (!bytes) return Result<std::string>(wrong("payload", "has a \"base64\" that is none"));
  return Result<std::string>(*bytes);
}

Result<void> set_payload(SubmitLine& line, std::string_view value) {
  Content looks = Content::Json;
  if (is_text(value)) {
    line.payload = text_in(value);
    looks = Content::Utf8;
  } else if (auto bytes = bytes_in(value)) {
    if (!*bytes) return bytes->error();
    line.payload = std::move(**bytes);
    looks = Content::Bytes;
  } else {
    line.payload = value;
  }
  if (!line.content) line.content = looks;
  return {};
}

Result<void> set_content(SubmitLine& line, std::string_view value) {
  const auto word = word_in<Content>("content", value);
  if (!word) return word.error();
  line.content = *word;
  return {};
}

Result<void> set_priority(SubmitLine& line, std::string_view value) {
  const auto parsed = ipc::parse_priority(is_text(value) ? text_in(value) : std::string(value));
  if (!parsed) return refused(Refusal::BadPriority, parsed.error().text);
  line.wishes.priority = *parsed;
  return {};
}

Result<void> set_timeout(SubmitLine& line, std::string_view value) {
  return set_time("timeout", value, line.wishes.timeout);
}
Result<void> set_deadline(SubmitLine& line, std::string_view value) {
  return set_time("deadline", value, line.wishes.deadline);
}
Result<void> set_expiry(SubmitLine& line, std::string_view value) {
  return set_time("expiry", value, line.wishes.expiry);
}
Result<void> set_delay(SubmitLine& line, std::string_view value) {
  return set_time("delay", value, line.wishes.delay);
}
Result<void> set_retries(SubmitLine& line, std::string_view value) {
  return set_count("retries", value, line.wishes.retries);
}
Result<void> set_crashes_max(SubmitLine& line, std::string_view value) {
  return set_count("crashes-max", value, line.wishes.crashes_max);
}

Result<void> set_run_at(SubmitLine& line, std::string_view value) {
  const auto parsed = ipc::parse_wall(is_text(value) ? text_in(value) : std::string(value));
  if (!parsed) return wrong("run-at", "is wrong: " + parsed.error().text);
  line.wishes.run_at = *parsed;
  return {};
}

Result<void> set_key(SubmitLine& line, std::string_view value) {
  auto text = plain_text("key", value);
  if (!text) return text.error();
  line.key = std::move(*text);
  return {};
}

Result<void> set_tenant(SubmitLine& line, std::string_view value) {
  auto text = plain_text("tenant", value);
  if (!text) return text.error();
  line.tenant = std::move(*text);
  return {};
}

Result<void> add_label(SubmitLine& line, std::string_view value) {
  auto text = plain_text("label", value);
  if (!text) return text.error();
  line.labels.push_back(std::move(*text));
  return {};
}

// One text, or a list of texts.
Result<void> set_label(SubmitLine& line, std::string_view value) {
  if (value.front() != '[') return add_label(line, value);
  const auto list = json::parse(value, nullptr, false);
  if (list.size() > kLabelsMax) return wrong("label", "has more than 32 texts");
  for (const auto& one : list) {
    if (!one.is_string()) return wrong("label", "is a text or a list of texts");
    if (auto added = add_label(line, one.dump()); !added) return added;
  }
  return {};
}

Result<void> set_durability(SubmitLine& line, std::string_view value) {
  const auto word = word_in<Durability>("durability", value);
  if (!word) return word.error();
  line.wishes.durability = *word;
  return {};
}

Result<void> set_keep_result(SubmitLine& line, std::string_view value) {
  if (value != "true" && value != "false") return wrong("keep-result", "is true or false");
  line.keep_result = value == "true";
  return {};
}

struct MemberRow {
  std::string_view name;
  Result<void> (*set)(SubmitLine& line, std::string_view value);
  std::string_view form, meaning;
};

// A name may be written with '_' for '-'.
constexpr MemberRow kMembers[] = {
    {"type", set_type, "text", "the task type; the only one that must be there"},
    {"payload", set_payload, "any",
     "a text as it is; an object, list or number as JSON; `{\"base64\": text}` for bytes; default "
     "empty"},
    {"content", set_content, "text", "what the payload is: bytes, utf8, json or msgpack"},
    {"priority", set_priority, "number or text",
     "0 runs first, 100 last; `\"P0\"`, `\"P1\"`, `\"P2\"`"},
    {"timeout", set_timeout, "time", "how long one run may take"},
    {"deadline", set_deadline, "time", "how long all of it may take, from its acceptance"},
    {"expiry", set_expiry, "time", "how long it may wait for a worker"},
    {"retries", set_retries, "number", "how often it is tried again after a failure"},
    {"crashes-max", set_crashes_max, "number",
     "how many deaths of its worker make it a dead letter"},
    {"delay", set_delay, "time", "how long to wait before the first run"},
    {"run-at", set_run_at, "text", "when to run first: `\"2026-11-23T07:00:00Z\"`"},
    {"key", set_key, "text", "the same key is the same task"},
    {"tenant", set_tenant, "text", "on whose behalf; its own queue"},
    {"label", set_label, "text or list of texts", "names to find it by"},
    {"durability", set_durability, "text", "how surely it is kept: full, relaxed or none"},
    {"keep-result", set_keep_result, "true or false", "keep the result also after somebody has it"},
};

struct Elsewhere {
  std::string_view name, why;
};

// Options of the command that have no place here.
constexpr Elsewhere kElsewhere[] = {
    {"wait", "cannot be: nobody could be answered; see: warmpool wait ID"},
    {"progress", "cannot be: nobody could be told; see: warmpool events -f --type task-progress"},
    {"partials", "cannot be: nobody could be told; see: warmpool submit --wait --partials"},
    {"print-id", "cannot be: nobody could be answered; give a key or a label to find it by"},
    {"payload-file", "is not read by the daemon; put the path into the payload"},
    {"cancel-on-disconnect", "cannot be: there is no connection"},
};

const MemberRow* find_member(std::string_view name) {
  const auto* row = std::ranges::find(kMembers, name, &MemberRow::name);
  return row == std::end(kMembers) ? nullptr : row;
}

Error unknown(std::string_view name) {
  const auto* row = std::ranges::find(kElsewhere, name, &Elsewhere::name);
  if (row != std::end(kElsewhere)) return wrong(name, row->why);
  std::string known;
  for (const auto& member : kMembers) {
    known += (known.empty() ? "" : ", ") + std::string(member.name);
  }
  return wrong(name, "is not known; there are: " + known);
}

// --- the line ---

// Steps over blanks, a comma and a colon.
std::size_t next_token(std::string_view text, std::size_t at) {
  return std::min(text.find_first_not_of(" \t\r\n,:", at), text.size());
}

std::size_t end_of_text(std::string_view text, std::size_t at) {
  for (++at; text[at] != '"'; ++at) at += text[at] == '\\';
  return at + 1;
}

// Of the value that begins at `at`. Order: the whole is valid JSON.
std::size_t end_of_value(std::string_view text, std::size_t at) {
  if (text[at] == '"') return end_of_text(text, at);
  if (text[at] != '{' && text[at] != '[') return text.find_first_of(" \t\r\n,]}", at);
  std::size_t depth = 0;
  while (true) {
    if (text[at] == '"') {
      at = end_of_text(text, at);
      continue;
    }
    if (text[at] == '{' || text[at] == '[') ++depth;
    if (text[at] == '}' || text[at] == ']') --depth;
    ++at;
    if (depth == 0) return at;
  }
}

Result<void> set_member(SubmitLine& line, std::string name, std::string_view value,
                        std::vector<const MemberRow*>& seen) {
  std::ranges::replace(name, '_', '-');
  const auto* row = find_member(name);
  if (row == nullptr) return unknown(name);
  if (std::ranges::find(seen, row) != seen.end()) return wrong(name, "is there twice");
  seen.push_back(row);
  return row->set(line, value);
}

Result<SubmitLine> read_members(std::string_view text) {
  SubmitLine line;
  std::vector<const MemberRow*> seen;
  for (std::size_t at = next_token(text, 1); text[at] != '}';) {
    const auto name_end = end_of_text(text, at);
    const auto name = text_in(text.substr(at, name_end - at));
    const auto value_at = next_token(text, name_end);
    const auto value_end = end_of_value(text, value_at);
    const auto value = text.substr(value_at, value_end - value_at);
    if (auto set = set_member(line, name, value, seen); !set) return set.error();
    at = next_token(text, value_end);
  }
  if (line.type.empty()) return wrong("type", "is missing; see: warmpool types");
  return line;
}

// What the parser says, without its own name in front.
Error not_json(std::string_view text) {
  std::string why = "is no JSON";
  try {
    [[maybe_unused]] const auto nothing = json::parse(text);
  } catch (const json::exception& error) {
    const std::string_view said = error.what();
    const auto after = said.find("] ");
    why += ": " + safe_text(after == said.npos ? said : said.substr(after + 2));
  }
  return refused(Refusal::BadArgument, "the line " + why);
}

}  // namespace

ipc::SubmitMeta SubmitLine::meta() const {
  ipc::SubmitMeta meta = wishes;
  if (key) meta.key = *key;
  meta.tenant = tenant;
  meta.labels.assign(labels.begin(), labels.end());
  return meta;
}

Result<SubmitLine> parse_submit_line(std::string_view line) {
  if (line.size() >= kSubmitLineMax) {
    return refused(Refusal::BadArgument,
                   "the line is longer than 4,096 bytes with its line feed; put the payload into "
                   "a file and its path into the line, or use: warmpool submit");
  }
  const auto begin = line.find_first_not_of(kBlanks);
  const auto text = begin == line.npos ? std::string_view() : line.substr(begin);
  if (!json::accept(text)) return not_json(text);
  if (text.front() != '{') {
    return refused(Refusal::BadArgument,
                   R"(the line is no object; write it like {"type":"echo","payload":"hi"})");
  }
  return read_members(text);
}

std::string submit_members_markdown() {
  std::string text = "| member | value | meaning |\n|---|---|---|\n";
  for (const auto& row : kMembers) {
    text += "| `" + std::string(row.name) + "` | " + std::string(row.form) + " | " +
            std::string(row.meaning) + " |\n";
  }
  return text;
}

}  // namespace warmpool::daemon
