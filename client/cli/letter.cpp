#include "client/cli/letter.hpp"

#include <cmath>

#include <nlohmann/json.hpp>

#include "client/cli/json_text.hpp"
#include "ipc/text_forms.hpp"

namespace warmpool::cli {

namespace {

using nlohmann::ordered_json;

Error wrong(const std::string& what) { return {0, "this is no dead letter: " + what}; }

std::optional<Duration> seconds_at(const ordered_json& letter, const char* name) {
  const auto found = letter.find(name);
  if (found == letter.end() || !found->is_number()) return std::nullopt;
  return Duration{std::llround(found->get<double>() * 1e9)};
}

std::string text_at(const ordered_json& letter, const char* name) {
  const auto found = letter.find(name);
  return found != letter.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::optional<std::uint64_t> number_at(const ordered_json& letter, const char* name) {
  const auto found = letter.find(name);
  if (found == letter.end() || !found->is_number_unsigned()) return std::nullopt;
  return found->get<std::uint64_t>();
}

Result<void> take_payload(const ordered_json& letter, client::SubmitOptions& options) {
  const auto payload = letter.find("payload");
  if (payload == letter.end() || !payload->is_object()) return wrong("it has no payload");
  const auto content = find_word<Content>(text_at(*payload, "content"));
  if (!content) return wrong("its payload has no content");
  options.content = *content;
  const auto text = payload->find("text");
  if (payload->contains("cut")) return wrong("its payload was cut");
  if (text != payload->end() && text->is_string()) {
    options.payload = text->get<std::string>();
    return {};
  }
  auto bytes = ipc::from_base64(text_at(*payload, "base64"));
  if (!payload->contains("base64") || !bytes) return wrong("its payload is not there");
  options.payload = std::move(*bytes);
  return {};
}

void take_options(const ordered_json& letter, client::SubmitOptions& options) {
  options.tenant = text_at(letter, "tenant");
  options.priority = number_at(letter, "priority");
  options.retries = number_at(letter, "retries");
  options.crashes_max = number_at(letter, "crashes_max");
  options.timeout = seconds_at(letter, "timeout_seconds");
  options.deadline = seconds_at(letter, "deadline_seconds");
  options.expiry = seconds_at(letter, "expiry_seconds");
  const auto durability = find_word<Durability>(text_at(letter, "durability"));
  options.durability = durability.value_or(Durability::Full);
  const auto labels = letter.find("labels");
  if (labels == letter.end() || !labels->is_array()) return;
  for (const auto& label : *labels) {
    if (label.is_string()) options.labels.push_back(label.get<std::string>());
  }
}

}  // namespace

Result<Letter> parse_letter(std::string_view line) {
  const auto letter = ordered_json::parse(line, nullptr, false);
  if (!letter.is_object()) return wrong("no JSON object");
  const auto task = number_at(letter, "id");
  const auto round = number_at(letter, "round");
  if (!task || !round || text_at(letter, "state") != "dead") return wrong("its state is not dead");
  Letter parsed{TaskId{*task}, {}};
  parsed.options.type = text_at(letter, "type");
  if (auto taken = take_payload(letter, parsed.options); !taken) return taken.error();
  take_options(letter, parsed.options);
  auto key = text_at(letter, "key");
  if (key.empty()) {
    key = "dead-letter " + std::to_string(*task) + "." + std::to_string(*round) + " " +
          text_at(letter, "accepted_at");
  }
  parsed.options.key = std::move(key);
  return parsed;
}

Result<std::uint64_t> letters_of(std::string_view document, std::string& lines, bool& whole) {
  const auto parsed = ordered_json::parse(document, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("letters")) {
    return Error{0, "the daemon's answer is no list of letters; are both of one version?"};
  }
  for (const auto& letter : parsed["letters"]) {
    const auto& payload = letter.at("payload");
    whole = whole && (payload.contains("text") || payload.contains("base64"));
    lines += letter.dump() + "\n";
  }
  return number_at(parsed, "next_after").value_or(0);
}

}  // namespace warmpool::cli
