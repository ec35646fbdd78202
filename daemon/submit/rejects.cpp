// A line may be anything that somebody wrote into a pipe: in the log it is shown as text and cut,
// in the file it is whole, in base64 where it is no text, so that it can be mended and sent again.
#include "daemon/submit/rejects.hpp"

#include "daemon/json.hpp"
#include "daemon/output/output_ring.hpp"
#include "ipc/bytes.hpp"
#include "ipc/text_forms.hpp"

namespace warmpool::daemon {
namespace {

constexpr std::size_t kShownBytesMax = 200;

Json line_json(std::string_view line) {
  if (ipc::is_utf8(line)) return line;
  return {{"base64", ipc::base64(line)}};
}

}  // namespace

void Rejects::add(std::string_view line, std::string_view reason, Instant now) {
  ++count_;
  log(line, reason, now);
  if (file_.path().empty()) return;
  const auto text =
      text_of({{"time", rfc3339(clock_.wall())}, {"reason", reason}, {"line", line_json(line)}});
  const auto added = file_.append(text);
  if (!added && !file_failed_) {
    log_.error("rejected lines are not kept: " + file_.path() + ": " + added.error().text);
  }
  file_failed_ = !added;
}

void Rejects::log(std::string_view line, std::string_view reason, Instant now) {
  tell_rest(now);
  if (logged_ == 0) window_began_ = now;
  if (logged_ == kLogged) {
    ++left_out_;
    return;
  }
  ++logged_;
  log_.warn("submit.fifo: " + safe_text(reason) + ": " + safe_text(line.substr(0, kShownBytesMax)) +
            (line.size() > kShownBytesMax ? " ..." : ""));
}

void Rejects::tell_rest(Instant now) {
  if (logged_ == 0 || now - window_began_ < kWindow) return;
  if (left_out_ > 0) {
    log_.warn("submit.fifo: " + std::to_string(left_out_) + " more lines were rejected; see " +
              (file_.path().empty() ? "nowhere" : file_.path()));
  }
  logged_ = left_out_ = 0;
}

}  // namespace warmpool::daemon
