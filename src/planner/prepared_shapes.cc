#include "planner/prepared_shapes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <ranges>

#include "base/json.h"
#include "base/text.h"
#include "planner/gates.h"

namespace axle {
namespace {

using Lists = std::map<std::string, std::vector<int64_t>>;

bool is_open(const PlannerInput& input, const std::string& axis) {
  const auto& axes = input.model.dynamic_axes;
  return std::find(axes.begin(), axes.end(), axis) != axes.end();
}

// Sizes of each axis that is fixed: the policy's, and where nothing may stay open those of the samples.
Lists fixed_axes(const PlannerInput& input) {
  Lists lists = input.policy.shapes;
  if (!input.policy.execution.static_shape) return lists;
  for (const auto& [axis, size] : input.sample_axes) {
    if (is_open(input, axis)) lists.emplace(axis, std::vector<int64_t>{size});
  }
  return lists;
}

AxisSizes judged(const PlannerInput& input, const Lists& lists) {
  AxisSizes sizes;
  for (const auto& [axis, list] : lists) {
    const auto sample = input.sample_axes.find(axis);
    sizes[axis] = sample != input.sample_axes.end() ? sample->second : list.front();
  }
  return sizes;
}

std::vector<AxisSizes> combinations(const Lists& lists) {
  std::vector<AxisSizes> all = {{}};
  for (const auto& [axis, list] : lists) {
    std::vector<AxisSizes> longer;
    for (const AxisSizes& sizes : all) {
      for (const int64_t size : list) {
        AxisSizes& one = longer.emplace_back(sizes);
        one[axis] = size;
      }
    }
    all = std::move(longer);
  }
  return all;
}

// Open axes whose size neither the policy nor the samples give.
std::vector<std::string> sizeless_axes(const PlannerInput& input) {
  std::vector<std::string> axes;
  for (const std::string& axis : input.model.dynamic_axes) {
    if (!input.policy.shapes.contains(axis) && !input.sample_axes.contains(axis)) axes.push_back(axis);
  }
  return axes;
}

// "batch = [1]", as [shapes] reads it.
std::string shapes_line(const std::string& axis) {
  const bool bare = !axis.empty() && std::ranges::all_of(axis, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
  return fmt::format("{} = [1]", bare ? axis : fmt::format("\"{}\"", printable(axis, 80)));
}

Status check_axes(const PlannerInput& input, const Lists& lists) {
  for (const auto& [axis, sizes] : input.policy.shapes) {
    if (is_open(input, axis)) continue;
    const std::string near = nearest_word(axis, input.model.dynamic_axes);
    return invalid_argument_error(fmt::format("shapes.{}: the model leaves no axis of that name open", printable(axis, 80)))
        .with_hint(input.model.dynamic_axes.empty() ? "all its axes are fixed: leave [shapes] out"
                   : near.empty()                   ? "open are: " + join(input.model.dynamic_axes, ", ")
                                                    : fmt::format("did you mean \"{}\"?", near));
  }
  size_t count = 1;
  for (const auto& [axis, sizes] : lists) count = std::min(count * sizes.size(), kMostPreparedShapes + 1);
  if (count <= kMostPreparedShapes) return ok_status();
  return invalid_argument_error(
             fmt::format("[shapes] makes more than {} combinations, each an executable of its own", kMostPreparedShapes))
      .with_hint("name fewer sizes");
}

}  // namespace

Status check_shapes(const PlannerInput& input) {
  const Lists lists = fixed_axes(input);
  AXLE_RETURN_IF_ERROR(check_axes(input, lists));
  if (lists.empty()) return ok_status();
  if (input.model.format == "onnx") return ok_status();
  return unimplemented_error(fmt::format("a {} model is handed over whole: its open axes cannot be fixed", input.model.format))
      .with_hint("export it to ONNX, or with fixed sizes");
}

Status check_static_shape(const PlannerInput& input) {
  if (!input.policy.execution.static_shape) return ok_status();
  if (const std::vector<std::string> open = sizeless_axes(input); !open.empty()) {
    const bool one = open.size() == 1;
    return failed_precondition_error(fmt::format("execution.static_shape: the model leaves {} {} open, and nothing gives {}",
                                                 one ? "axis" : "axes", join(open, ", "), one ? "its size" : "their sizes"))
        .with_hint(missing_sizes_hint(input));
  }
  for (const auto& [axis, sizes] : fixed_axes(input)) {
    const auto sample = input.sample_axes.find(axis);
    if (sample == input.sample_axes.end() || std::find(sizes.begin(), sizes.end(), sample->second) != sizes.end()) continue;
    return invalid_argument_error(fmt::format("the samples have {}={}, and execution.static_shape lets only {} run", axis,
                                              sample->second, fmt::join(sizes, ", ")))
        .with_hint(fmt::format("add {} to shapes.{}, or give other samples", sample->second, axis));
  }
  return ok_status();
}

std::string missing_sizes_hint(const PlannerInput& input) {
  std::vector<std::string> lines;
  for (const std::string& axis : sizeless_axes(input)) lines.push_back(shapes_line(axis));
  return fmt::format("name the sizes to prepare: {}, or give samples of that shape",
                     lines.size() == 1 ? "[shapes] " + lines.front() : "under [shapes] the lines " + join(lines, " and "));
}

std::vector<AxisSizes> prepared_shapes(const PlannerInput& input) {
  const Lists lists = fixed_axes(input);
  if (lists.empty()) return {{}};
  std::vector<AxisSizes> all = combinations(lists);
  const auto first = std::find(all.begin(), all.end(), judged(input, lists));
  const bool prepared = first != all.end();
  if (prepared) std::rotate(all.begin(), first, first + 1);
  if (!prepared) all.insert(all.begin(), AxisSizes());
  if (prepared && !input.policy.execution.static_shape) all.emplace_back();
  return all;
}

bool fixes_all_axes(const PlannerInput& input) {
  return input.policy.execution.static_shape && !input.model.dynamic_axes.empty() && check_static_shape(input).ok();
}

Gate gate_dynamic_shapes(const PlanningContext& context, const Place& place) {
  const PlannerInput& input = context.input;
  const auto& axes = input.model.dynamic_axes;
  if (axes.empty() || place.facts->capability.dynamic_shapes != DynamicShapes::kNo || fixes_all_axes(input))
    return std::nullopt;
  const std::string what =
      input.policy.execution.static_shape
          ? ": " + check_static_shape(input).message()
          : fmt::format(", and the model leaves {} open: fix them with [shapes] or samples, and execution.static_shape",
                        fmt::join(axes | std::views::take(4), ", "));
  return Rejection{"DYNAMIC_SHAPE", fmt::format("{} takes fixed shapes only{}", place.name(), what), {}};
}

std::string prepared_note(const PlannerInput& input) {
  std::string shapes;
  for (const AxisSizes& sizes : prepared_shapes(input)) {
    if (!sizes.empty()) shapes += (shapes.empty() ? "" : "; ") + axes_text(sizes);
  }
  if (shapes.empty()) return "";
  return fmt::format("executables are prepared for {}; {}", shapes,
                     input.policy.execution.static_shape ? "other shapes are refused (execution.static_shape)"
                                                         : "other shapes run on one with open axes");
}

}  // namespace axle
