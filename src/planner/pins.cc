#include "planner/pins.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "base/json.h"
#include "base/text.h"

namespace axle {
namespace {

std::string op_name(const NodeFacts& node) { return node.domain.empty() ? node.op_type : node.domain + ":" + node.op_type; }

bool any_glob(const std::vector<std::string>& globs, const std::string& name) {
  return std::any_of(globs.begin(), globs.end(), [&](const std::string& glob) { return glob_matches(glob, name); });
}

// "; did you mean "c1"?" of the names, or "".
template <typename Things>
std::string nearest_text(const std::string& wanted, const Things& things) {
  std::vector<std::string> names;
  for (const auto& thing : things) names.push_back(thing.name);
  const std::string nearest = nearest_word(wanted, names);
  return nearest.empty() ? "" : fmt::format("; did you mean \"{}\"?", printable(nearest, 80));
}

class NodeSelection {
 public:
  explicit NodeSelection(const ModelFacts& model) : model_(model) {}

  Result<SelectedPin> select(const Pin& pin, size_t number) {
    SelectedPin selected{pin, number, false, {}};
    std::vector<bool> chosen(model_.nodes.size(), true);
    if (!pin.nodes.empty()) keep(chosen, [&](size_t n) { return any_glob(pin.nodes, model_.nodes[n].name); });
    if (!pin.op_types.empty()) {
      keep(chosen, [&](size_t n) {
        const auto& types = pin.op_types;
        return std::find(types.begin(), types.end(), op_name(model_.nodes[n])) != types.end();
      });
    }
    if (!pin.between.empty()) {
      AXLE_ASSIGN_OR_RETURN(const std::vector<bool> on_the_way, between(pin, number));
      keep(chosen, [&](size_t n) { return on_the_way[n]; });
    }
    for (size_t n = 0; n < chosen.size(); ++n) {
      if (chosen[n]) selected.nodes.push_back(static_cast<int32_t>(n));
    }
    const bool no_parts = pin.op_types.empty() && pin.between.empty() && any_glob(pin.nodes, "");
    selected.whole = model_.nodes.empty() ? no_parts : selected.nodes.size() == model_.nodes.size();
    AXLE_RETURN_IF_ERROR(check(selected));
    return selected;
  }

 private:
  template <typename F>
  static void keep(std::vector<bool>& chosen, F wanted) {
    for (size_t n = 0; n < chosen.size(); ++n) chosen[n] = chosen[n] && wanted(n);
  }

  // A misspelt name must not loosen what is forced; an operator that a model does not use is no mistake.
  Status check(const SelectedPin& selected) const {
    const Pin& pin = selected.pin;
    if (model_.nodes.empty()) {
      if (selected.whole || !(pin.require || pin.forbid)) return ok_status();
      return invalid_argument_error(fmt::format("pin {} names nodes, and a model of format {} is handed whole to an engine",
                                                selected.number, model_.format))
          .with_hint("pin the whole model with nodes = \"*\"");
    }
    if (!selected.nodes.empty() || !(pin.require || pin.forbid) || (pin.nodes.empty() && pin.between.empty()))
      return ok_status();
    if (!pin.nodes.empty()) {
      return invalid_argument_error(fmt::format("pin {} selects no node of this model: nodes = \"{}\"{}", selected.number,
                                                printable(join(pin.nodes, "\", \""), 200),
                                                nearest_text(pin.nodes.front(), model_.nodes)))
          .with_hint("`axle plan --json` lists the nodes");
    }
    return invalid_argument_error(fmt::format("pin {} selects no node: none lies on a way from \"{}\" to \"{}\"",
                                              selected.number, printable(pin.between[0], 80), printable(pin.between[1], 80)))
        .with_hint("name the earlier tensor first");
  }

  Result<int32_t> tensor(const std::string& name, size_t number) {
    if (by_name_.empty()) {
      for (size_t t = 0; t < model_.tensors.size(); ++t) by_name_.emplace(model_.tensors[t].name, static_cast<int32_t>(t));
    }
    const auto found = by_name_.find(name);
    if (found != by_name_.end()) return found->second;
    return invalid_argument_error(fmt::format("pin {}: the model has no tensor \"{}\"{}", number, printable(name, 80),
                                              nearest_text(name, model_.tensors)))
        .with_hint("between takes the names of two tensors, weights excepted");
  }

