#include "spec/planner_input.h"

#include <fmt/format.h>

#include <algorithm>

#include "spec/answer_fields.h"

namespace axle {
namespace {

std::string axis_text(const Dim& dim) {
  if (dim.is_static()) return std::to_string(dim.size);
  return dim.symbol.empty() ? "?" : dim.symbol;
}

std::string axes_text(const IoSpec& spec, const Shape* given) {
  std::string text;
  if (given != nullptr) {
    for (const int64_t size : *given) text += (text.empty() ? "" : ",") + std::to_string(size);
  } else if (!spec.rank_known) {
    text = "...";
  } else {
    for (const Dim& dim : spec.shape) text += (text.empty() ? "" : ",") + axis_text(dim);
  }
  return text;
}

}  // namespace

std::string axes_text(const std::map<std::string, int64_t>& sizes) {
  std::string text;
  for (const auto& [axis, size] : sizes) text += fmt::format("{}{}={}", text.empty() ? "" : ", ", axis, size);
  return text;
}

std::string shapes_text(const std::vector<IoSpec>& inputs, const std::map<std::string, Shape>& given) {
  std::string text;
  for (const IoSpec& spec : inputs) {
    const auto found = given.find(spec.name);
    if (!text.empty()) text += ';';
    text += spec.name + ':' + std::string(answers::word_of_data_type(spec.dtype)) + '[' +
            axes_text(spec, found == given.end() ? nullptr : &found->second) + ']';
  }
  return text;
}

std::string tensor_type_text(DataType dtype, bool rank_known, const SymbolicShape& shape) {
  IoSpec spec;
  spec.rank_known = rank_known;
  spec.shape = shape;
  return std::string(answers::word_of_data_type(dtype)) + '[' + axes_text(spec, nullptr) + ']';
}

DataType element_type_of(std::string_view type_text) {
  return type_text.empty() ? DataType::kUndefined : answers::data_type_from_word(type_text.substr(0, type_text.find('[')));
}

const EngineFacts* find_engine(const PlannerInput& input, std::string_view name) {
  const auto found =
      std::find_if(input.engines.begin(), input.engines.end(), [&](const EngineFacts& e) { return e.info.name == name; });
  return found == input.engines.end() ? nullptr : &*found;
}

const CapabilityFacts* find_capability(const EngineFacts& engine, std::string_view resource) {
  const auto found = std::find_if(engine.capabilities.begin(), engine.capabilities.end(),
                                  [&](const CapabilityFacts& c) { return c.resource == resource; });
  return found == engine.capabilities.end() ? nullptr : &*found;
}

const DeviceProfile* find_profile(const PlannerInput& input, std::string_view resource) {
  const std::string_view whole = resource.substr(0, resource.find('/'));
  const auto found =
      std::find_if(input.profiles.begin(), input.profiles.end(), [&](const ResourceProfile& p) { return p.resource == whole; });
  return found == input.profiles.end() ? nullptr : &found->profile;
}

}  // namespace axle
