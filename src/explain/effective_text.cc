#include "explain/effective_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/json.h"
#include "base/text.h"
#include "explain/text_table.h"

namespace axle {
namespace {

struct NodeFact {
  size_t part = 0;
  std::string node, precision, kernel;
};

std::string text_of(const Json& row, const char* key) {
  const auto found = row.find(key);
  return found != row.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// Fused nodes are named together, inputs and outputs not at all: those without a precision tell nothing.
std::vector<NodeFact> node_facts(const RunDocument& document) {
  std::vector<NodeFact> facts;
  for (size_t part = 0; part < document.effective_json.size(); ++part) {
    const auto effective = parse_json(document.effective_json[part]);
    if (!effective || !effective->is_object()) continue;
    const auto kernels = effective->find("kernels");
    if (kernels == effective->end() || !kernels->is_array()) continue;
    for (const Json& row : *kernels) {
      if (!row.is_object()) continue;
      NodeFact fact{part, text_of(row, "node"), text_of(row, "precision"), text_of(row, "kernel")};
      if (!fact.precision.empty()) facts.push_back(std::move(fact));
    }
  }
  return facts;
}

struct Group {
  size_t part = 0;
  std::string precision;
  std::vector<std::string> nodes;
};

// By part and precision, the most frequent first within a part.
std::vector<Group> groups_of(const std::vector<NodeFact>& facts) {
  std::vector<Group> groups;
  for (const NodeFact& fact : facts) {
    const auto same = std::ranges::find_if(
        groups, [&](const Group& group) { return group.part == fact.part && group.precision == fact.precision; });
    if (same == groups.end())
      groups.push_back({fact.part, fact.precision, {fact.node}});
    else
      same->nodes.push_back(fact.node);
  }
  std::ranges::stable_sort(groups, [](const Group& a, const Group& b) {
    return a.part != b.part ? a.part < b.part : a.nodes.size() > b.nodes.size();
  });
  return groups;
}

std::string part_id(const RunDocument& document, size_t part) {
  const bool known = document.plan != nullptr && part < document.plan->partitions.size();
  return std::to_string(known ? document.plan->partitions[part].id : static_cast<int32_t>(part));
}

}  // namespace

std::string render_effective_text(const RunDocument& document, const TextStyle& style) {
  constexpr size_t kExamples = 3;
  const std::vector<NodeFact> facts = node_facts(document);
  if (facts.empty()) return "";
  TextTable brief({{"part"}, {"computes in"}, {"nodes", true}, {"for example", false, true}});
  for (const Group& group : groups_of(facts)) {
    std::vector<std::string> examples(group.nodes.begin(),
                                      group.nodes.begin() + static_cast<ptrdiff_t>(std::min(group.nodes.size(), kExamples)));
    brief.add_row({{part_id(document, group.part)},
                   {group.precision, Tone::kStrong},
                   {std::to_string(group.nodes.size())},
                   {join(examples, ", ")}});
  }
  std::string out = "\nread back after load\n" + brief.render(style.width, style.color, "  ");
  if (!style.verbose) return out + "  every node: add -v\n";
  TextTable whole({{"part"}, {"node", false, false, true}, {"computes in"}, {"kernel", false, true}});
  for (const NodeFact& fact : facts)
    whole.add_row({{part_id(document, fact.part)}, {fact.node}, {fact.precision}, {fact.kernel}});
  return out + "\n" + whole.render(style.width, style.color, "  ");
}

std::string effective_words(const RunDocument& document) {
  if (document.plan == nullptr) return "";
  const bool lowered = std::ranges::any_of(document.plan->partitions, [](const Partition& part) {
    return part.candidate.precision != "f32" && part.candidate.precision != "f64";
  });
  if (!lowered) return "";
  std::vector<Group> totals;
  for (Group& group : groups_of(node_facts(document))) {
    const auto same = std::ranges::find(totals, group.precision, &Group::precision);
    if (same == totals.end())
      totals.push_back(std::move(group));
    else
      same->nodes.insert(same->nodes.end(), group.nodes.begin(), group.nodes.end());
  }
  std::string out;
  for (const Group& total : totals)
    out += fmt::format("{}{}{} in {}", out.empty() ? "" : ", ", total.nodes.size(),
                       !out.empty() ? "" : (total.nodes.size() == 1 ? " node" : " nodes"), total.precision);
  return out;
}

}  // namespace axle
