#include "client/cli/letter.hpp"

#include <cmath>

#include <nlohmann/json.hpp>

#include "client/cli/json_text.hpp"
#include "ipc/large_body.hpp"
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

// What a line has in base64, apart from it: of a large letter it is nearly all of the line.
struct Cut {
  std::string rest;        // the line with nothing in its place
  std::string_view bytes;  // in base64
};
constexpr std::size_t kCutFrom = 1U << 20;

std::optional<Cut> cut_out(std::string_view line) {
  constexpr std::string_view name = R"("base64":")";
  if (line.size() < kCutFrom) return std::nullopt;
  const auto end = line.rfind('"');
  const auto before = end == line.npos || end == 0 ? line.npos : line.rfind('"', end - 1);
  if (before == line.npos || before + 1 < name.size()) return std::nullopt;
  const auto begin = before + 1;
  if (line.substr(begin - name.size(), name.size()) != name) return std::nullopt;
  Cut cut{std::string(line.substr(0, begin)), line.substr(begin, end - begin)};
  cut.rest += line.substr(end);
  return cut;
}

Result<void> decode(std::string_view base64, std::uint64_t large_from,
                    client::SubmitOptions& options) {
  constexpr std::size_t at_once = 4U << 20;  // whole groups of four
  if (base64.size() / 4 * 3 <= large_from) {
    auto bytes = ipc::from_base64(base64);
    if (!bytes) return wrong("its payload is no base64");
    options.payload = std::move(*bytes);
    return {};
  }
  auto writer = ipc::LargeWriter::make();
  if (!writer) return Error{0, "no memory for its payload: " + writer.error().text};
  for (std::size_t at = 0; at < base64.size(); at += at_once) {
    const auto piece = ipc::from_base64(base64.substr(at, at_once));
    if (!piece) return wrong("its payload is no base64");
    if (auto put = writer->append(ipc::bytes_of(*piece)); !put) {
      return Error{0, "no memory for its payload: " + put.error().text};
    }
  }
  const auto bytes = writer->bytes();
  auto sealed = writer->seal();
  if (!sealed) return Error{0, "no memory for its payload: " + sealed.error().text};
  options.large = std::make_shared<const ipc::UniqueFd>(std::move(*sealed));
  options.large_bytes = bytes;
  return {};
}

Result<void> take_large(std::string_view bytes, client::SubmitOptions& options) {
  auto sealed = ipc::sealed_copy(ipc::bytes_of(bytes));
  if (!sealed) return Error{0, "no memory for its payload: " + sealed.error().text};
  options.large = std::make_shared<const ipc::UniqueFd>(std::move(*sealed));
  options.large_bytes = bytes.size();
  return {};
}

Result<void> take_payload(const ordered_json& letter, const std::optional<Cut>& cut,
                          std::uint64_t large_from, client::SubmitOptions& options) {
  const auto payload = letter.find("payload");
  if (payload == letter.end() || !payload->is_object()) return wrong("it has no payload");
  const auto content = find_word<Content>(text_at(*payload, "content"));
  if (!content) return wrong("its payload has no content");
  options.content = *content;
  const auto text = payload->find("text");
  if (payload->contains("cut")) return wrong("its payload was cut");
  if (const auto why = text_at(*payload, "unreadable"); !why.empty()) {
    return Error{0, "the payload of this dead letter is not there: " + why + "; submit it anew"};
  }
  if (text != payload->end() && text->is_string()) {
    const auto& bytes = text->get_ref<const std::string&>();
    if (bytes.size() > large_from) return take_large(bytes, options);
    options.payload = bytes;
    return {};
  }
  if (!payload->contains("base64")) return wrong("its payload is not there");
  if (cut) return decode(cut->bytes, large_from, options);
  return decode(text_at(*payload, "base64"), large_from, options);
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

Result<Letter> parse_letter(std::string_view line, std::uint64_t large_from) {
  const auto cut = cut_out(line);
  const auto letter = ordered_json::parse(cut ? std::string_view(cut->rest) : line, nullptr, false);
  if (!letter.is_object()) return wrong("no JSON object");
  const auto task = number_at(letter, "id");
  const auto round = number_at(letter, "round");
  if (!task || !round || text_at(letter, "state") != "dead") return wrong("its state is not dead");
  Letter parsed{TaskId{*task}, {}};
  parsed.options.type = text_at(letter, "type");
  if (auto taken = take_payload(letter, cut, large_from, parsed.options); !taken) {
    return taken.error();
  }
  take_options(letter, parsed.options);
  auto key = text_at(letter, "key");
  parsed.has_own_key = !key.empty();
  if (key.empty()) {
    key = "dead-letter " + std::to_string(*task) + "." + std::to_string(*round) + " " +
          text_at(letter, "accepted_at");
  }
  parsed.options.key = std::move(key);
  return parsed;
}

Result<void> use_passing_key(client::SubmitOptions& options) {
  std::uint64_t digest = 14695981039346656037U;  // FNV-1a
  const auto view = ipc::LargeView::of(options.large->get(), options.large_bytes);
  if (!view) return view.error();
  for (const auto byte : view->bytes()) {
    digest = (digest ^ static_cast<std::uint64_t>(byte)) * 1099511628211U;
  }
  *options.key += " " + std::to_string(digest);
  options.key_use = KeyUse::Reconnect;
  return {};
}

Result<std::uint64_t> letters_of(std::string_view document, std::string& lines, Without& without) {
  const auto parsed = ordered_json::parse(document, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("letters")) {
    return Error{0, "the daemon's answer is no list of letters; are both of one version?"};
  }
  for (const auto& letter : parsed["letters"]) {
    const auto& payload = letter.at("payload");
    if (!payload.contains("text") && !payload.contains("base64")) {
      const bool is_lost = payload.contains("unreadable");
      (is_lost ? without.lost : without.too_large).push_back(number_at(letter, "id").value_or(0));
    }
    lines += letter.dump() + "\n";
  }
  return number_at(parsed, "next_after").value_or(0);
}

}  // namespace warmpool::cli
