// What was seen of all kinds, held against the figures that are aimed at.
#pragma once

#include <string>
#include <vector>

#include "tests/campaign/figure_book.hpp"
#include "tests/campaign/workers/kind.hpp"

namespace warmpool::campaign {

struct Seen {
  Kind kind;
  Figures figures;
};

// Those that these kinds are about; the others stay as they were, and what is of all kinds together
// where these are not all. `taken`: see FigureRow.
void put_figures(const std::vector<Seen>& all, bool are_all, const std::string& taken,
                 FigureBook& book);

}  // namespace warmpool::campaign
