// Segments follow one another where the end of one is the beginning of the next. Where a segment
// has an image, the core that has come so far must be in just that state: an error that has not
// shown in commands yet shows there. The image of the first is where the core comes from.
#include "daemon/record/replayer.hpp"

#include <algorithm>
#include <charconv>
#include <sys/stat.h>

#include "daemon/clock.hpp"
#include "daemon/exit_status.hpp"
#include "daemon/record/record_files.hpp"
#include "daemon/server_name.hpp"
#include "pool/describe.hpp"
#include "pool/image/walk.hpp"

namespace warmpool::daemon {
namespace {

// Looks for a task in a value, however deep.
struct TaskSink {
  TaskId wanted;
  bool found = false;
  void met(const TaskId& task) { found = found || task == wanted; }
  void number(std::uint64_t) {}
  void text(std::string_view) {}
};

Error unreadable(std::string text) {
  return {static_cast<int>(ExitStatus::StoreDamaged), std::move(text)};
}

std::string_view start_text(SegmentStart start) {
  if (start == SegmentStart::Genesis) return "begins with the daemon";
  return start == SegmentStart::Image ? "begins with an image" : "has no image";
}

}  // namespace

std::optional<TaskId> parse_task(std::string_view text) {
  const auto number = [](std::string_view digits) -> std::optional<std::uint64_t> {
    std::uint64_t value = 0;
    const auto* end = digits.data() + digits.size();
    const auto [stopped, fault] = std::from_chars(digits.data(), end, value);
    if (fault != std::errc{} || stopped != end) return std::nullopt;
    return value;
  };
  const auto dot = text.find('.');
  const auto first = number(text.substr(0, dot));
  if (!first) return std::nullopt;
  if (dot == text.npos) return TaskId{*first};
  const auto counter = number(text.substr(dot + 1));
  constexpr std::uint64_t counter_end = std::uint64_t{1} << 40;
  if (!counter || *counter >= counter_end || *first >= counter_end >> 16) return std::nullopt;
  return TaskId{*first << 40 | *counter};
}

std::optional<Instant> parse_instant(std::string_view text) {
  constexpr std::size_t places = 9;
  const auto dot = text.find('.');
  std::string digits(text.substr(0, dot));
  std::string fraction(dot == text.npos ? std::string_view() : text.substr(dot + 1));
  if (digits.empty() || fraction.size() > places || (dot != text.npos && fraction.empty())) {
    return std::nullopt;
  }
  digits += fraction + std::string(places - fraction.size(), '0');
  if (digits.find_first_not_of("0123456789") != digits.npos) return std::nullopt;
  std::int64_t ns = 0;
  const auto [stopped, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), ns);
  if (fault != std::errc{}) return std::nullopt;
  return Instant{ns};
}

Result<std::vector<std::string>> Replayer::paths() const {
  struct stat found {};
  if (::stat(options_.path.c_str(), &found) != 0 || !S_ISDIR(found.st_mode)) {
    return std::vector<std::string>{options_.path};
  }
  const auto numbers = list_segments(options_.path);
  if (!numbers) return unreadable(numbers.error().text);
  if (numbers->empty())
    return unreadable("there is no recording (flight-*.rec) in " + options_.path);
  std::vector<std::string> paths;
  for (const auto number : *numbers) paths.push_back(options_.path + "/" + segment_name(number));
  return paths;
}

Result<void> Replayer::run() {
  const auto all = paths();
  if (!all) return all.error();
  for (const auto& path : *all) {
    auto segment = SegmentReader::open(path);
    if (!segment) return segment.error();
    if (auto ran = run_segment(*segment); !ran) return ran;
  }
  if (segments_ != 0) return {};
  if (all->size() > 1)
    return unreadable("no segment in " + options_.path + " has an image to begin with");
  return unreadable(options_.path +
                    " has no image to begin with; name the directory with those before it");
}

Result<bool> Replayer::take_place(SegmentReader& segment) {
  const auto& header = segment.header();
  const bool follows = pool_ && header.previous != 0 && header.previous == ended_;
  if (!follows) pool_.reset();
  if (header.start == SegmentStart::Genesis) {
    pool_.emplace(segment.settings().genesis);
  } else if (header.start == SegmentStart::Image && !follows) {
    pool_ = Pool::from_image(segment.image());
    if (!pool_) return unreadable(segment.name() + " is damaged: its image is none");
  } else if (header.start == SegmentStart::Image) {
    const auto& image = segment.image();
    if (pool_->image(image.size()) != image) {
      return Error{static_cast<int>(ExitStatus::ReplayDiffers),
                   segment.name() +
                       ": the core that was replayed so far is not in the state that was recorded, "
                       "though it asked for the same"};
    }
  }
  segment.drop_image();
  return pool_.has_value();
}

