// The part of warmpool why that is about workers and the queue.
#pragma once

#include "client/cli/why_reasons.hpp"

namespace warmpool::cli {

// The class that alone runs it after a death for memory or time; empty: any that serves its type.
std::string bound_class(const Look& look);
// That, and why, with figures.
std::string bound_text(const Look& look);

// That may run it: those that serve its type, or that one.
nlohmann::json classes_of(const Look& look, const nlohmann::json& type);

// Order: nothing else holds the task. `type`: its row in the reply to types, or an empty object.
void judge_workers(const Look& look, const nlohmann::json& type, std::vector<Reason>& reasons);

}  // namespace warmpool::cli
