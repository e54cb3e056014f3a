// What the sections of the page draw from: the recorded facts of a plan, joined once. Values and pointers into what the caller
// keeps; nothing here knows HTML.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "axle/plan.h"
#include "planner/cost_model.h"
#include "spec/planner_input.h"
#include "trace/recorder.h"

namespace axle {

// An engine on a resource: what has a colour of its own.
struct PagePlace {
  std::string engine, resource;
  bool simulated = false;
  friend bool operator==(const PagePlace&, const PagePlace&) = default;
};

enum class BoxKind : uint8_t { kNode, kRun, kInput, kOutput };  // kRun: several nodes, or several inputs or outputs

// What is drawn as one box: a node, a run of nodes that follow each other in one partition, or the caller's side.
struct PageBox {
  BoxKind kind = BoxKind::kNode;
  std::vector<int32_t> nodes;    // of the model; none on the caller's side
  std::vector<int32_t> tensors;  // on the caller's side: which
  int32_t partition = -1;        // index into Plan::partitions; -1 = none, or several
  uint64_t flops = 0, weight_bytes = 0, activation_bytes = 0;
};

struct PageEdge {
  int32_t from = 0, to = 0;      // boxes; from < to
  std::vector<int32_t> tensors;  // of the model
  bool crosses = false;          // from one partition to another
};

struct PageGraph {
  std::vector<PageBox> boxes;
  std::vector<PageEdge> edges;
  std::vector<int32_t> box_of_node;
  bool collapsed = false;  // boxes stand for runs of nodes
};

struct PageFacts {
  const Plan* plan = nullptr;
  const PlannerInput* input = nullptr;  // null: sections that need it are left out
  const ModelFacts* model = nullptr;    // the input's, or of the copy that the plan's parts were cut from
  const std::vector<VerdictRow>* verdicts = nullptr;  // on the nodes of `model`
  const TraceLog* log = nullptr;        // null: no run was recorded
  std::vector<PagePlace> places;
  std::vector<int32_t> place_of_partition;  // index into places
  std::vector<std::vector<int32_t>> nodes_of_partition;  // ascending; every replica has the whole model
  std::vector<int32_t> partition_of_node;  // in the first replica: index into Plan::partitions; -1 = none names it
  std::vector<int64_t> kernel_ns;  // of each node in the last recorded run; 0 = no kernel bears its name
  PageGraph graph;

  bool has_graph() const { return model != nullptr && !model->nodes.empty(); }
};

inline constexpr size_t kMostBoxes = 2000;

PageFacts page_facts(const Plan& plan, const PlannerInput* input, const TraceLog* log, size_t most_boxes = kMostBoxes);

// What the cost model says of a candidate's resource; zero rates when it is not known.
Roofline roofline_at(const PageFacts& facts, const Candidate& on);
// The cost model's time of some nodes there; 0 when it is not known.
int64_t estimate_at(const PageFacts& facts, const Candidate& on, const std::vector<int32_t>& nodes);

// Bytes of tensors that wait for a reader while each of these nodes runs (in this order), its own inputs and outputs included: what
// must be in memory when every tensor is freed after its last reader.
std::vector<uint64_t> live_bytes(const PageFacts& facts, const std::vector<int32_t>& nodes);
// Weights that the nodes of a partition read; a weight that other partitions read too counts in each.
uint64_t partition_weight_bytes(const PageFacts& facts, size_t partition);

}  // namespace axle
