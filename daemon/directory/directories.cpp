// A queue for each place and for each task: its first piece of work goes from the thread to a
// command and back, and the next one begins when it has ended. What waits for nothing of the same
// place or task waits for nothing else.
#include "daemon/directory/directories.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace warmpool::daemon {
namespace {

std::string attempt_text(const AttemptKey& key) {
  return std::to_string(key.task.value) + "." + std::to_string(key.round) + "." +
         std::to_string(key.attempt);
}

// The other way round; none where it is no such name.
std::optional<AttemptKey> attempt_of(std::string_view name) {
  std::array<std::uint64_t, 3> numbers{};
  const char* at = name.data();
  const char* const end = at + name.size();
  for (auto& number : numbers) {
    const auto [after, error] = std::from_chars(at, end, number);
    const bool last = &number == &numbers.back();
    if (error != std::errc{} || (last ? after != end : after == end || *after != '.')) {
      return std::nullopt;
    }
    at = last ? after : after + 1;
  }
  return AttemptKey{TaskId{numbers[0]}, static_cast<std::uint16_t>(numbers[1]),
                    static_cast<std::uint16_t>(numbers[2]), 0};
}

// Empty: none. That of a class that is not there any more is not known.
template <class Work>
const std::vector<std::string>& clean_command(const Services& services, const Work& work) {
  static const std::vector<std::string> none;
  return work.known_class ? services.options_of(work.owner.worker_class).directory_clean : none;
}

constexpr std::uint64_t kPart = 4;       // of kHelperParts
constexpr std::size_t kCommandsMax = 8;  // at once

}  // namespace

Directories::Directories(Services& services, ProcessPort& processes,
                         std::function<SpawnSpec(ClassId)> spec_of)
    : services_(services),
      spec_of_(std::move(spec_of)),
      runs_(services, processes, kPart, kCommandsMax),
      work_("warmpool-work"),
      removal_("warmpool-sweep") {}
Directories::~Directories() = default;

void Directories::open(DirectoryRoot root) {
  root_ = std::move(root);
  const auto start = [this](BackThread& thread) {
    auto watch = services_.reactor.watch(thread.fd(), [&thread] { thread.complete(); });
    if (watch) watch->start_reading();
    return watch;
  };
  work_watch_ = start(work_);
  removal_watch_ = start(removal_);
  if (!work_watch_ || !removal_watch_) {
    note("the kernel watches no more descriptors; raise fs.epoll.max_user_watches");
  }
  sweep_earlier_lives();
}

DirectoryName Directories::name_of(const DirectoryOwner& owner) const {
  const auto& class_name = services_.options_of(owner.worker_class).name;
  if (owner.attempt) {
    return {file_name_of(class_name), DirectoryKind::Fresh, attempt_text(*owner.attempt)};
  }
  return {file_name_of(class_name), DirectoryKind::Kept, file_name_of(owner.slot)};
}

std::string Directories::path_of(const DirectoryOwner& owner) const {
  return root_ ? root_->path_of(name_of(owner)) : std::string();
}

// No place has the name of a task: its own begins with the class's, and a '/'.
std::string Directories::subject_of(const Work& work) {
  if (work.owner.attempt) return std::to_string(work.owner.attempt->task.value);
  return work.name.class_name + "/" + work.name.name;
}

void Directories::make(DirectoryOwner owner, Made made) {
  REQUIRE(root_);
  auto name = name_of(owner);
  add({.kind = Kind::Make,
       .owner = std::move(owner),
       .name = std::move(name),
       .made = std::move(made)});
}

void Directories::remove(DirectoryOwner place, Done done) {
  REQUIRE(root_);
  auto name = name_of(place);
  add({.kind = Kind::Remove,
       .owner = std::move(place),
       .name = std::move(name),
       .made = {},
       .done = std::move(done)});
}

// The second begins when the first has ended, however that did: what is in the way is told then.
void Directories::reset(DirectoryOwner place, Made made) {
  remove(place, {});
  make(std::move(place), std::move(made));
}

void Directories::release(const DirectoryOwner& owner) {
  REQUIRE(root_ && owner.attempt);
  Work work{.kind = Kind::Remove, .owner = owner, .name = name_of(owner)};
  if (!drop_make(work)) add(std::move(work));
}

void Directories::give_up(DirectoryOwner place) {
  REQUIRE(root_ && !place.attempt);
  auto name = name_of(place);
  drop_make({.kind = Kind::Make, .owner = std::move(place), .name = std::move(name)});
}

