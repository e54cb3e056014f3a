#include "planner/cut_units.h"

#include <algorithm>
#include <array>
#include <functional>
#include <queue>
#include <string_view>
#include <unordered_set>

namespace axle {
namespace {

constexpr std::array<std::string_view, 6> kRandomOps = {"RandomNormal",      "RandomNormalLike", "RandomUniform",
                                                        "RandomUniformLike", "Multinomial",      "Bernoulli"};

using Edges = std::vector<std::vector<int32_t>>;

// A ring of edges makes its members one strongly connected component, and everything on a way between them as well.
void add_ring(Edges& next, const std::vector<int32_t>& members) {
  for (size_t i = 0; i < members.size() && members.size() > 1; ++i)
    next[static_cast<size_t>(members[i])].push_back(members[(i + 1) % members.size()]);
}

// Tarjan's algorithm without recursion: graphs are deeper than stacks.
std::vector<int32_t> components(const Edges& next, int32_t& count) {
  const size_t nodes = next.size();
  std::vector<int32_t> number(nodes, -1), low(nodes, 0), component(nodes, -1), open;
  std::vector<std::pair<int32_t, size_t>> path;
  int32_t counter = 0;
  count = 0;
  for (size_t root = 0; root < nodes; ++root) {
    if (number[root] >= 0) continue;
    path.emplace_back(static_cast<int32_t>(root), 0);
    while (!path.empty()) {
      const auto node = static_cast<size_t>(path.back().first);
      size_t& edge = path.back().second;
      if (edge == 0) {
        number[node] = low[node] = counter++;
        open.push_back(static_cast<int32_t>(node));
      }
      if (edge < next[node].size()) {
        const auto to = static_cast<size_t>(next[node][edge++]);
        if (number[to] < 0)
          path.emplace_back(static_cast<int32_t>(to), 0);
        else if (component[to] < 0)
          low[node] = std::min(low[node], number[to]);
        // A node whose first edge leads nowhere new comes by here again with edge > 0: it is numbered once.
        continue;
      }
      if (low[node] == number[node]) {
        int32_t member = -1;
        do {
          member = open.back();
          open.pop_back();
          component[static_cast<size_t>(member)] = count;
        } while (member != static_cast<int32_t>(node));
        ++count;
      }
      path.pop_back();
      if (!path.empty()) {
        const auto parent = static_cast<size_t>(path.back().first);
        low[parent] = std::min(low[parent], low[node]);
      }
    }
  }
  return component;
}

// Numbers components in a topological order, those with earlier nodes first.
std::vector<int32_t> number_topologically(const Edges& next, const std::vector<int32_t>& component, int32_t count) {
  const auto size = static_cast<size_t>(count);
  std::vector<int32_t> first(size, -1), pending(size, 0), number(size, -1);
  std::vector<std::vector<int32_t>> after(size);
  for (size_t node = 0; node < next.size(); ++node) {
    const int32_t from = component[node];
    if (first[static_cast<size_t>(from)] < 0) first[static_cast<size_t>(from)] = static_cast<int32_t>(node);
    for (const int32_t to : next[node]) {
      const int32_t into = component[static_cast<size_t>(to)];
      if (into == from) continue;
      after[static_cast<size_t>(from)].push_back(into);
      ++pending[static_cast<size_t>(into)];
    }
  }
  std::priority_queue<std::pair<int32_t, int32_t>, std::vector<std::pair<int32_t, int32_t>>, std::greater<>> ready;
  for (size_t c = 0; c < size; ++c) {
    if (pending[c] == 0) ready.emplace(first[c], static_cast<int32_t>(c));
  }
  int32_t counter = 0;
  while (!ready.empty()) {
    const auto c = static_cast<size_t>(ready.top().second);
    ready.pop();
    number[c] = counter++;
    for (const int32_t to : after[c]) {
      if (--pending[static_cast<size_t>(to)] == 0) ready.emplace(first[static_cast<size_t>(to)], to);
    }
  }
  return number;
}

bool is(const NodeFacts& node, std::string_view op) { return node.domain.empty() && node.op_type == op; }

Edges edges_of(const ModelFacts& model, const std::vector<std::vector<int32_t>>& groups) {
  Edges next(model.nodes.size());
  for (const TensorFacts& tensor : model.tensors) {
    std::vector<int32_t> ends = tensor.consumers;
    if (tensor.producer >= 0) {
      auto& out = next[static_cast<size_t>(tensor.producer)];
      out.insert(out.end(), tensor.consumers.begin(), tensor.consumers.end());
      ends.insert(ends.begin(), tensor.producer);
    }
    const bool from_dequantised =
        tensor.producer >= 0 && is(model.nodes[static_cast<size_t>(tensor.producer)], "DequantizeLinear");
    if (tensor.type.empty() || from_dequantised) add_ring(next, ends);
    for (const int32_t reader : tensor.consumers) {
      if (tensor.producer >= 0 && is(model.nodes[static_cast<size_t>(reader)], "QuantizeLinear"))
        add_ring(next, {tensor.producer, reader});
    }
  }
  std::vector<int32_t> random;
  for (size_t n = 0; n < model.nodes.size(); ++n) {
    if (is_random(model.nodes[n])) random.push_back(static_cast<int32_t>(n));
  }
  add_ring(next, random);
  for (const auto& group : groups) add_ring(next, group);
  return next;
}

}  // namespace

bool is_random(const NodeFacts& node) {
  return node.domain.empty() && std::find(kRandomOps.begin(), kRandomOps.end(), node.op_type) != kRandomOps.end();
}

CutUnits make_cut_units(const ModelFacts& model, const std::vector<std::vector<int32_t>>& groups) {
  const Edges next = edges_of(model, groups);
  int32_t count = 0;
  const std::vector<int32_t> component = components(next, count);
  const std::vector<int32_t> number = number_topologically(next, component, count);
  CutUnits units;
  units.nodes.resize(static_cast<size_t>(count));
  for (size_t n = 0; n < model.nodes.size(); ++n) {
    const int32_t unit = number[static_cast<size_t>(component[n])];
    units.unit_of.push_back(unit);
    units.nodes[static_cast<size_t>(unit)].push_back(static_cast<int32_t>(n));
  }
  std::unordered_set<std::string_view> ends;
  for (const IoSpec& output : model.outputs) ends.insert(output.name);
  for (size_t t = 0; t < model.tensors.size(); ++t) {
    const TensorFacts& facts = model.tensors[t];
    CutTensor tensor;
    tensor.producer = facts.producer < 0 ? -1 : units.unit_of[static_cast<size_t>(facts.producer)];
    tensor.is_output = ends.contains(facts.name);
    for (const int32_t node : facts.consumers) {
      const int32_t unit = units.unit_of[static_cast<size_t>(node)];
      if (unit != tensor.producer) tensor.consumers.push_back(unit);
    }
    std::sort(tensor.consumers.begin(), tensor.consumers.end());
    tensor.consumers.erase(std::unique(tensor.consumers.begin(), tensor.consumers.end()), tensor.consumers.end());
    if (tensor.consumers.empty() && (!tensor.is_output || tensor.producer < 0)) continue;
    units.tensors.push_back(std::move(tensor));
    units.facts_of.push_back(static_cast<int32_t>(t));
  }
  return units;
}

}  // namespace axle
