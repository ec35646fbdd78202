// Dead letters: which of them fit, and whole ones for export and archive.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

#include "daemon/refusals.hpp"
#include "daemon/task_json.hpp"
#include "daemon/whole_files.hpp"
#include "ipc/text_forms.hpp"

namespace warmpool::daemon {
namespace {

constexpr std::size_t kLettersBytesMax = 8U << 20;
constexpr std::size_t kReadBytesMax = 1U << 20;  // of descriptors, beyond the first one
constexpr std::size_t kPayloadExportedMax = 8U << 20;
constexpr std::uint32_t kLimitMax = 10'000;

bool has_text(const StoredTask& stored, std::string_view text) {
  const auto has = [text](std::string_view whole) { return whole.find(text) != whole.npos; };
  if (text.empty() || (stored.error != nullptr && has(*stored.error))) return true;
  if (stored.texts == nullptr) return false;
  return has(stored.texts->key) || std::ranges::any_of(stored.texts->labels, has);
}

bool fits(const StoredTask& stored, const TaskFilter& filter, Instant now) {
  if (filter.cause && stored.cause != *filter.cause) return false;
  return now - stored.settled_at >= filter.older && has_text(stored, filter.text);
}

// Of one by descriptor, too. Of a file these may have to come from the disk while the loop waits,
// so a document has few of them (kReadBytesMax).
Result<std::string> bytes_of(const Blob& body) {
  const auto from = body.descriptor();
  if (!from) return std::string(ipc::text_of(body.bytes()));
  std::string all(body.size(), '\0');
  if (!read_all_at(from->get(), all, 0)) return Error{errno, std::strerror(errno)};
  return all;
}

// Text stays text only where it is some: what its sender called so may be anything.
Json payload_json(const StoredTask& stored) {
  Json payload{{"content", name_of(stored.content)}, {"bytes", stored.body->size()}};
  if (stored.payload_lost) {
    payload["unreadable"] = kPayloadLost;
    return payload;
  }
  if (stored.body->size() > kPayloadExportedMax) return payload;
  const auto text = bytes_of(*stored.body);
  if (!text) {
    payload["unreadable"] = text.error().text;
    return payload;
  }
  const bool readable = stored.content == Content::Utf8 || stored.content == Content::Json;
  if (readable && ipc::is_utf8(*text)) {
    payload["text"] = *text;
  } else {
    payload["base64"] = ipc::base64(*text);
  }
  return payload;
}

// All but the payload.
Json head_json(const TaskJson& json, const StoredTask& stored) {
  auto letter = json.row(stored.task);
  letter["attempts"] = json.attempts(stored);
  if (stored.attempts_dropped != 0) letter["attempts_dropped"] = stored.attempts_dropped;
  return letter;
}

}  // namespace

std::vector<TaskId> Documents::dead_letters(const TaskFilter& filter) const {
  std::vector<TaskId> found;
  for (const auto& view : services_.engine.pool().list({.after = filter.after,
                          .limit = std::numeric_limits<std::uint32_t>::max(),
                          .state = TaskState::Dead,
                          .type = filter.type})) {
    const auto stored = services_.store.find(view.task);
    if (stored && fits(*stored, filter, services_.engine.now())) found.push_back(view.task);
  }
  return found;
}

std::string Documents::letters(const TaskFilter& filter) const {
  const TaskJson json(services_, workers_);
  const auto found = dead_letters(filter);
  const std::size_t limit = std::clamp(filter.limit, 1U, kLimitMax);
  Json letters = Json::array();
  std::size_t bytes = 0, read = 0;
  for (const auto task : found) {
    const auto stored = services_.store.find(task);
    const auto size = stored->body->size() > kPayloadExportedMax ? 0 : stored->body->size();
    const auto from_file = stored->body->is_by_descriptor() ? size : 0;
    const bool is_full = bytes + size > kLettersBytesMax || read + from_file > kReadBytesMax;
    if (letters.size() == limit || (bytes != 0 && is_full)) break;
    read += from_file;
    constexpr std::size_t beside_payload = 4096;
    bytes += size + beside_payload;
    auto letter = head_json(json, *stored);
    letter["payload"] = payload_json(*stored);
    letters.push_back(std::move(letter));
  }
  const bool more = letters.size() < found.size();
  const auto last = more ? found[letters.size() - 1].value : 0;
  Json document{{"schema", kDocumentSchema}, {"letters", std::move(letters)}, {"more", more}};
  if (more) document["next_after"] = last;
  return text_of(document);
}

std::optional<ArchiveLetter> Documents::letter(const command::Archive& asked) const {
  const auto stored = services_.store.find(asked.task);
  if (!stored) return std::nullopt;
  Json head{{"schema", kDocumentSchema}};
  head.update(head_json(TaskJson(services_, workers_), *stored));
  return ArchiveLetter{asked.task,      asked.round,         text_of(head), stored->body->share(),
                       stored->content, stored->payload_lost};
}

std::string Documents::changed(std::string_view done, const OpenRequest& open) {
  Json document{{"schema", kDocumentSchema}};
  document[std::string(done)] = open.succeeded;
  document["refused"] = open.refused;
  for (const auto& [task, code] : open.refusals) {
    document["refusals"].push_back(
        {{"id", task.value}, {"refusal", name_of(code)}, {"text", refusal_text(code, task)}});
  }
  return text_of(document);
}

std::string Documents::backup(std::string_view file, const BackupFigures& figures) const {
  Json document{{"schema", kDocumentSchema},
                {"file", file},
                {"bytes", figures.bytes},
                {"bodies_left_out", figures.left_out.size()},
                {"seconds", seconds_of(figures.took)}};
  constexpr std::size_t named_max = 1000;
  for (std::size_t at = 0; at < std::min(named_max, figures.left_out.size()); ++at) {
    document["left_out"].push_back(figures.left_out[at].value);
  }
  return text_of(document);
}

}  // namespace warmpool::daemon
