#include "runtime/variants/fixed_inputs.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace axle {
namespace {

// The value as it was written; null where the input is one of the model, or of nobody.
const std::string* fixed_value(const Model& model, const std::string& name) {
  const auto found = model.metadata().find("axle.fixed." + name);
  if (found == model.metadata().end() || std::ranges::find(model.inputs(), name, &IoSpec::name) != model.inputs().end())
    return nullptr;
  return &found->second;
}

}  // namespace

std::vector<NamedTensor> without_fixed_inputs(const Model& model, std::vector<NamedTensor> samples) {
  std::erase_if(samples, [&](const NamedTensor& sample) { return fixed_value(model, sample.name) != nullptr; });
  return samples;
}

Status explain_fixed_inputs(const Model& model, std::span<const NamedTensor> feeds, Status status) {
  for (const NamedTensor& feed : feeds) {
    const std::string* value = fixed_value(model, feed.name);
    if (value == nullptr) continue;
    return std::move(status).with_hint(
        fmt::format("'{}' was fixed to {} when the model was converted: leave it out (another value is another conversion)",
                    feed.name, printable(*value, 64)));
  }
  return status;
}

}  // namespace axle
