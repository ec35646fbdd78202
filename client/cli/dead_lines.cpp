// Dead letters out to lines of JSON, and in again.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli/command.hpp"
#include "client/cli/dead_filter.hpp"
#include "client/cli/declare.hpp"
#include "client/cli/input.hpp"
#include "client/cli/json_text.hpp"
#include "client/cli/letter.hpp"
#include "client/cli/line_reader.hpp"
#include "client/cli/requests.hpp"
#include "pool/refusal.hpp"

namespace warmpool::cli {

namespace {

using std::chrono::steady_clock;

constexpr std::uint64_t kPage = 1'000;
constexpr std::size_t kInFlight = 64;
constexpr std::uint64_t kLineBytesMax = 64U << 20;

// In base64, with all that is known of the letter beside its payload.
std::uint64_t line_bytes_max(const client::Client& client) {
  return client.daemon().large_bytes_max / 3 * 4 + kLineBytesMax;
}

std::string listed(const std::vector<std::uint64_t>& ids) {
  std::string text;
  for (const auto id : ids) text += " " + std::to_string(id);
  return text;
}

int say_without(Context& context, const Without& without) {
  int status = kOk;
  if (!without.too_large.empty()) {
    status = context.fail(
        kFailed,
        "exported without their payloads, which are above 8 MiB:" + listed(without.too_large) +
            "; the archive has such letters whole, once they are over dead_max, "
            "dead_bytes_max or dead_age_max; a backup of the store has them now");
  }
  if (!without.lost.empty()) {
    status = context.fail(kFailed, "exported without their payloads, which the daemon has lost:" +
                                       listed(without.lost) +
                                       "; retry them with another one, or submit them anew");
  }
  return status;
}

int export_letters(Context& context, const DeadFilter& filter) {
  auto client = context.connect();
  if (!client) return context.fail(client.error());
  Without without;
  for (std::uint64_t after = 0;;) {
    ipc::RequestMeta meta{.verb = ipc::Verb::DeadExport};
    filter.put(meta, 0, 3);
    meta.arguments[1] = kPage;
    meta.arguments[2] = after;
    auto document = client->request(meta, reply_deadline());
    if (!document) return context.fail(document.error());
    std::string lines;
    const auto next = letters_of(*document, lines, without);
    if (!next) return context.fail(kUnreachable, next.error().text);
    context.out().write(lines);
    if (*next == 0) break;
    after = *next;
  }
  return say_without(context, without);
}

// Letters are submitted at a rate, so that a file of old ones does not push aside what came today.
class Import {
 public:
  Import(Context& context, client::Client client, std::uint64_t rate)
      : context_(context),
        client_(std::move(client)),
        lines_(line_bytes_max(client_)),
        each_(std::chrono::nanoseconds(std::chrono::seconds(1)) / rate) {}

  // What is appended meanwhile is not read: letters that die again may come to the same file.
  int run(int fd) {
    struct stat opened {};
    const bool is_file = ::fstat(fd, &opened) == 0 && S_ISREG(opened.st_mode);
    auto left = is_file ? static_cast<std::size_t>(opened.st_size) : SIZE_MAX;
    std::string piece(64U << 10, '\0');
    while (!lines_.done()) {
      const auto got = ::read(fd, piece.data(), std::min(piece.size(), left));
      if (got < 0) return context_.fail(kFailed, "cannot read the letters");
      if (is_file) left -= static_cast<std::size_t>(got);
      if (got == 0) lines_.finish();
      lines_.feed(std::string_view(piece).substr(0, static_cast<std::size_t>(got)));
      while (auto line = lines_.next()) {
        if (auto taken = take(*line); !taken) return context_.fail(taken.error());
      }
    }
    if (auto answered = wait_for(0); !answered) return context_.fail(answered.error());
    return report();
  }

 private:
  Result<void> take(const Line& line) {
    auto letter = line.bytes > line.text.size()
                      ? too_long(line)
                      : parse_letter(line.text, client_.daemon().payload_bytes_max);
    if (!letter) {
      ++refused_;
      context_.fail(kFailed, "line " + std::to_string(line.number) + ": " + letter.error().text);
      return {};
    }
    if (auto waited = wait_for_turn(); !waited) return waited;
    Origin origin{line.number, letter->task, {}};
    if (letter->options.large && !letter->has_own_key) origin.again = letter->options;
    const auto ticket = client_.submit(std::move(letter->options));
    lines_of_.emplace(ticket, std::move(origin));
    return wait_for(kInFlight - 1);
  }