  Result<std::vector<bool>> between(const Pin& pin, size_t number) {
    AXLE_ASSIGN_OR_RETURN(const int32_t from, tensor(pin.between[0], number));
    AXLE_ASSIGN_OR_RETURN(const int32_t to, tensor(pin.between[1], number));
    // Nodes are in a topological order: one pass forward, one back.
    std::vector<bool> follows(model_.tensors.size(), false), leads(model_.nodes.size(), false);
    std::vector<bool> after(model_.nodes.size(), false);
    follows[static_cast<size_t>(from)] = true;
    const auto order = tensors_by_producer();
    for (const size_t t : order) {
      const TensorFacts& facts = model_.tensors[t];
      if (facts.producer >= 0 && after[static_cast<size_t>(facts.producer)]) follows[t] = true;
      if (!follows[t]) continue;
      for (const int32_t node : facts.consumers) after[static_cast<size_t>(node)] = true;
    }
    for (auto t = order.rbegin(); t != order.rend(); ++t) {
      const TensorFacts& facts = model_.tensors[*t];
      const bool leads_on =
          static_cast<int32_t>(*t) == to || std::any_of(facts.consumers.begin(), facts.consumers.end(),
                                                        [&](int32_t node) { return leads[static_cast<size_t>(node)]; });
      if (leads_on && facts.producer >= 0) leads[static_cast<size_t>(facts.producer)] = true;
    }
    for (size_t n = 0; n < leads.size(); ++n) leads[n] = leads[n] && after[n];
    return leads;
  }

  std::vector<size_t> tensors_by_producer() const {
    std::vector<size_t> order(model_.tensors.size());
    for (size_t t = 0; t < order.size(); ++t) order[t] = t;
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return model_.tensors[a].producer < model_.tensors[b].producer; });
    return order;
  }

  const ModelFacts& model_;
  std::unordered_map<std::string_view, int32_t> by_name_;
};

}  // namespace

bool glob_matches(std::string_view glob, std::string_view text) {
  size_t g = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (g < glob.size() && (glob[g] == '?' || (glob[g] == text[t] && glob[g] != '*'))) {
      ++g;
      ++t;
    } else if (g < glob.size() && glob[g] == '*') {
      star = g++;
      resume = t;
    } else if (star != std::string_view::npos) {
      g = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (g < glob.size() && glob[g] == '*') ++g;
  return g == glob.size();
}

std::string target_text(const PinTarget& target) {
  std::vector<std::string> parts;
  if (!target.engine.empty()) parts.push_back("engine " + target.engine);
  if (!target.resource.empty()) parts.push_back("resource " + target.resource);
  if (!target.precision.empty()) parts.push_back("precision " + target.precision);
  if (!target.kernel.empty()) parts.push_back("kernel " + target.kernel);
  return join(parts, ", ");
}

bool meets(const PinTarget& target, const Candidate& candidate, const Resource& resource) {
  if (!target.engine.empty() && target.engine != candidate.engine) return false;
  if (!target.precision.empty() && target.precision != candidate.precision) return false;
  if (target.resource.empty()) return true;
  const Result<Selector> selector = parse_selector(target.resource);
  return selector.has_value() && matches(*selector, resource);
}

std::string SelectedPin::text(const char* verb, const PinTarget& target) const {
  return fmt::format("pin {} {} {}", number, verb, target_text(target));
}

bool SelectedPin::selects(int32_t node) const { return whole || std::binary_search(nodes.begin(), nodes.end(), node); }

Result<std::vector<SelectedPin>> select_pins(const ModelFacts& model, const std::vector<Pin>& pins) {
  std::vector<SelectedPin> selected;
  NodeSelection selector(model);
  for (const Pin& pin : pins) {
    AXLE_ASSIGN_OR_RETURN(SelectedPin one, selector.select(pin, selected.size() + 1));
    selected.push_back(std::move(one));
  }
  return selected;
}

}  // namespace axle
