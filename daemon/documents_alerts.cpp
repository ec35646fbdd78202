// The alerts there are, the most urgent first, and those of the past, the newest first.
#include "daemon/alerts/alert_json.hpp"
#include "daemon/documents.hpp"

namespace warmpool::daemon {
namespace {

Json program_json(const AlertProgram& program, const std::string& set) {
  const auto& figures = program.figures();
  return {{"set", !set.empty()},
          {"told", figures.told},
          {"dropped", figures.dropped},
          {"trouble", figures.trouble.empty() ? Json() : Json(figures.trouble)}};
}

}  // namespace

std::string Documents::alerts(bool past) const {
  look_for_alerts();
  const auto& clock = services_.engine.clock();
  const auto& options = services_.options();
  const auto& book = alerts_.book();
  Json document{{"schema", kDocumentSchema},
                {"timestamp", rfc3339(services_.engine.clock().wall())}};
  document["alerts"] = Json::array();
  for (const auto* alert : book.active()) document["alerts"].push_back(alert_json(*alert, clock));
  if (past) {
    const auto& gone = book.past();
    for (auto alert = gone.rbegin(); alert != gone.rend(); ++alert) {
      document["alerts"].push_back(alert_json(*alert, clock));
    }
  }
  const auto& trouble = alerts_.file_trouble();
  document["raised"] = book.raised();
  document["dropped"] = book.dropped();
  document["channels"] = {{"file",
                           {{"set", !options.alert_file.empty()},
                            {"trouble", trouble.empty() ? Json() : Json(trouble)}}},
                          {"command", program_json(alerts_.command(), options.alert_command)},
                          {"webhook", program_json(alerts_.webhook(), options.alert_webhook)}};
  return text_of(document);
}

}  // namespace warmpool::daemon
