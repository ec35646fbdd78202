// Sources: the RESP page of Redis, protocol.txt of beanstalkd, docs/protocol.md.
#include "client/cli/bench_servers.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "ipc/codec.hpp"
#include "ipc/frame.hpp"
#include "ipc/message.hpp"
#include "ipc/metas.hpp"

namespace warmpool::cli {

namespace {

constexpr std::string_view kLineEnd = "\r\n";

std::string job() { return std::string(kJobBytes, 'x'); }

long long number_at(std::string_view text) {
  long long number = -1;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// Without its end; nothing: it is not whole yet. `at` moves behind it.
std::optional<std::string_view> take_line(std::string_view bytes, std::size_t& at) {
  const auto end = bytes.find(kLineEnd, at);
  if (end == std::string_view::npos) return std::nullopt;
  const auto line = bytes.substr(at, end - at);
  at = end + kLineEnd.size();
  return line;
}

// Of `bytes` and a line end. False: not whole yet.
bool take_data(std::string_view bytes, std::size_t& at, long long length) {
  const auto all = static_cast<std::size_t>(std::max(length, 0LL)) + kLineEnd.size();
  if (bytes.size() - at < all) return false;
  at += all;
  return true;
}

// An answer that began with `line` and ended at `end`.
void count(Answers& answers, std::string_view line, bool useful, std::size_t end) {
  answers.all += 1;
  answers.useful += useful ? 1 : 0;
  if (useful) answers.last = line;
  answers.bytes = end;
}

// A number, or a list of texts: [queue, job], or none where nothing came in time.
Result<Answers> read_redis(std::string_view bytes) {
  Answers answers;
  for (std::size_t at = 0;;) {
    const auto line = take_line(bytes, at);
    if (!line) return answers;
    if (line->starts_with('-')) return Error{0, "Redis says " + std::string(*line)};
    const bool is_list = line->starts_with('*');
    for (long long i = is_list ? number_at(line->substr(1)) : 0; i > 0; --i) {
      const auto head = take_line(bytes, at);
      if (!head || !take_data(bytes, at, number_at(head->substr(1)))) return answers;
    }
    const bool useful = *line != "*-1";
    count(answers, *line, useful, at);
  }
}

std::string redis(std::initializer_list<std::string_view> words) {
  std::string request = "*" + std::to_string(words.size()) + "\r\n";
  for (const auto word : words) {
    request += "$" + std::to_string(word.size()) + "\r\n";
    request += word;
    request += kLineEnd;
  }
  return request;
}

Result<Answers> read_beanstalkd(std::string_view bytes) {
  Answers answers;
  for (std::size_t at = 0;;) {
    const auto line = take_line(bytes, at);
    if (!line) return answers;
    const bool is_job = line->starts_with("RESERVED ");
    const auto length = line->substr(line->rfind(' ') + 1);
    if (is_job && !take_data(bytes, at, number_at(length))) return answers;
    const bool good = is_job || line->starts_with("INSERTED ") || line->starts_with("USING ") ||
                      line->starts_with("WATCHING ") || *line == "DELETED" || *line == "TIMED_OUT";
    if (!good) return Error{0, "beanstalkd says " + std::string(*line)};
    const bool useful = is_job || line->starts_with("INSERTED ");
    count(answers, *line, useful, at);
  }
}

std::string beanstalkd_put() {
  return "put 10 0 60 " + std::to_string(kJobBytes) + "\r\n" + job() + "\r\n";
}

std::string beanstalkd_drop(const std::string& taken) {
  const auto begin = taken.find(' ') + 1;
  return "delete " + taken.substr(begin, taken.find(' ', begin) - begin) + "\r\n";
}

PeerServer redis_server() {
  PeerServer redis_server;
  redis_server.name = "redis";
  redis_server.settings = "appendonly yes, appendfsync always";
  redis_server.command = {
      "redis-server", "--port",      "0", "--unixsocket", "@DIR@/socket", "--dir",
      "@DIR@",        "--save",      "",  "--appendonly", "yes",          "--appendfsync",
      "always",       "--daemonize", "no"};
  redis_server.read = read_redis;
  redis_server.put_held = redis({"RPUSH", "held", job()});
  redis_server.put_job = redis({"RPUSH", "jobs", job()});
  redis_server.put_result = redis({"RPUSH", "results", job()});
  redis_server.take_job = redis({"BLPOP", "jobs", "1"});
  redis_server.take_result = redis({"BLPOP", "results", "1"});
  redis_server.takes_many = true;
  return redis_server;
}

PeerServer beanstalkd() {
  PeerServer beanstalkd;
  beanstalkd.name = "beanstalkd";
  beanstalkd.settings = "-b, -f0";
  beanstalkd.command = {"beanstalkd", "-l", "unix:@DIR@/socket", "-b", "@DIR@", "-f0"};
  beanstalkd.read = read_beanstalkd;
  beanstalkd.greeting_of_holder = {"use held\r\n"};
  beanstalkd.greeting_of_client = {"use jobs\r\n"};
  beanstalkd.greeting_of_taker = {"watch results\r\n", "ignore default\r\n"};
  beanstalkd.greeting_of_worker = {"use results\r\n", "watch jobs\r\n", "ignore default\r\n"};
  beanstalkd.put_held = beanstalkd.put_job = beanstalkd.put_result = beanstalkd_put();
  beanstalkd.take_job = beanstalkd.take_result = "reserve-with-timeout 1\r\n";
  beanstalkd.drop = beanstalkd_drop;
  return beanstalkd;
}

}  // namespace

const std::vector<PeerServer>& peer_servers() {
  static const std::vector<PeerServer> servers{redis_server(), beanstalkd()};
  return servers;
}

namespace {

std::string frame(ipc::Kind kind, std::string_view meta, std::string_view payload,
                  std::uint64_t token = 0) {
  ipc::Header header{.kind = kind};
  header.body_bytes = static_cast<std::uint32_t>(meta.size() + payload.size());
  header.meta_bytes = static_cast<std::uint16_t>(meta.size());
  header.token = token;
  std::array<std::byte, ipc::kHeaderBytes> head{};
  ipc::encode_header(header, head);
  std::string bytes(reinterpret_cast<const char*>(head.data()), head.size());
  return bytes.append(meta).append(payload);
}

template <class Meta>
Error refusal(ipc::Bytes bytes) {
  const auto meta = ipc::decode<Meta>(bytes);
  return {0, "warmpoold says " + (meta ? std::string(meta->text) : meta.error().text)};
}

}  // namespace

std::string warmpool_greeting(const std::string& type) {
  std::string meta;
  ipc::encode(ipc::TypeNameMeta{type}, meta);
  return frame(ipc::Kind::Hello, {}, {}) + frame(ipc::Kind::TypeName, meta, {});
}

std::string warmpool_submit(Durability durability) {
  std::string meta;
  ipc::encode(ipc::SubmitMeta{.durability = durability}, meta);
  return frame(ipc::Kind::Submit, meta, job(), 1);
}

// What is not about a submit is no answer.
Result<Answers> read_warmpool(std::string_view bytes) {
  Answers answers;
  while (bytes.size() - answers.bytes >= ipc::kHeaderBytes) {
    const auto front = ipc::bytes_of(bytes.substr(answers.bytes));
    const auto header = ipc::decode_header(front.first<ipc::kHeaderBytes>());
    if (front.size() - ipc::kHeaderBytes < header.body_bytes) break;
    if (header.meta_bytes > header.body_bytes) return Error{0, "warmpoold sends no frames"};
    const auto meta = front.subspan(ipc::kHeaderBytes, header.meta_bytes);
    if (header.kind == ipc::Kind::Refused) return refusal<ipc::RefusedMeta>(meta);
    if (header.kind == ipc::Kind::Error) return refusal<ipc::ErrorMeta>(meta);
    answers.bytes += ipc::kHeaderBytes + header.body_bytes;
    if (header.kind != ipc::Kind::Accepted) continue;
    ++answers.all;
    ++answers.useful;
  }
  return answers;
}

}  // namespace warmpool::cli