// True: nothing of it had begun. What has begun ends by itself, and nobody is told.
bool Directories::drop_make(const Work& of) {
  const auto queue = queues_.find(subject_of(of));
  if (queue == queues_.end()) return false;
  auto& works = queue->second;
  const auto its = std::ranges::find_if(works, [&](const Work& each) {
    return each.kind == Kind::Make && !each.dropped && each.owner.attempt == of.owner.attempt;
  });
  if (its == works.end()) return false;
  if (its != works.begin()) {
    works.erase(its);
    return true;
  }
  its->dropped = true;
  if (its->run != 0) runs_.cancel(its->run);
  return false;
}

void Directories::add(Work work) {
  const auto subject = subject_of(work);
  auto& queue = queues_[subject];
  queue.push_back(std::move(work));
  if (queue.size() == 1) begin(subject);
}

void Directories::begin(const std::string& subject) {
  const auto& work = queues_.at(subject).front();
  if (work.kind == Kind::Make) return make_next(subject);
  const auto leave = [this, subject] {
    discard(subject, [this, subject](const Result<void>& gone) { end(subject, gone); });
  };
  if (clean_command(services_, work).empty()) return leave();
  work_.post([this, subject, leave, name = work.name](const std::atomic<bool>&) {
    return [this, subject, leave, there = root_->exists(name)] {
      there ? clean(subject, leave) : end(subject, {});
    };
  });
}

void Directories::end(const std::string& subject, const Result<void>& result) {
  auto& queue = queues_.at(subject);
  const auto work = std::move(queue.front());
  queue.pop_front();
  if (queue.empty()) {
    queues_.erase(subject);
  } else {
    begin(subject);
  }
  const bool made = work.kind == Kind::Make;
  if (!result && !work.dropped) {
    if (made) ++figures_.failed;
    note(result.error().text + (made ? "" : "; it is tried again at the next start"));
  }
  if (work.dropped) return;
  if (work.done) work.done(result);
  if (!work.made) return;
  work.made(result ? Result<std::string>(root_->path_of(work.name))
                   : Result<std::string>(result.error()));
}

// --- to make -------------------------------------------------------------------------------------

void Directories::make_next(const std::string& subject) {
  const auto& work = queues_.at(subject).front();
  const auto identity = spec_of_(work.owner.worker_class).identity;
  work_.post([this, subject, name = work.name, identity](const std::atomic<bool>&) {
    return [this, subject, is_new = root_->make(name, identity ? &*identity : nullptr)] {
      if (!is_new)
        return end(subject,
                   Error{is_new.error().code, "cannot make a directory: " + is_new.error().text});
      if (!*is_new) return end(subject, {});
      ++figures_.made;
      prepare(subject);
    };
  });
}

void Directories::prepare(const std::string& subject) {
  const auto& work = queues_.at(subject).front();
  const auto& command = services_.options_of(work.owner.worker_class).directory_prepare;
  const bool kept = work.name.kind == DirectoryKind::Kept;
  // A place's next start must not find one that looks prepared.
  if (work.dropped) return prepared(subject, kept ? "it is not wanted any more" : "");
  if (command.empty()) return prepared(subject, {});
  run(subject, command, "directory_prepare",
      [this, subject](const std::string& fault) { prepared(subject, fault); });
}

// What it left half done is cleaned as what was done.
void Directories::prepared(const std::string& subject, const std::string& fault) {
  const auto& work = queues_.at(subject).front();
  if (!fault.empty()) {
    return clean(subject, [this, subject, fault] {
      discard(subject, [this, subject, fault](const Result<void>&) {
        end(subject, Error{0, fault});
      });
    });
  }
  if (work.name.kind == DirectoryKind::Fresh) return end(subject, {});
  work_.post([this, subject, name = work.name](const std::atomic<bool>&) {
    return [this, subject, marked = root_->mark_ready(name)] { end(subject, marked); };
  });
}

// --- to remove -----------------------------------------------------------------------------------

// A command that fails keeps nothing from being removed.
void Directories::clean(const std::string& subject, std::function<void()> then) {
  const auto& work = queues_.at(subject).front();
  const auto& command = clean_command(services_, work);
  if (command.empty()) return then();
  run(subject, command, "directory_clean",
      [this, path = root_->path_of(work.name), then = std::move(then)](const std::string& fault) {
        if (!fault.empty()) note(fault + "; " + path + " is removed all the same");
        then();
      });
}

