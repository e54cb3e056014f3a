#include "runtime/variants/calibration.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/facts/model_facts.h"

namespace axle {
namespace {

// How an array is cut into sets: `count` pieces of this shape.
struct Cut {
  int64_t count = 1;
  Shape shape;
};

Cut cut_of(const IoSpec& spec, const Tensor& array) {
  const Shape& shape = array.shape();
  if (spec.rank_known && shape.size() == spec.shape.size() + 1) return {shape.front(), Shape(shape.begin() + 1, shape.end())};
  const bool fixed = spec.rank_known && shape.size() == spec.shape.size() && !shape.empty() && spec.shape.front().is_static();
  const int64_t wanted = fixed ? spec.shape.front().size : 0;
  if (wanted <= 0 || shape.front() % wanted != 0) return {1, shape};
  Shape piece = shape;
  piece.front() = wanted;
  return {shape.front() / wanted, piece};
}

Result<Tensor> piece_of(const Tensor& array, const Cut& cut, int64_t index) {
  if (cut.count == 1) return array.reshaped(cut.shape);
  if (array.dtype() == DataType::kString) return unimplemented_error("calibration sets of text cannot be cut");
  const size_t size = array.size_bytes() / static_cast<size_t>(cut.count);
  const auto* begin = static_cast<const std::byte*>(array.data()) + static_cast<size_t>(index) * size;
  return Tensor::borrow_const(array.dtype(), cut.shape, begin, size, std::make_shared<Tensor>(array));
}

}  // namespace

Result<InputSet> policy_samples(const Policy& policy, const Model& model) {
  InputSet samples;
  const std::string& path = policy.accuracy.samples;
  if (path.empty()) return samples;
  auto loaded = load_npz(path);
  if (!loaded) return std::move(loaded).error().with_context("accuracy.samples");
  if (Status fits = check_feeds(model.inputs(), *loaded); !fits.ok())
    return std::move(fits).with_context("accuracy.samples = \"" + path + "\"");
  return std::move(*loaded);
}

Result<std::vector<InputSet>> calibration_sets(const std::vector<IoSpec>& inputs, const std::vector<NamedTensor>& arrays) {
  std::vector<InputSet> sets;
  std::string first;
  for (const NamedTensor& array : arrays) {
    const auto spec = std::find_if(inputs.begin(), inputs.end(), [&](const IoSpec& s) { return s.name == array.name; });
    // What fits no input is left whole: the check below names it.
    const Cut cut = spec == inputs.end() ? Cut{1, array.tensor.shape()} : cut_of(*spec, array.tensor);
    if (cut.count < 1 || cut.count > static_cast<int64_t>(kMaxCalibrationSets))
      return invalid_argument_error(
          fmt::format("array '{}' holds {} sets of inputs; 1 to {} are taken", array.name, cut.count, kMaxCalibrationSets));
    if (first.empty()) {
      sets.resize(static_cast<size_t>(cut.count));
      first = array.name;
    }
    if (sets.size() != static_cast<size_t>(cut.count))
      return invalid_argument_error(
          fmt::format("array '{}' holds {} sets of inputs, array '{}' {}", first, sets.size(), array.name, cut.count));
    for (size_t i = 0; i < sets.size(); ++i) {
      AXLE_ASSIGN_OR_RETURN(Tensor piece, piece_of(array.tensor, cut, static_cast<int64_t>(i)));
      sets[i].push_back({array.name, std::move(piece)});
    }
  }
  if (sets.empty()) return invalid_argument_error("there are no arrays in it");
  AXLE_RETURN_IF_ERROR(check_feeds(inputs, sets.front()));
  return sets;
}

}  // namespace axle
