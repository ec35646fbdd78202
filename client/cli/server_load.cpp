#include "client/cli/server_load.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <optional>
#include <thread>

namespace warmpool::cli {

namespace {

using std::chrono::steady_clock;

constexpr int kWorkers = 2;
constexpr std::chrono::milliseconds kLook{200};
constexpr std::chrono::minutes kSilenceMax{1};
// A server that is slow on this disk is asked for no more jobs after that.
constexpr std::chrono::seconds kAskMax{2};

double rate(std::uint64_t jobs, steady_clock::time_point begun) {
  return static_cast<double>(jobs) /
         std::chrono::duration<double>(steady_clock::now() - begun).count();
}

// Takes a job, puts its result, forgets the job; one at a time, until told to stop.
class PeerWorker {
 public:
  PeerWorker(const PeerServer& server, const std::string& socket, std::atomic<bool>& stop)
      : thread_([&server, socket, &stop, this] { error_ = work(server, socket, stop); }) {}
  ~PeerWorker() {
    if (thread_.joinable()) thread_.join();
  }
  PeerWorker(const PeerWorker&) = delete;
  PeerWorker& operator=(const PeerWorker&) = delete;

  std::optional<Error> join() {
    thread_.join();
    return error_;
  }

 private:
  static std::optional<Error> work(const PeerServer& server, const std::string& socket,
                                   const std::atomic<bool>& stop) {
    auto link = greeted(socket, server.read, server.greeting_of_worker);
    if (!link) return link.error();
    while (!stop) {
      link->ask(server.take_job);
      const auto took = link->finish();
      if (!took) return took.error();
      if (*took == 0) continue;
      const auto job = link->last();
      link->ask(server.put_result);
      if (server.drop != nullptr) link->ask(server.drop(job));
      if (const auto put = link->finish(); !put) return put.error();
    }
    return std::nullopt;
  }

  std::optional<Error> error_;
  std::thread thread_;  // last: it uses the rest
};

// Keeps `outstanding` jobs between their put and their result.
class PeerClient {
 public:
  PeerClient(const PeerServer& server, Pipeline putter, Pipeline taker)
      : server_(server), putter_(std::move(putter)), taker_(std::move(taker)) {}

  Result<double> run(std::uint64_t jobs, std::uint64_t outstanding, Interrupts& interrupts) {
    Pipeline* const both[] = {&putter_, &taker_};
    const auto begun = steady_clock::now();
    auto heard_at = begun;
    while (done_ < jobs) {
      if (steady_clock::now() - begun > kAskMax) jobs = put_;
      for (; put_ < jobs && put_ - done_ < outstanding; ++put_) putter_.ask(server_.put_job);
      ask_for_results(outstanding);
      const auto open = taker_.unanswered();
      if (const auto put = putter_.advance(); !put) return put.error();
      const auto took = taker_.advance();
      if (!took) return took.error();
      done_ += *took;
      if (*took > 0) {
        heard_at = steady_clock::now();
        if (server_.drop != nullptr) drop_and_go_on();
        continue;
      }
      // The answer to a drop brings no result, but now the next may be asked for.
      if (taker_.unanswered() == open) wait_for_any(both, kLook);
      if (interrupts.take()) return Error{0, "interrupted"};
      if (steady_clock::now() - heard_at > kSilenceMax) {
        return Error{0, std::string(server_.name) + " brought no result for a minute"};
      }
    }
    const double result = rate(done_, begun);
    if (const auto rest = taker_.finish(); !rest) return rest.error();
    return result;
  }

 private:
  // In one write: a server that syncs each drop would else be waited for twice for each result.
  void drop_and_go_on() {
    taker_.ask(server_.drop(taker_.last()));
    if (put_ > done_) taker_.ask(server_.take_result);
  }

  void ask_for_results(std::uint64_t outstanding) {
    const auto most = server_.takes_many ? outstanding : 1;
    while (taker_.unanswered() < std::min(most, put_ - done_)) taker_.ask(server_.take_result);
  }

  const PeerServer& server_;
  Pipeline putter_, taker_;
  std::uint64_t put_ = 0, done_ = 0;
};

}  // namespace

Result<Pipeline> greeted(const std::string& socket, ReadAnswers read,
                         const std::vector<std::string>& greeting) {
  auto link = Pipeline::connect(socket, read);
  if (!link) return link;
  for (const auto& line : greeting) link->ask(line);
  if (const auto answered = link->finish(); !answered) return answered.error();
  return link;
}

Result<Accepting> measure_accepting(Pipeline& client, const std::string& request,
                                    std::uint64_t jobs, std::uint64_t outstanding,
                                    Interrupts& interrupts) {
  std::vector<std::int64_t> took;
  Pipeline* const self = &client;
  const auto begun = steady_clock::now();
  auto asked_at = begun, heard_at = begun;
  for (std::uint64_t asked = 0, done = 0; done < jobs;) {
    if (steady_clock::now() - begun > kAskMax) jobs = asked;
    const auto more = std::min(jobs - asked, outstanding - (asked - done));
    if (more > 0) asked_at = steady_clock::now();
    client.ask(request, more);
    asked += more;
    const auto came = client.advance();
    if (!came) return came.error();
    done += *came;
    if (*came == 0) {
      wait_for_any({&self, 1}, kLook);
      if (interrupts.take()) return Error{0, "interrupted"};
      if (steady_clock::now() - heard_at > kSilenceMax) {
        return Error{0, "the server has not answered for a minute"};
      }
      continue;
    }
    heard_at = steady_clock::now();
    if (outstanding == 1) took.push_back(std::chrono::nanoseconds(heard_at - asked_at).count());
  }
  Accepting accepting{.per_second = rate(jobs, begun)};
  if (!took.empty()) {
    const auto middle = took.begin() + static_cast<std::ptrdiff_t>(took.size() / 2);
    std::nth_element(took.begin(), middle, took.end());
    accepting.p50_ns = *middle;
  }
  return accepting;
}

Result<double> measure_cycle(const PeerServer& server, const std::string& socket,
                             std::uint64_t jobs, std::uint64_t outstanding,
                             Interrupts& interrupts) {
  auto putter = greeted(socket, server.read, server.greeting_of_client);
  if (!putter) return putter.error();
  auto taker = greeted(socket, server.read, server.greeting_of_taker);
  if (!taker) return taker.error();
  std::atomic<bool> stop = false;
  std::array<std::optional<PeerWorker>, kWorkers> workers;
  for (auto& worker : workers) worker.emplace(server, socket, stop);
  auto result =
      PeerClient(server, std::move(*putter), std::move(*taker)).run(jobs, outstanding, interrupts);
  stop = true;
  for (auto& worker : workers) {
    const auto error = worker->join();
    if (error && result) result = *error;
  }
  return result;
}

}  // namespace warmpool::cli
