// Random problems for the searches that cut along an order. Test code only.
#pragma once

#include <random>

#include "planner/cut_search.h"

namespace axle::testing {

using Random = std::mt19937;

struct RandomCosts {
  int64_t refused_percent = 10;  // of unit and place pairs
  int64_t launch_ns = 0;
  int64_t crossing_ns = 0;       // what a tensor at a border may cost at most
};

// Units read up to two earlier ones.
inline CutProblem random_problem(Random& random, int32_t units, int32_t places, const RandomCosts& costs) {
  const auto below = [&](int64_t bound) {
    return bound <= 0 ? 0 : static_cast<int64_t>(random() % static_cast<uint64_t>(bound));
  };
  CutProblem problem;
  problem.units = units;
  problem.places = places;
  for (int32_t unit = 0; unit < units; ++unit) {
    for (int64_t reads = below(3); reads > 0 && unit > 0; --reads) {
      auto& readers = problem.tensors[static_cast<size_t>(below(unit))].consumers;
      if (readers.empty() || readers.back() != unit) readers.push_back(unit);
    }
    CutTensor made;
    made.producer = unit;
    problem.tensors.push_back(made);
  }
  for (CutTensor& tensor : problem.tensors) tensor.is_output = tensor.consumers.empty();
  for (int32_t i = 0; i < units * places; ++i)
    problem.unit_ns.push_back(below(100) < costs.refused_percent ? kNoWay : 1'000 + below(20'000));
  for (size_t i = 0; i < problem.tensors.size() * static_cast<size_t>(places); ++i) {
    problem.in_ns.push_back(below(costs.crossing_ns));
    problem.out_ns.push_back(below(costs.crossing_ns));
  }
  problem.launch_ns.assign(static_cast<size_t>(places), costs.launch_ns);
  return problem;
}

}  // namespace axle::testing
