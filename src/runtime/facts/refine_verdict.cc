#include "runtime/facts/refine_verdict.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "model/extract.h"

namespace axle {
namespace {

class Refiner {
 public:
  Refiner(const Graph& graph, const GraphVerdict& verdict, const AskSupport& ask) : graph_(graph), ask_(ask) {
    for (uint32_t n = 0; n < graph.nodes.size(); ++n) verdicts_.push_back(verdict.of_node(n));
  }

  // Each round asks about the parts between the nodes that are refused so far; a refusal that names nodes makes new parts.
  void run(const Verdict& refusal) {
    std::vector<NodeId> all(verdicts_.size());
    std::iota(all.begin(), all.end(), 0);
    if (std::none_of(all.begin(), all.end(), [&](NodeId n) { return is(n, VerdictKind::kNo); })) split(all, refusal);
    for (bool again = true; again;) {
      again = false;
      for (const std::vector<NodeId>& part : parts()) {
        const bool open = std::any_of(part.begin(), part.end(), [&](NodeId n) { return is(n, VerdictKind::kUnknown); });
        if (open && part.size() < all.size()) again |= settle(part);
      }
    }
  }

  std::vector<Verdict> take() { return std::move(verdicts_); }

 private:
  bool is(NodeId node, VerdictKind kind) const { return verdicts_[static_cast<size_t>(node)].kind == kind; }

  // What is not refused, in convex parts: a node's stage grows by one wherever a way to it enters or leaves refused nodes, so no
  // way between two nodes of one stage passes through another.
  std::vector<std::vector<NodeId>> parts() const {
    std::vector<size_t> stage(graph_.nodes.size(), 0);
    std::map<size_t, std::vector<NodeId>> by_stage;
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      const bool refused = is(static_cast<NodeId>(n), VerdictKind::kNo);
      for (const auto* list : {&graph_.nodes[n].inputs, &graph_.nodes[n].captured}) {
        for (const ValueId id : *list) {
          const NodeId from = id < 0 ? -1 : graph_.values[static_cast<size_t>(id)].producer;
          if (from < 0) continue;
          const size_t turn = is(from, VerdictKind::kNo) == refused ? 0 : 1;
          stage[n] = std::max(stage[n], stage[static_cast<size_t>(from)] + turn);
        }
      }
      if (!refused) by_stage[stage[n]].push_back(static_cast<NodeId>(n));
    }
    std::vector<std::vector<NodeId>> all;
    for (auto& [at, nodes] : by_stage) all.push_back(std::move(nodes));
    return all;
  }

  // Asks about a part. True when more became known.
  bool settle(const std::vector<NodeId>& part) {
    if (++questions_ > kMaxRefiningQuestions) return false;
    const auto sub = extract_graph(graph_, part);
    if (!sub) return false;
    const auto answer = ask_(*sub);
    if (!answer) return false;
    if (answer->graph.kind != VerdictKind::kNo) {
      for (const NodeId n : part) {
        if (is(n, VerdictKind::kUnknown)) verdicts_[static_cast<size_t>(n)] = {VerdictKind::kYes, "", "", -1};
      }
      return true;
    }
    bool named = false;
    for (size_t i = 0; i < part.size(); ++i) {
      const Verdict& said = answer->of_node(static_cast<uint32_t>(i));
      if (said.kind != VerdictKind::kNo) continue;
      verdicts_[static_cast<size_t>(part[i])] = said;
      named = true;
    }
    if (!named) split(part, answer->graph);
    return true;
  }

  // A refusal that names no node is looked for in both halves: neighbours in a topological order, so they are convex too. Where
  // each half alone is taken, it speaks of the whole part.
  void split(const std::vector<NodeId>& part, const Verdict& refusal) {
    const auto refuse_all = [&] {
      for (const NodeId n : part) verdicts_[static_cast<size_t>(n)] = refusal;
    };
    if (part.size() == 1 || questions_ >= kMaxRefiningQuestions) return refuse_all();
    const auto middle = part.begin() + static_cast<std::ptrdiff_t>(part.size() / 2);
    settle({part.begin(), middle});
    settle({middle, part.end()});
    if (std::all_of(part.begin(), part.end(), [&](NodeId n) { return is(n, VerdictKind::kYes); })) refuse_all();
  }

  const Graph& graph_;
  const AskSupport& ask_;
  std::vector<Verdict> verdicts_;
  int questions_ = 0;
};

}  // namespace

GraphVerdict refine_verdict(const Graph& graph, GraphVerdict verdict, const AskSupport& ask) {
  const auto unknown = [&](uint32_t n) { return verdict.of_node(n).kind == VerdictKind::kUnknown; };
  bool any_unknown = false;
  for (uint32_t n = 0; n < graph.nodes.size(); ++n) any_unknown |= unknown(n);
  if (verdict.graph.kind != VerdictKind::kNo || !any_unknown) return verdict;
  Refiner refiner(graph, verdict, ask);
  refiner.run(verdict.graph);
  GraphVerdict refined;
  refined.graph = verdict.graph;
  refined.otherwise = {VerdictKind::kYes, "", "", -1};
  uint32_t index = 0;
  for (Verdict& node : refiner.take()) {
    if (node.kind != VerdictKind::kYes) refined.nodes.push_back({index, std::move(node)});
    ++index;
  }
  return refined;
}

}  // namespace axle
