// One GET over loopback: nothing of it blocks, and only the first line of the answer is read.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "daemon/reactor.hpp"
#include "ipc/fd.hpp"
#include "pool/local_url.hpp"

namespace warmpool::daemon {

class HttpProbe {
 public:
  // `wake` is called once, when answer() is there; perhaps before this returns.
  HttpProbe(Reactor& reactor, const LocalUrl& url, std::function<void()> wake);

  struct Answer {
    bool well = false;
    std::string text;  // for people
  };
  const std::optional<Answer>& answer() const { return answer_; }

 private:
  bool connect(const LocalUrl& url);
  void write();
  void read();
  void end(bool well, std::string text);

  std::function<void()> wake_;
  ipc::UniqueFd socket_;
  std::string request_, reply_;
  std::optional<Answer> answer_;
  std::unique_ptr<Watch> watch_;
};

// Whether a status line says that all is well (2xx); none: it is not whole yet. Errors: no HTTP.
struct StatusLine {
  bool whole = false, http = false;
  unsigned status = 0;
};
StatusLine status_line(std::string_view reply);

}  // namespace warmpool::daemon
