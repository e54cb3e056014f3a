#include "support.h"

#include <algorithm>

namespace axle::described {
namespace {

kit::Verdict no(std::string code, std::string text) { return {kit::VerdictKind::kNo, std::move(code), std::move(text), -1}; }

bool lists(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::optional<kit::Verdict> refused_dtype(const kit::OpSupport& op, const kit::Node& node) {
  for (uint32_t i = 0; !op.dtypes.empty() && i < node.input_count(); ++i) {
    const kit::Value value = node.input(i);
    const std::string_view dtype = kit::data_type_name(value.dtype);
    if (value.absent() || value.dtype == 0 || lists(op.dtypes, dtype)) continue;
    return no("DTYPE", op.op_type + " takes no " + std::string(dtype) + " (input " + std::to_string(i) + ")");
  }
  return std::nullopt;
}

std::optional<kit::Verdict> refused_node(const kit::Capability& capability, const kit::Node& node) {
  const kit::OpSupport* outside = nullptr;  // listed, for other versions
  for (const kit::OpSupport& op : capability.ops) {
    if (op.op_type != node.op_type() || op.domain != node.domain()) continue;
    outside = &op;
    if (node.opset() < op.min_opset || (op.max_opset > 0 && node.opset() > op.max_opset)) continue;
    return refused_dtype(op, node);
  }
  if (outside != nullptr)
    return no("OPSET", outside->op_type + " of opset " + std::to_string(node.opset()) + " is not described");
  const std::string name = (node.domain().empty() ? "" : std::string(node.domain()) + "::") + std::string(node.op_type());
  return no("UNSUPPORTED_OP", name + " is not in the description's list of operators");
}

// The graph's own inputs and outputs.
std::optional<kit::Verdict> refused_boundary(const kit::Capability& capability, const kit::Value& value) {
  const std::string name(value.value_name());
  if (value.dtype != 0 && !lists(capability.dtypes, kit::data_type_name(value.dtype)))
    return no("DTYPE",
              "'" + name + "' is " + std::string(kit::data_type_name(value.dtype)) + ", which the description does not list");
  const auto dims = value.shape();
  const bool open =
      !value.rank_known() || std::any_of(dims.begin(), dims.end(), [](const axle_dim_t& dim) { return dim.size < 0; });
  if (open) return no("DYNAMIC_SHAPE", "'" + name + "' has no fixed shape, and artefacts are made for fixed shapes only");
  return std::nullopt;
}

}  // namespace

kit::Support judge_graph(const Description& description, const kit::SupportArgs& args) {
  const kit::Capability& capability = description.capability;
  kit::Support support;
  if (!lists(capability.formats, args.graph.format())) {
    support.graph = support.otherwise =
        no("FORMAT", description.info.name + " does not read " + std::string(args.graph.format()));
    return support;
  }
  const kit::VerdictKind otherwise = capability.ops_probed ? kit::VerdictKind::kUnknown : kit::VerdictKind::kYes;
  support.otherwise.kind = support.graph.kind = otherwise;
  if (capability.ops_probed)
    support.graph.text = support.otherwise.text = "the description lists no operators: only compiling tells";
  if (args.graph.node_count() == 0) return support;  // handed over whole
  if (!capability.ops_probed) {
    for (const kit::Node& node : args.graph.nodes()) {
      args.cancel.check();
      if (auto refused = refused_node(capability, node)) support.nodes.push_back({node.index(), *std::move(refused)});
    }
    if (!support.nodes.empty()) support.graph = support.nodes.front().verdict;
  }
  for (uint32_t i = 0; i < args.graph.input_count(); ++i) {
    if (auto refused = refused_boundary(capability, args.graph.input(i))) support.graph = *std::move(refused);
  }
  for (uint32_t i = 0; i < args.graph.output_count(); ++i) {
    if (auto refused = refused_boundary(capability, args.graph.output(i))) support.graph = *std::move(refused);
  }
  return support;
}

}  // namespace axle::described
