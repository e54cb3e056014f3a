// Which of a session's loaded plans a call goes to: by its shapes, and by the load.
#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "runtime/session_impl.h"
#include "spec/planner_input.h"

namespace axle {
namespace {

using Sizes = std::map<std::string, int64_t>;

std::string prepared_text(std::span<const PreparedShape> shapes) {
  std::string text;
  for (const PreparedShape& shape : shapes) text += (text.empty() ? "" : "; ") + axes_text(shape.axes);
  return text;
}

// Only the named axes of `sizes` count.
bool serves(const PreparedShape& shape, const Sizes& sizes) {
  return std::all_of(shape.axes.begin(), shape.axes.end(), [&](const auto& axis) {
    const auto found = sizes.find(axis.first);
    return found != sizes.end() && found->second == axis.second;
  });
}

}  // namespace

std::vector<FixedAxis> FixedAxis::of(const std::vector<IoSpec>& inputs, const std::vector<PreparedShape>& shapes) {
  std::vector<FixedAxis> all;
  for (const PreparedShape& shape : shapes) {
    for (const auto& [name, size] : shape.axes) {
      if (std::ranges::find(all, name, &FixedAxis::name) == all.end()) all.push_back({name, {}});
    }
  }
  for (FixedAxis& fixed : all) {
    for (size_t input = 0; input < inputs.size(); ++input) {
      for (size_t axis = 0; axis < inputs[input].shape.size(); ++axis) {
        const Dim& dim = inputs[input].shape[axis];
        if (dim.is_static()) continue;
        const std::string name = dim.symbol.empty() ? fmt::format("{}[{}]", inputs[input].name, axis) : dim.symbol;
        if (name == fixed.name) fixed.places.push_back({input, axis});
      }
    }
  }
  return all;
}

std::vector<Replicas*> Session::Impl::all_replicas() const {
  std::vector<Replicas*> all;
  for (const PreparedShape& shape : shapes) all.push_back(shape.replicas.get());
  return all;
}

Result<Replicas*> Session::Impl::replicas_for(std::span<const NamedTensor> feeds, bool high_load) const {
  const size_t half = load ? shapes.size() / 2 : shapes.size();
  const std::span<const PreparedShape> mine(shapes.data() + (load && high_load ? half : 0), half);
  if (fixed_axes.empty()) [[likely]]
    return mine.front().replicas.get();
  Sizes sizes;
  for (const FixedAxis& fixed : fixed_axes) {
    for (const FixedAxis::Place& place : fixed.places) {
      const IoSpec& spec = loaded->inputs[place.input];
      const auto feed = std::ranges::find(feeds, spec.name, &NamedTensor::name);
      if (feed == feeds.end() || place.axis >= feed->tensor.shape().size()) continue;
      const int64_t size = feed->tensor.shape()[place.axis];
      const auto [known, fresh] = sizes.emplace(fixed.name, size);
      if (fresh || known->second == size) continue;
      return invalid_argument_error(
                 fmt::format("axis {} of input '{}' is {}, of another input {}", fixed.name, spec.name, size, known->second))
          .with_hint("inputs share that axis: give them one size");
    }
  }
  const auto found =
      std::ranges::find_if(mine, [&](const PreparedShape& shape) { return !shape.axes.empty() && serves(shape, sizes); });
  if (found != mine.end()) return found->replicas.get();
  const auto open = std::ranges::find_if(mine, [](const PreparedShape& shape) { return shape.axes.empty(); });
  if (open != mine.end()) return open->replicas.get();
  if (feeds.empty()) {
    return failed_precondition_error("this session runs prepared shapes only: " + prepared_text(mine))
        .with_hint("say which: make_binding(like) takes inputs of that shape");
  }
  return invalid_argument_error(fmt::format("no executable is prepared for {}: prepared are {}",
                                            sizes.empty() ? "these inputs" : axes_text(sizes), prepared_text(mine)))
      .with_hint("add the size to [shapes] of the policy, or leave out execution.static_shape to let other shapes run");
}

}  // namespace axle
