// CutProblem: which place runs which part of a graph, as numbers only. Units (nodes that must stay together) form a directed
// acyclic graph through tensors; a part is a set of units on one place; the parts must form an acyclic graph among themselves,
// so that each runs once, after everything it reads. Costs are integer nanoseconds and separable: what a part costs depends on
// its own units and the tensors that cross its border, because every such tensor is handed over in host memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace axle {

inline constexpr int64_t kNoWay = int64_t{1} << 60;  // a cost that says: not here

struct CutTensor {
  int32_t producer = -1;            // unit; -1 = the caller
  std::vector<int32_t> consumers;   // other units, ascending, each once
  bool is_output = false;           // the caller reads it
};

struct CutProblem {
  int32_t units = 0;
  int32_t places = 0;
  std::vector<int64_t> unit_ns;     // [unit * places + place]; kNoWay = the place does not take the unit
  std::vector<CutTensor> tensors;
  std::vector<int64_t> in_ns;       // [tensor * places + place]: handing it to a part there; kNoWay = it cannot cross there
  std::vector<int64_t> out_ns;      // [tensor * places + place]: taking it from a part there
  std::vector<int64_t> launch_ns;   // per place: starting one part

  bool takes(int32_t unit, int32_t place) const { return unit_ns[cell(unit, place)] < kNoWay; }
  size_t cell(int32_t row, int32_t place) const {
    return static_cast<size_t>(row) * static_cast<size_t>(places) + static_cast<size_t>(place);
  }
};

struct CutPart {
  int32_t place = 0;
  std::vector<int32_t> units;  // ascending
  friend bool operator==(const CutPart&, const CutPart&) = default;
};

// Parts in execution order.
struct CutPlan {
  std::vector<CutPart> parts;
  int64_t cost_ns = 0;
  bool exact = false;  // no other plan of this problem costs less
};

// Which tensors each unit reads and makes.
struct CutUses {
  explicit CutUses(const CutProblem& problem);
  std::vector<std::vector<int32_t>> reads;         // per unit: tensors
  std::vector<std::vector<int32_t>> makes;
  std::vector<std::vector<int32_t>> predecessors;  // per unit: units, ascending, each once
};

// The cost of one part while units are added to it and taken away again in reverse order. A unit is added after its
// predecessors in the part, and never before a unit of the part that reads from it.
class GrowingPart {
 public:
  GrowingPart(const CutProblem& problem, const CutUses& uses);
  void start(int32_t place);  // empties it
  void add(int32_t unit);
  void remove_last();
  // Launch included. kNoWay when a tensor cannot cross the border as it is now.
  int64_t cost_ns() const { return blocked_ > 0 || ns_ >= kNoWay ? kNoWay : ns_; }

 private:
  void charge(int64_t ns, int sign);
  void apply(int32_t unit, int sign);

  const CutProblem& problem_;
  const CutUses& uses_;
  int32_t place_ = 0;
  int64_t ns_ = 0;
  int64_t blocked_ = 0;
  std::vector<int32_t> units_;
  std::vector<bool> inside_;
  std::vector<int32_t> readers_;  // per tensor: units inside that read it
};

// Cost of whole plans, from scratch; kNoWay for one that does not hold.
int64_t cost_of(const CutProblem& problem, const std::vector<CutPart>& parts);
// Every unit once, on a place that takes it, each part after those it reads from (so parts are convex).
bool is_executable(const CutProblem& problem, const std::vector<CutPart>& parts);

}  // namespace axle