  Result<Letter> too_long(const Line& line) const {
    return Error{0, "the line has " + std::to_string(line.bytes) +
                        " bytes, more than a payload that this daemon takes comes to "
                        "(large_bytes_max); raise it, or remove the line"};
  }

  Result<void> wait_for_turn() {
    next_ = std::max(next_, steady_clock::now());
    while (steady_clock::now() < next_) {
      if (client_.open() == 0) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_ - steady_clock::now());
        ::poll(nullptr, 0, static_cast<int>(std::max<std::int64_t>(0, left.count())));
        continue;
      }
      auto event = client_.wait_any(next_);
      if (!event) return event.error();
      if (!*event) continue;
      if (auto taken = take(**event); !taken) return taken;
    }
    next_ += each_;
    return {};
  }

  Result<void> wait_for(std::size_t open) {
    while (client_.open() > open) {
      auto event = client_.wait_any(reply_deadline());
      if (!event) return event.error();
      if (!*event) {
        return Error{static_cast<int>(client::Fault::TimedOut), "the daemon did not answer"};
      }
      if (auto taken = take(**event); !taken) return taken;
    }
    return {};
  }

  Result<void> take(const client::Event& event) {
    auto origin = lines_of_.extract(client::ticket_of(event));
    if (const auto* accepted = std::get_if<client::Accepted>(&event)) {
      ++(accepted->duplicate ? known_ : imported_);
    } else if (const auto* refused = std::get_if<client::Refused>(&event)) {
      auto of = origin ? std::move(origin.mapped()) : Origin{};
      const bool is_key = refused->code == static_cast<std::uint16_t>(Refusal::BadKey);
      if (is_key && of.again && use_passing_key(*of.again)) {
        const auto ticket = client_.submit(std::move(*of.again));
        lines_of_.emplace(ticket, Origin{of.line, of.task, {}});
        return {};
      }
      ++refused_;
      context_.fail(kFailed, "line " + std::to_string(of.line) + " (dead letter " +
                                 std::to_string(of.task.value) + "): " + refused->text);
    } else if (const auto* unknown = std::get_if<client::Unknown>(&event)) {
      return Error{static_cast<int>(client::Fault::Lost), unknown->text};
    }
    return {};
  }

  int report() {
    print_document(context_,
                   JsonObject()
                       .number("imported", imported_)
                       .number("known", known_)
                       .number("refused", refused_)
                       .str(),
                   {});
    return refused_ == 0 ? kOk : kFailed;
  }

  struct Origin {
    std::uint64_t line = 0;
    TaskId task;
    std::optional<client::SubmitOptions> again;  // with another key, should this one be refused
  };

  Context& context_;
  client::Client client_;
  LineReader lines_;
  std::map<client::Ticket, Origin> lines_of_;  // what is in flight
  std::chrono::nanoseconds each_;
  steady_clock::time_point next_;
  std::uint64_t imported_ = 0, known_ = 0, refused_ = 0;
};

}  // namespace

Run declare_dlq_export(CLI::App& app) {
  auto filter = std::make_shared<DeadFilter>();
  filter->declare(app);
  return [filter](Context& context) { return export_letters(context, *filter); };
}

Run declare_dlq_import(CLI::App& app) {
  auto file = std::make_shared<std::string>("-");
  auto rate = std::make_shared<std::uint64_t>(1'000);
  add_argument(app, "file", *file, "lines of dlq export, or of an archive; '-': standard input");
  add_number(app, "--rate", *rate, "N", "at most so many letters a second [1000]")
      .within(1, 1'000'000);
  return [file, rate](Context& context) {
    ipc::UniqueFd opened;
    if (*file != "-") {
      auto fd = open_to_read(*file);
      if (!fd) return context.fail(kFailed, fd.error().text);
      opened = std::move(*fd);
    }
    auto client = context.connect();
    if (!client) return context.fail(client.error());
    return Import(context, std::move(*client), *rate).run(opened ? opened.get() : context.in());
  };
}

}  // namespace warmpool::cli
