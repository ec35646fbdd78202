// What every command is given: the options before it, the standard descriptors, the daemon.
#pragma once

#include <string>
#include <string_view>

#include "client/cli/exit_status.hpp"
#include "client/cli/output.hpp"
#include "client/client.hpp"

namespace warmpool::cli {

struct Globals {
  std::string socket;  // --socket; empty: WARMPOOL_SOCKET, else the user's default
  std::string color = "auto";
  bool json = false;
  bool quiet = false;
};

struct Descriptors {
  int in = 0, out = 1, err = 2;
};

class Context {
 public:
  Context(Globals globals, Descriptors descriptors);

  const Globals& globals() const { return globals_; }
  bool json() const { return globals_.json; }
  int in() const { return in_; }
  Output& out() { return out_; }
  Output& err() { return err_; }
  // Titles in bold, only where a person reads.
  bool bold() const { return bold_; }

  // Data, with a line feed after it.
  void print(std::string_view line);
  // Talk, on standard error; nothing with -q.
  void say(std::string_view line);
  // An error, on standard error also with -q; with --json as a document. Returns what the command
  // ends with.
  int fail(const Error& error);
  int fail(int status, std::string_view text);

  // Blocks: up to connect_timeout. Errors: not said yet; give them to fail.
  Result<client::Client> connect(client::ConnectOptions options = {});
  // A request and its document. Blocks: up to the deadline for requests [30 s].
  Result<std::string> ask(const ipc::RequestMeta& request);
  static Result<std::string> ask(client::Client& client, const ipc::RequestMeta& request);

 private:
  int complain(int status, int code, std::string_view text);

  Globals globals_;
  int in_;
  Output out_, err_;
  bool bold_;
};

// For replies that come at once unless the daemon is stuck.
client::Deadline reply_deadline();

// {"schema":1,"error":{"status":75,"code":103,"text":"...","hint":"..."}}. `code`: of an Error; 0:
// none. The hint is the end of a text that says what to do, as ours do: "what is wrong; what to
// do".
std::string error_document(int status, int code, std::string_view text);

// What is said about a task, with its id in it.
std::string about_task(TaskId task, std::string_view text);

}  // namespace warmpool::cli
