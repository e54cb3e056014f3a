#include "explain/page_facts.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <unordered_map>

#include "explain/run_spans.h"

namespace axle {
namespace {

constexpr size_t kMostCallerBoxes = 16;  // inputs, and outputs, that have a box each

std::vector<PagePlace> places_of(const Plan& plan, std::vector<int32_t>& place_of_partition) {
  std::vector<PagePlace> places;
  for (const Partition& part : plan.partitions) {
    const PagePlace place = {part.candidate.engine, part.candidate.resource, part.simulated};
    auto found = std::find(places.begin(), places.end(), place);
    if (found == places.end()) found = places.insert(places.end(), place);
    place_of_partition.push_back(static_cast<int32_t>(found - places.begin()));
  }
  return places;
}

std::vector<std::vector<int32_t>> nodes_of(const Plan& plan, const ModelFacts& model) {
  std::unordered_map<std::string_view, int32_t> index;
  for (size_t i = 0; i < model.nodes.size(); ++i) index[model.nodes[i].name] = static_cast<int32_t>(i);
  std::vector<std::vector<int32_t>> out;
  for (const Partition& part : plan.partitions) {
    std::vector<int32_t>& nodes = out.emplace_back();
    for (const std::string& name : part.nodes) {
      if (const auto found = index.find(name); found != index.end()) nodes.push_back(found->second);
    }
    if (part.nodes.empty()) {
      nodes.resize(model.nodes.size());
      std::iota(nodes.begin(), nodes.end(), 0);
    }
    std::sort(nodes.begin(), nodes.end());
  }
  return out;
}

std::vector<int32_t> partitions_of(const Plan& plan, const PageFacts& facts, size_t nodes) {
  std::vector<int32_t> out(nodes, -1);
  for (size_t i = 0; i < plan.partitions.size(); ++i) {
    const Partition &part = plan.partitions[i], &first = plan.partitions.front();
    if (part.replica != first.replica || part.load != first.load || part.axes != first.axes) continue;
    for (const int32_t node : facts.nodes_of_partition[i]) out[static_cast<size_t>(node)] = static_cast<int32_t>(i);
  }
  return out;
}

// Nodes that follow each other, at most `size` of them, within one partition unless `across`.
std::vector<std::vector<int32_t>> chunks(const std::vector<int32_t>& partition_of_node, size_t size, bool across) {
  std::vector<std::vector<int32_t>> out;
  for (size_t node = 0; node < partition_of_node.size(); ++node) {
    const bool joins = !out.empty() && out.back().size() < size &&
                       (across || partition_of_node[static_cast<size_t>(out.back().back())] == partition_of_node[node]);
    if (!joins) out.emplace_back();
    out.back().push_back(static_cast<int32_t>(node));
  }
  return out;
}

std::vector<std::vector<int32_t>> runs_of(const std::vector<int32_t>& partition_of_node, size_t most_boxes) {
  const size_t nodes = partition_of_node.size();
  const size_t fair = (nodes + most_boxes - 1) / most_boxes;
  for (size_t size = fair; size < 2 * nodes; size *= 2) {
    if (auto runs = chunks(partition_of_node, size, false); runs.size() <= most_boxes) return runs;
  }
  return chunks(partition_of_node, fair, true);
}

void add_caller(PageGraph& graph, BoxKind kind, const std::vector<int32_t>& tensors, std::vector<int32_t>& box_of_tensor) {
  for (const int32_t tensor : tensors) {
    if (tensors.size() <= kMostCallerBoxes || tensor == tensors.front()) {
      graph.boxes.emplace_back();
      graph.boxes.back().kind = kind;
    }
    graph.boxes.back().tensors.push_back(tensor);
    box_of_tensor[static_cast<size_t>(tensor)] = static_cast<int32_t>(graph.boxes.size()) - 1;
  }
}

void add_nodes(PageGraph& graph, const PageFacts& facts, const ModelFacts& model, size_t most_boxes) {
  const auto runs = runs_of(facts.partition_of_node, most_boxes);
  graph.collapsed = runs.size() < model.nodes.size();
  graph.box_of_node.resize(model.nodes.size());
  for (const std::vector<int32_t>& run : runs) {
    PageBox box;
    box.kind = run.size() == 1 ? BoxKind::kNode : BoxKind::kRun;
    box.nodes = run;
    box.partition = facts.partition_of_node[static_cast<size_t>(run.front())];
    for (const int32_t id : run) {
      const NodeFacts& node = model.nodes[static_cast<size_t>(id)];
      box.flops += node.flops;
      box.weight_bytes += node.weight_bytes;
      box.activation_bytes += node.activation_bytes;
      if (facts.partition_of_node[static_cast<size_t>(id)] != box.partition) box.partition = -1;
      graph.box_of_node[static_cast<size_t>(id)] = static_cast<int32_t>(graph.boxes.size());
    }
    graph.boxes.push_back(std::move(box));
  }
}

PageGraph graph_of(const PageFacts& facts, const ModelFacts& model, size_t most_boxes) {
  PageGraph graph;
  std::vector<int32_t> inputs, outputs, input_box(model.tensors.size(), -1), output_box(model.tensors.size(), -1);
  for (size_t i = 0; i < model.tensors.size(); ++i) {
    const TensorFacts& tensor = model.tensors[i];
    if (tensor.producer < 0) inputs.push_back(static_cast<int32_t>(i));
    if (std::any_of(model.outputs.begin(), model.outputs.end(), [&](const IoSpec& spec) { return spec.name == tensor.name; })) {
      outputs.push_back(static_cast<int32_t>(i));
    }
  }
  add_caller(graph, BoxKind::kInput, inputs, input_box);
  add_nodes(graph, facts, model, most_boxes);
  add_caller(graph, BoxKind::kOutput, outputs, output_box);
  std::map<std::pair<int32_t, int32_t>, PageEdge> edges;
  const auto add = [&](int32_t from, int32_t to, size_t tensor) {
    if (from < 0 || to <= from) return;
    PageEdge& edge = edges[{from, to}];
    const PageBox& a = graph.boxes[static_cast<size_t>(from)];
    const PageBox& b = graph.boxes[static_cast<size_t>(to)];
    edge.from = from;
    edge.to = to;
    edge.crosses = !a.nodes.empty() && !b.nodes.empty() && a.partition != b.partition;
    edge.tensors.push_back(static_cast<int32_t>(tensor));
  };
  const auto box_of_node = [&](int32_t node) {
    return node >= 0 && static_cast<size_t>(node) < graph.box_of_node.size() ? graph.box_of_node[static_cast<size_t>(node)]
                                                                             : -1;
  };
  for (size_t i = 0; i < model.tensors.size(); ++i) {
    const TensorFacts& tensor = model.tensors[i];
    const int32_t from = tensor.producer < 0 ? input_box[i] : box_of_node(tensor.producer);
    int32_t before = -1;
    for (const int32_t node : tensor.consumers) {
      const int32_t to = box_of_node(node);
      if (to != before) add(from, to, i);  // several readers in one run: one edge
      before = to;
    }
    add(from, output_box[i], i);
  }
  for (auto& [ends, edge] : edges) graph.edges.push_back(std::move(edge));
  return graph;
}

std::vector<int64_t> times_of_nodes(const PageFacts& facts, const ModelFacts& model) {
  std::vector<int64_t> out(model.nodes.size(), 0);
  if (facts.log == nullptr) return out;
  std::map<std::string, int64_t> times;
  for (const KernelTime& kernel : kernel_times(*facts.log)) times[kernel.name] += kernel.time_ns;
  for (size_t i = 0; i < model.nodes.size(); ++i) {
    const auto found = times.find(model.nodes[i].name);
    if (found != times.end()) out[i] = found->second;
  }
  return out;
}

// The model and the answers on its nodes; where the plan's parts were cut from a copy, they name the copy's.
void set_model(const PlannerInput& input, PageFacts& facts) {
  facts.model = &input.model;
  facts.verdicts = &input.verdicts;
  if (facts.plan->partitions.empty()) return;
  const Partition& part = facts.plan->partitions.front();
  if (!part.variant || part.nodes.empty()) return;
  const auto copy = std::ranges::find(input.variant_graphs, part.variant->name(), &VariantGraph::variant);
  if (copy == input.variant_graphs.end()) return;
  facts.model = &copy->model;
  facts.verdicts = &copy->verdicts;
}

}  // namespace

PageFacts page_facts(const Plan& plan, const PlannerInput* input, const TraceLog* log, size_t most_boxes) {
  PageFacts facts;
  facts.plan = &plan;
  facts.input = input;
  facts.log = log;
  facts.places = places_of(plan, facts.place_of_partition);
  if (input != nullptr) set_model(*input, facts);
  if (!facts.has_graph()) return facts;
  facts.nodes_of_partition = nodes_of(plan, *facts.model);
  facts.partition_of_node = partitions_of(plan, facts, facts.model->nodes.size());
  facts.kernel_ns = times_of_nodes(facts, *facts.model);
  facts.graph = graph_of(facts, *facts.model, most_boxes);
  return facts;
}

Roofline roofline_at(const PageFacts& facts, const Candidate& on) {
  const Resource* resource = find_resource(facts.input->machine, on.resource);
  if (resource == nullptr) return {};
  return roofline_of(facts.input->machine, *resource, on.precision, on.threads, find_profile(*facts.input, on.resource));
}

int64_t estimate_at(const PageFacts& facts, const Candidate& on, const std::vector<int32_t>& nodes) {
  const Roofline roof = roofline_at(facts, on);
  const ModelFacts& model = *facts.model;
  const std::vector<uint64_t> made = output_bytes(model);
  int64_t sum_ns = 0;
  for (const int32_t node : nodes) {
    const auto at = static_cast<size_t>(node);
    sum_ns += estimate_node_ns(model, model.nodes[at], made[at], roof, on.precision);
  }
  return sum_ns;
}

std::vector<uint64_t> live_bytes(const PageFacts& facts, const std::vector<int32_t>& nodes) {
  std::vector<size_t> step(facts.model->nodes.size(), SIZE_MAX);  // at which each node runs
  const size_t steps = nodes.size();
  for (size_t i = 0; i < steps; ++i) step[static_cast<size_t>(nodes[i])] = i;
  std::vector<int64_t> change(steps + 1, 0);
  for (const TensorFacts& tensor : facts.model->tensors) {
    size_t first = SIZE_MAX, last = 0;
    const auto touch = [&](int32_t node) {
      if (node < 0 || static_cast<size_t>(node) >= step.size() || step[static_cast<size_t>(node)] == SIZE_MAX) return;
      first = std::min(first, step[static_cast<size_t>(node)]);
      last = std::max(last, step[static_cast<size_t>(node)]);
    };
    touch(tensor.producer);
    for (const int32_t node : tensor.consumers) touch(node);
    if (first == SIZE_MAX) continue;
    const auto bytes = static_cast<int64_t>(std::min<uint64_t>(tensor.bytes, uint64_t{1} << 50));
    change[first] += bytes;
    change[last + 1] -= bytes;
  }
  std::vector<uint64_t> out;
  int64_t live = 0;
  for (size_t i = 0; i < steps; ++i) {
    live += change[i];
    out.push_back(static_cast<uint64_t>(live));
  }
  return out;
}

uint64_t partition_weight_bytes(const PageFacts& facts, size_t partition) {
  const std::vector<int32_t>& nodes = facts.nodes_of_partition[partition];
  const auto in = [&](int32_t node) { return std::binary_search(nodes.begin(), nodes.end(), node); };
  uint64_t bytes = 0;
  for (const int32_t node : nodes) bytes += facts.model->nodes[static_cast<size_t>(node)].weight_bytes;
  // A node's weight_bytes holds a weight only at its first reader.
  for (const SharedWeightFacts& shared : facts.model->shared_weights) {
    if (shared.nodes.empty() || in(shared.nodes.front())) continue;
    if (std::any_of(shared.nodes.begin(), shared.nodes.end(), in)) bytes += shared.bytes;
  }
  return bytes;
}

}  // namespace axle
