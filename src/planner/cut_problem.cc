#include "planner/cut_problem.h"

#include <algorithm>

namespace axle {

CutUses::CutUses(const CutProblem& problem)
    : reads(static_cast<size_t>(problem.units)), makes(static_cast<size_t>(problem.units)),
      predecessors(static_cast<size_t>(problem.units)) {
  for (size_t t = 0; t < problem.tensors.size(); ++t) {
    const CutTensor& tensor = problem.tensors[t];
    if (tensor.producer >= 0) makes[static_cast<size_t>(tensor.producer)].push_back(static_cast<int32_t>(t));
    for (const int32_t unit : tensor.consumers) {
      reads[static_cast<size_t>(unit)].push_back(static_cast<int32_t>(t));
      if (tensor.producer >= 0) predecessors[static_cast<size_t>(unit)].push_back(tensor.producer);
    }
  }
  for (auto& list : predecessors) {
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
  }
}

GrowingPart::GrowingPart(const CutProblem& problem, const CutUses& uses)
    : problem_(problem), uses_(uses), inside_(static_cast<size_t>(problem.units), false), readers_(problem.tensors.size(), 0) {}

void GrowingPart::start(int32_t place) {
  for (const int32_t unit : units_) {
    inside_[static_cast<size_t>(unit)] = false;
    for (const int32_t tensor : uses_.reads[static_cast<size_t>(unit)]) readers_[static_cast<size_t>(tensor)] = 0;
  }
  units_.clear();
  place_ = place;
  ns_ = problem_.launch_ns[static_cast<size_t>(place)];
  blocked_ = 0;
}

void GrowingPart::charge(int64_t ns, int sign) {
  // Sums of at most 2^62 are kept from overflowing by counting what is no cost but a refusal.
  if (ns >= kNoWay)
    blocked_ += sign;
  else
    ns_ = std::min(ns_ + sign * ns, kNoWay * 4);
}

// The border after `unit` came in (sign 1, readers counted before) or before it leaves (sign -1).
void GrowingPart::apply(int32_t unit, int sign) {
  for (const int32_t t : uses_.reads[static_cast<size_t>(unit)]) {
    const CutTensor& tensor = problem_.tensors[static_cast<size_t>(t)];
    const int32_t readers = readers_[static_cast<size_t>(t)];
    const bool made_inside = tensor.producer >= 0 && inside_[static_cast<size_t>(tensor.producer)];
    if (!made_inside && readers == 1) charge(problem_.in_ns[problem_.cell(t, place_)], sign);
    if (made_inside && !tensor.is_output && readers == static_cast<int32_t>(tensor.consumers.size()))
      charge(problem_.out_ns[problem_.cell(t, place_)], -sign);
  }
  for (const int32_t t : uses_.makes[static_cast<size_t>(unit)]) {
    const CutTensor& tensor = problem_.tensors[static_cast<size_t>(t)];
    if (tensor.is_output || !tensor.consumers.empty()) charge(problem_.out_ns[problem_.cell(t, place_)], sign);
  }
  charge(problem_.unit_ns[problem_.cell(unit, place_)], sign);
}

void GrowingPart::add(int32_t unit) {
  for (const int32_t t : uses_.reads[static_cast<size_t>(unit)]) ++readers_[static_cast<size_t>(t)];
  inside_[static_cast<size_t>(unit)] = true;
  units_.push_back(unit);
  apply(unit, 1);
}

void GrowingPart::remove_last() {
  const int32_t unit = units_.back();
  apply(unit, -1);
  units_.pop_back();
  inside_[static_cast<size_t>(unit)] = false;
  for (const int32_t t : uses_.reads[static_cast<size_t>(unit)]) --readers_[static_cast<size_t>(t)];
}

int64_t cost_of(const CutProblem& problem, const std::vector<CutPart>& parts) {
  std::vector<size_t> part_of(static_cast<size_t>(problem.units), parts.size());
  int64_t total = 0;
  const auto add = [&](int64_t ns) { total = std::min(total + std::min(ns, kNoWay), kNoWay); };
  for (size_t p = 0; p < parts.size(); ++p) {
    add(problem.launch_ns[static_cast<size_t>(parts[p].place)]);
    for (const int32_t unit : parts[p].units) {
      part_of[static_cast<size_t>(unit)] = p;
      add(problem.unit_ns[problem.cell(unit, parts[p].place)]);
    }
  }
  for (size_t t = 0; t < problem.tensors.size(); ++t) {
    const CutTensor& tensor = problem.tensors[t];
    const size_t from = tensor.producer < 0 ? parts.size() : part_of[static_cast<size_t>(tensor.producer)];
    std::vector<size_t> to;
    for (const int32_t unit : tensor.consumers) to.push_back(part_of[static_cast<size_t>(unit)]);
    std::sort(to.begin(), to.end());
    to.erase(std::unique(to.begin(), to.end()), to.end());
    std::erase(to, from);
    if (tensor.producer >= 0 && (tensor.is_output || !to.empty()))
      add(problem.out_ns[problem.cell(static_cast<int32_t>(t), parts[from].place)]);
    for (const size_t p : to) add(problem.in_ns[problem.cell(static_cast<int32_t>(t), parts[p].place)]);
  }
  return total;
}

bool is_executable(const CutProblem& problem, const std::vector<CutPart>& parts) {
  std::vector<size_t> part_of(static_cast<size_t>(problem.units), parts.size());
  size_t placed = 0;
  for (size_t p = 0; p < parts.size(); ++p) {
    if (parts[p].units.empty()) return false;
    for (const int32_t unit : parts[p].units) {
      if (part_of[static_cast<size_t>(unit)] != parts.size() || !problem.takes(unit, parts[p].place)) return false;
      part_of[static_cast<size_t>(unit)] = p;
      ++placed;
    }
  }
  if (placed != static_cast<size_t>(problem.units)) return false;
  return std::all_of(problem.tensors.begin(), problem.tensors.end(), [&](const CutTensor& tensor) {
    return tensor.producer < 0 ||
           std::all_of(
               tensor.consumers.begin(), tensor.consumers.end(),
               [&](int32_t unit) {
                 return part_of[static_cast<size_t>(tensor.producer)] <= part_of[static_cast<size_t>(unit)];
               });
  });
}

}  // namespace axle
