// Which transport a test's worker channels are made of. Suites run once with each: CMake sets the
// environment variable WARMPOOL_TEST_CHANNEL for the second run.
#pragma once

#include <cstdint>

namespace warmpool::test {

bool over_fifos();
// What that transport carries. Tests of a feature that it lacks skip themselves by it.
std::uint64_t carried_features();

}  // namespace warmpool::test