Result<void> Replayer::run_segment(SegmentReader& segment) {
  print_beginning(segment);
  const auto placed = take_place(segment);
  if (!placed) return placed.error();
  ended_ = 0;
  steps_of_segment_ = 0;
  if (!*placed) {
    line("== skipped: it does not follow on anything that could be replayed");
    return {};
  }
  ++segments_;
  now_ = segment.header().at;
  SegmentItem item;
  for (;;) {
    Instant at;
    const auto next = segment.next(item, at);
    if (next == SegmentReader::Next::Broken) return segment.error();
    if (next != SegmentReader::Next::Item) {
      if (next == SegmentReader::Next::End) ended_ = segment.header().number;
      print_end(next);
      return {};
    }
    if (at < now_) return unreadable(segment.name() + " is damaged: it goes back in time");
    now_ = at;
    if (auto ran = run_item(segment, item); !ran) return ran;
  }
}

Result<void> Replayer::run_item(const SegmentReader& segment, const SegmentItem& item) {
  commands_.clear();
  if (const auto* step = std::get_if<item::Step>(&item)) {
    ++steps_;
    ++steps_of_segment_;
    const auto* configured = std::get_if<event::TypeConfigured>(&step->event);
    if (configured != nullptr && !is_declared(configured->type)) {
      return unreadable(segment.name() + " is damaged: step " + std::to_string(steps_of_segment_) +
                        " is about a type that was never declared");
    }
    if (is_printed() && !options_.task) line(describe(now_) + " -> " + describe(step->event));
    pool_->step(now_, step->event, commands_);
    print_step(step->event);
    return compare(segment, describe(step->event), step->commands, step->digest);
  }
  if (const auto* replayed = std::get_if<item::Replayed>(&item)) {
    if (is_printed() && concerns(replayed->record)) {
      line(describe(now_) + " was " + describe(replayed->record));
    }
    pool_->replay(replayed->record);
    return {};
  }
  if (const auto* totals = std::get_if<item::Totals>(&item)) {
    pool_->replay_totals(totals->settled);
    return {};
  }
  const auto& end = std::get<item::ReplayEnd>(item);
  pool_->finish_replay(now_, commands_);
  if (is_printed() && !options_.task) line(describe(now_) + " -> the store has been read");
  for (const auto& command : commands_) {
    if (is_printed() && concerns(command)) line(describe(now_) + "      " + describe(command));
  }
  return compare(segment, "the end of what the store had", end.commands, end.digest);
}

Result<void> Replayer::compare(const SegmentReader& segment, const std::string& what,
                               std::uint64_t commands, std::uint32_t digest) {
  image::DigestSink sink;
  for (const auto& command : commands_) image::walk(sink, command);
  const auto now = commands_.empty() ? 0 : sink.digest();
  if (commands_.size() == commands && now == digest) return {};
  std::string text = segment.name() + ": step " + std::to_string(steps_of_segment_) + ", at " +
                     describe(now_) + ", is the first that differs: " + what + "; recorded were " +
                     std::to_string(commands) + " commands, and these are " +
                     std::to_string(commands_.size()) + " now";
  for (const auto& command : commands_) text += "\n  " + describe(command);
  if (segment.header().program != kServerName) {
    text += "\n  " + segment.header().program + " recorded it, and this is " + kServerName;
  }
  return Error{static_cast<int>(ExitStatus::ReplayDiffers), std::move(text)};
}

bool Replayer::is_declared(TypeId type) const {
  return std::ranges::count(pool_->snapshot(TypesShown::All).types, type, &TypeView::type) != 0;
}

bool Replayer::concerns(const auto& value) const {
  if (!options_.task) return true;
  TaskSink sink{*options_.task};
  image::walk(sink, value);
  return sink.found;
}

bool Replayer::is_printed() const {
  return (!options_.from || now_ >= *options_.from) && (!options_.until || now_ <= *options_.until);
}

// Without a task the event is printed before it is given to the core: it may be the one at which
// the core ends the process.
void Replayer::print_step(const Event& event) {
  if (!is_printed()) return;
  bool begun = !options_.task;
  if (!begun && concerns(event)) {
    line(describe(now_) + " -> " + describe(event));
    begun = true;
  }
  for (const auto& command : commands_) {
    if (!concerns(command)) continue;
    if (!begun) line(describe(now_) + " -> " + describe(event));
    begun = true;
    line(describe(now_) + "      " + describe(command));
  }
}

void Replayer::print_beginning(const SegmentReader& segment) {
  const auto& header = segment.header();
  line("== segment " + std::to_string(header.number) + " of life " + std::to_string(header.life) +
       " by " + header.program + " " + std::string(start_text(header.start)) + " at " +
       describe(header.at) + " (" + rfc3339(header.wall) + ") with " +
       std::to_string(header.tasks) + " tasks");
  const auto defaults = default_options();
  for (const auto& row : pool_option_rows()) {
    const auto value = option_text(segment.settings().options, row);
    if (value != option_text(defaults, row)) line("== " + std::string(row.name) + " = " + value);
  }
}

void Replayer::print_end(SegmentReader::Next next) {
  line("== " + std::to_string(steps_of_segment_) + " steps, all as they were recorded" +
       (next == SegmentReader::Next::Torn ? "; it stops here, as after a kill" : ""));
}

void Replayer::line(const std::string& text) { std::fprintf(out_, "%s\n", text.c_str()); }

}  // namespace warmpool::daemon
