// One task for each line of input.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>

#include "client/cli/context.hpp"
#include "client/cli/interrupts.hpp"
#include "client/cli/line_reader.hpp"
#include "client/cli/map_window.hpp"
#include "client/cli/progress.hpp"
#include "client/cli/task_options.hpp"

namespace warmpool::cli {

struct MapOptions {
  TaskOptions task;
  std::string type, input = "-", progress = "auto";
  std::uint64_t in_flight = 256;
  bool keep_order = false;
};

// Bounds: in_flight lines at once, and 64 MiB of results that wait to be written.
class Map {
 public:
  Map(Context& context, client::Client client, const MapOptions& options, int input);
  // Returns what the command ends with.
  int run();

 private:
  struct Entry {
    std::uint64_t place = 0;  // in the sequence of lines that are not empty
    Line line;
    TaskId task;
  };

  void read_input();
  void submit_lines();
  void submit(Entry entry);
  void retry_due();
  bool has_room() const;
  bool wants_input() const;
  bool finished() const;
  // Takes what is there at once. False: no daemon any more.
  bool take_events(client::Deadline deadline);
  void wait();

  void on(const client::Accepted& event);
  void on(const client::Refused& event);
  void on(const client::Settled& event);
  void on(const client::Progressed&) {}
  void on(const client::Cancelled&) {}
  void on(const client::Happened&) {}
  void on(const client::HappenedAll&) {}
  void on(const client::Unknown& event);

  void finish(Entry entry, const std::string& members, bool ok);
  void finish_error(Entry entry, std::string_view cause, std::string_view error);
  void give_up(int status, std::string text);
  void interrupt();
  ProgressState progress() const;
  int conclude();

  Context& context_;
  client::Client client_;
  const MapOptions& options_;
  int input_;
  Interrupts interrupts_;
  LineReader lines_;
  MapWindow window_;
  ProgressLine line_;
  std::optional<std::uint64_t> total_;
  client::Deadline begun_;

  std::unordered_map<std::uint64_t, Entry> open_;  // by ticket
  std::multimap<client::Deadline, Entry> later_;   // refused for now
  std::uint64_t places_ = 0, line_last_ = 0, done_ = 0, failed_ = 0, cancelled_ = 0;
  bool lines_dry_ = true;  // of what was read no whole line is left
  bool at_end_ = false, stopping_ = false, dead_ = false, input_ready_ = true;
  int status_ = kOk;  // other than kOk: nothing new is read
};

}  // namespace warmpool::cli
