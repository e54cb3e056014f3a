// Random inputs that a model can digest. What an input may hold is read off the ops that consume it.
#include "runtime/inputs/generate_inputs.h"

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>

#include "axle/tune.h"
#include "base/logging.h"
#include "model/flat_bodies.h"
#include "model/graph.h"
#include "model/model_graph.h"
#include "runtime/inputs/generate_values.h"
#include "runtime/inputs/input_demands.h"

namespace axle {
namespace {

Shape shape_of(const IoSpec& spec, const GenerateOptions& options, const std::set<std::string>& batch_symbols) {
  Shape shape;
  for (size_t axis = 0; axis < spec.shape.size(); ++axis) {
    const Dim& dim = spec.shape[axis];
    const auto named = options.axes.find(dim.symbol);
    const bool leading = dim.symbol.empty() ? axis == 0 : batch_symbols.contains(dim.symbol);
    if (dim.is_static())
      shape.push_back(dim.size);
    else if (!dim.symbol.empty() && named != options.axes.end())
      shape.push_back(named->second);
    else
      shape.push_back(leading ? options.axis_size : options.inner_axis_size);
  }
  return shape;
}

std::set<std::string> batch_symbols_of(const Model& model) {
  std::set<std::string> symbols;
  for (const IoSpec& spec : model.inputs()) {
    if (!spec.shape.empty() && !spec.shape.front().symbol.empty()) symbols.insert(spec.shape.front().symbol);
  }
  return symbols;
}

// The graph at the sizes that the inputs will have; as it is where nothing more comes to be known.
std::shared_ptr<const Graph> at_shapes(const Model& model, std::shared_ptr<const Graph> graph,
                                       const std::vector<Shape>& shapes) {
  std::map<std::string, Shape> open;
  size_t next = 0;
  for (const IoSpec& spec : model.inputs()) {
    if (spec.optional) continue;
    const Shape& shape = shapes[next++];
    if (std::ranges::any_of(spec.shape, [](const Dim& dim) { return !dim.is_static(); })) open[spec.name] = shape;
  }
  if (open.empty() || graph->nodes.empty()) return graph;
  auto bound = infer_shapes_for(*graph, open);
  return bound ? *std::move(bound) : graph;
}

// What bodies ask of a value that they capture counts as well. Where one cannot be looked into, the rest still does.
std::shared_ptr<const Graph> with_bodies(const std::shared_ptr<const Graph>& graph) {
  auto flat = flat_bodies(graph);
  if (flat) return *std::move(flat);
  AXLE_LOG(kInfo, "runtime", "what bodies ask of generated inputs is not known: {}", flat.error().to_string());
  return graph;
}

}  // namespace

std::vector<Shape> generated_shapes(const Model& model, const GenerateOptions& options) {
  const std::set<std::string> batch_symbols = batch_symbols_of(model);
  std::vector<Shape> shapes;
  for (const IoSpec& spec : model.inputs()) {
    if (!spec.optional) shapes.push_back(shape_of(spec, options, batch_symbols));
  }
  return shapes;
}

Result<std::vector<NamedTensor>> generate_inputs(const Model& model, const GenerateOptions& options) {
  if (model.inputs().empty() && model.format() != ModelFormat::kOnnx) {
    return unimplemented_error("the inputs of a " + std::string(model.format_name()) +
                               " model are not known before an engine loads it")
        .with_hint("give real inputs: --inputs FILE.npz");
  }
  AXLE_ASSIGN_OR_RETURN(const auto whole, graph_of(model));
  std::vector<Shape> shapes = generated_shapes(model, options);
  const std::shared_ptr<const Graph> graph = with_bodies(at_shapes(model, whole, shapes));
  const InputDemands demands(*graph, options.inner_axis_size);
  size_t next = 0;
  std::mt19937_64 random(options.seed);
  std::vector<NamedTensor> inputs;
  for (const IoSpec& spec : model.inputs()) {
    if (spec.optional) continue;
    Shape& shape = shapes[next++];
    const InputDemand demand = demands.of(spec, shape);
    auto tensor = generate_values(spec.dtype, std::move(shape), demand, random);
    if (!tensor) {
      return std::move(tensor)
          .error()
          .with_context("cannot generate input '" + spec.name + "'")
          .with_hint("--random has no values of that type: give them with --inputs FILE.npz");
    }
    inputs.push_back({spec.name, std::move(*tensor)});
  }
  return inputs;
}

}  // namespace axle