void Directories::discard(const std::string& subject,
                          std::function<void(const Result<void>&)> then) {
  const auto& work = queues_.at(subject).front();
  work_.post([this, name = work.name, then = std::move(then)](const std::atomic<bool>&) {
    return [this, removed = root_->discard(name), then] {
      if (removed && !removed->empty()) {
        ++figures_.removed;
        destroy(*removed);
      }
      then(removed ? Result<void>()
                   : Result<void>(
                         Error{removed.error().code, "cannot remove " + removed.error().text}));
    };
  });
}

void Directories::destroy(std::string removed) {
  removal_.post([this, removed = std::move(removed)](const std::atomic<bool>& stop) {
    return [this, removal = root_->destroy(removed, stop)] {
      figures_.left += removal.left;
      if (removal.left == 0) return;
      note("cannot remove " + removal.fault + " (" + std::to_string(removal.left) +
           " files and directories are left); it is tried again at the next start");
    };
  });
}

// --- commands ------------------------------------------------------------------------------------

void Directories::run(const std::string& subject, const std::vector<std::string>& command,
                      std::string_view option, std::function<void(const std::string&)> ended) {
  auto& work = queues_.at(subject).front();
  const auto& options = services_.options_of(work.owner.worker_class);
  HelperRun helper;
  helper.spec = spec_of_(work.owner.worker_class);
  auto& environment = helper.spec.environment;
  const auto add = [&](const char* variable, const std::string& value) {
    environment.push_back(std::string(variable) + "=" + value);
  };
  add("WARMPOOL_CLASS", options.name);
  if (const auto& attempt = work.owner.attempt) {
    add("WARMPOOL_TASK", std::to_string(attempt->task.value));
    add("WARMPOOL_ROUND", std::to_string(attempt->round));
    add("WARMPOOL_ATTEMPT", std::to_string(attempt->attempt));
    add("WARMPOOL_TYPE", work.owner.type);
  }
  helper.spec.command = command;
  helper.spec.slot = work.owner.slot;
  helper.spec.working_directory = helper.spec.directory = root_->path_of(work.name);
  helper.title = std::string(option) + " of class '" + options.name + "'";
  helper.timeout = options.directory_timeout;
  helper.timeout_option = "directory_timeout";
  // As a line for each task is.
  if (work.owner.attempt) helper.level = LogLevel::Debug;
  helper.ended = [this, subject, ended = std::move(ended)](const Result<void>& how) {
    queues_.at(subject).front().run = 0;
    ended(how ? std::string() : how.error().text);
  };
  work.run = runs_.start(std::move(helper));
}

// --- the rest ------------------------------------------------------------------------------------

// By its folder. A class that has no fresh directories any more does not clean them.
void Directories::find_owner(Work& work) const {
  const auto& classes = services_.configuration.classes;
  const auto found = std::ranges::find_if(classes, [&](const auto& each) {
    return file_name_of(each.values.name) == work.name.class_name &&
           each.values.directory == "fresh";
  });
  work.known_class = found != classes.end();
  if (!work.known_class) return;
  work.owner.worker_class = ClassId{static_cast<std::uint16_t>(found - classes.begin())};
  work.owner.slot = found->values.name;
}

void Directories::sweep_earlier_lives() {
  auto left = root_->leftovers();
  for (auto& removed : left.removed) destroy(std::move(removed));
  for (auto& name : left.fresh) {
    Work work{.kind = Kind::Remove, .owner = {}, .name = std::move(name)};
    work.owner.attempt = attempt_of(work.name.name);
    find_owner(work);
    add(std::move(work));
  }
  const auto count = left.fresh.size() + left.removed.size();
  if (count == 0) return;
  services_.log.info("removing " + std::to_string(count) +
                     " directories that earlier lives left in " + root_->path());
}

void Directories::measure(std::vector<std::string> paths, Measured measured) {
  removal_.post([paths = std::move(paths), measured = std::move(measured)](
                    const std::atomic<bool>& stop) -> BackThread::Completion {
    std::vector<Result<std::uint64_t>> sizes;
    for (const auto& path : paths) sizes.push_back(tree_bytes(path, stop));
    return [sizes = std::move(sizes), measured] { measured(sizes); };
  });
}

void Directories::note(const std::string& trouble) {
  figures_.trouble = trouble;
  services_.log.warn(trouble);
}

}  // namespace warmpool::daemon
