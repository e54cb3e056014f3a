// Long file: one rule for each operator that asks something of an operand, side by side.
// What each operator asks of operands that are indices, sizes, lengths, axes, masks or scales. One function per kind of question, and a table
// of which operator asks it where.
#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <string_view>

#include "model/flat_bodies.h"
#include "runtime/inputs/input_demands.h"
#include "runtime/inputs/operand_ask.h"

namespace axle {
namespace {

using Kind = InputDemand::Kind;

__extension__ typedef __int128 Wide;

constexpr int64_t kFarEnd = std::numeric_limits<int32_t>::max();  // beyond any axis; slices are cut to what there is

InputDemand whole(int64_t low, int64_t high) {
  return {Kind::kWhole, static_cast<double>(low), static_cast<double>(high), {}, {}};
}
InputDemand exactly(int64_t value) { return whole(value, value); }
InputDemand below(int64_t size) { return whole(0, std::max<int64_t>(size - 1, 0)); }
InputDemand real(double low, double high) { return {Kind::kReal, low, high, {}, {}}; }
// `otherwise`: where one element does not know its place among the values.
InputDemand given(std::vector<int64_t> values, int64_t otherwise) {
  if (values.empty()) return exactly(otherwise);
  return {Kind::kGiven, static_cast<double>(otherwise), static_cast<double>(otherwise), {}, std::move(values)};
}

// So many of so many equal parts; parts <= all.
int64_t share(int64_t size, int64_t parts, int64_t all) { return static_cast<int64_t>(static_cast<Wide>(size) * parts / all); }

// 0, 1, 2, ...: axes are not to repeat.
InputDemand counting(int64_t count) {
  std::vector<int64_t> values(static_cast<size_t>(std::clamp<int64_t>(count, 0, 64)));
  std::iota(values.begin(), values.end(), 0);
  return given(std::move(values), 0);
}
InputDemand axes(const Ask& ask) { return counting(ask.length()); }

// ---- indices

InputDemand along_axis(const Ask& ask) { return below(ask.size(0, ask.attribute("axis", 0))); }
InputDemand along_last_axis(const Ask& ask) { return below(ask.size(0, -1)); }
InputDemand along_gather_axis(const Ask& ask) { return below(ask.size(0, ask.attribute("gather_axis", 0))); }
InputDemand along_first_axis(const Ask& ask) { return below(ask.size(0, 0)); }

InputDemand scattered(const Ask& ask) {
  int64_t axis = ask.attribute("axis", 0);
  const std::vector<int64_t> sizes = ask.sizes(1);
  const int64_t extent = ask.size(0, axis);
  if (axis < 0) axis += static_cast<int64_t>(sizes.size());
  InputDemand demand = below(extent);
  if (!all_known(sizes) || axis < 0 || axis >= static_cast<int64_t>(sizes.size())) return demand;
  const int64_t count = sizes[static_cast<size_t>(axis)];
  const int64_t behind = product(std::span(sizes).subspan(static_cast<size_t>(axis) + 1));
  if (count < 1 || count > extent || behind < 1) return demand;
  demand.kind = Kind::kIndices;
  demand.columns = {{behind, count}};
  return demand;
}

// The axes of the data that a tuple of indices points into; empty: not known.
std::vector<int64_t> tuple_extents(const Ask& ask, int64_t first) {
  const std::vector<int64_t> sizes = ask.sizes(0);
  const auto rank = static_cast<int64_t>(sizes.size());
  const int64_t width = ask.size(1, -1);
  if (width < 1 || first < 0 || first > rank || width > rank - first) return {};
  return {sizes.begin() + first, sizes.begin() + first + width};
}

InputDemand tuples(const Ask& ask) {
  const std::vector<int64_t> extents = tuple_extents(ask, ask.attribute("batch_dims", 0));
  return below(extents.empty() ? 1 : *std::ranges::min_element(extents));
}

InputDemand scattered_tuples(const Ask& ask) {
  const std::vector<int64_t> extents = tuple_extents(ask, 0);
  if (extents.empty() || !all_known(extents) || product(extents) < 1) return exactly(0);
  InputDemand demand = below(*std::ranges::max_element(extents));
  demand.kind = Kind::kIndices;
  for (size_t i = 0; i < extents.size(); ++i)
    demand.columns.push_back({product(std::span(extents).subspan(i + 1)), extents[i]});
  return demand;
}

InputDemand one_hot_depth(const Ask& ask) {
  const int64_t known = ask.output_size(ask.attribute("axis", -1));
  return exactly(known > 0 ? known : ask.usual_size());
}
InputDemand one_hot_indices(const Ask& ask) {
  if (const auto depth = ask.constant(1)) return below(*depth);
  const int64_t known = ask.output_size(ask.attribute("axis", -1));
  return below(known > 0 ? known : ask.is_input(1) ? ask.usual_size() : 1);
}

InputDemand unpooled(const Ask& ask) {
  const std::vector<int64_t> sizes = ask.sizes(1);
  const int64_t count = product(sizes);
  if (sizes.empty() || !all_known(sizes) || count < 1) return exactly(0);
  InputDemand demand = below(count);
  demand.kind = Kind::kIndices;
  demand.columns = {{1, count}};
  return demand;
}

// Rows of a table that is another operand.
template <size_t kTable>
InputDemand row_of(const Ask& ask) {
  return below(ask.size(kTable, 0));
}

// One number is where a whole sequence begins.
InputDemand rotary_positions(const Ask& ask) { return ask.sizes(1).size() < 2 ? exactly(0) : below(ask.size(2, 0)); }

InputDemand aten(const Ask& ask) {
  if (text_attribute(ask.node(), "operator", "") != "embedding_bag") return {};
  if (ask.operand() == 1) return row_of<0>(ask);
  if (ask.operand() != 2) return {};
  // Where each bag begins: from 0 on, never back.
  const int64_t bags = ask.length(), items = ask.size(1, 0);
  std::vector<int64_t> starts;
  for (int64_t bag = 0; bag < std::min(bags, Ask::kMostConstants); ++bag)
    starts.push_back(items > 0 ? share(items, bag, bags) : 0);
  return given(std::move(starts), 0);
}

// ---- slices, ranges, counts

int64_t slice_axis(const Ask& ask, int64_t entry) {
  const auto axes = ask.constants(3);
  if (ask.value(3) == nullptr || !axes) return entry;  // axes that are inputs are given as 0, 1, 2, ...
  return entry < static_cast<int64_t>(axes->size()) ? (*axes)[static_cast<size_t>(entry)] : entry;
}
bool slice_runs_back(const Ask& ask, int64_t entry) {
  const auto steps = ask.constants(4);
  return steps && entry < static_cast<int64_t>(steps->size()) && (*steps)[static_cast<size_t>(entry)] < 0;
}
InputDemand slice_starts(const Ask& ask) {
  std::vector<int64_t> starts;
  for (int64_t i = 0; i < std::min<int64_t>(ask.length(), 64); ++i) starts.push_back(slice_runs_back(ask, i) ? kFarEnd : 0);
  return given(std::move(starts), 0);
}
InputDemand slice_ends(const Ask& ask) {
  std::vector<int64_t> ends;
  for (int64_t i = 0; i < std::min<int64_t>(ask.length(), 64); ++i) {
    const int64_t size = ask.size(0, slice_axis(ask, i));
    ends.push_back(slice_runs_back(ask, i) ? -kFarEnd : size > 0 ? size : kFarEnd);
  }
  return given(std::move(ends), kFarEnd);
}

InputDemand range_limit(const Ask& ask) {
  const int64_t start = ask.constant(0).value_or(0), step = ask.constant(2).value_or(1);
  const int64_t known = ask.output_size(0);
  int64_t width = 0, limit = 0;
  const bool fits = !__builtin_mul_overflow(known > 0 ? known : ask.usual_size(), step == 0 ? 1 : step, &width) &&
                    !__builtin_add_overflow(start, width, &limit);
  return exactly(fits ? limit : start);
}

InputDemand top_count(const Ask& ask) {
  constexpr int64_t kTop = 5;
  const int64_t axis = ask.attribute("axis", -1), known = ask.output_size(axis);
  return exactly(known > 0 ? known : std::clamp<int64_t>(ask.size(0, axis), 1, kTop));
}

InputDemand split_sizes(const Ask& ask) {
  const int64_t parts = ask.length(), size = ask.size(0, ask.attribute("axis", 0));
  std::vector<int64_t> sizes;
  for (int64_t i = 0; i < std::min(parts, Ask::kMostConstants); ++i)
    sizes.push_back(size < 0 ? 1 : share(size, i + 1, parts) - share(size, i, parts));
  return given(std::move(sizes), 1);
}

// ---- shapes

// Targets of Reshape: what the output is known to be; the first unknown axis takes what is left.
InputDemand reshaped(const Ask& ask) {
  const int64_t rank = ask.length();
  const std::vector<int64_t> known = ask.output_sizes();
  if (rank < 1 || rank > Ask::kMostConstants) return exactly(1);  // nothing has so many axes
  std::vector<int64_t> target(static_cast<size_t>(rank), 1);
  if (static_cast<int64_t>(known.size()) == rank && all_known(known)) return given(known, 1);
  bool rest = false;
  for (size_t i = 0; i < target.size(); ++i) {
    const int64_t size = known.size() == target.size() ? known[i] : -1;
    target[i] = size >= 0 ? size : rest ? 1 : -1;
    rest |= size < 0;
  }
  return given(std::move(target), 1);
}

// Targets of Expand and ConstantOfShape: 1 fits whatever the output is.
InputDemand output_shape(const Ask& ask) {
  std::vector<int64_t> known = ask.output_sizes();
  if (static_cast<int64_t>(known.size()) != ask.length()) return exactly(1);
  std::ranges::replace_if(known, [](int64_t size) { return size < 0; }, 1);
  return given(std::move(known), 1);
}

InputDemand repeats(const Ask& ask) {
  const std::vector<int64_t> from = ask.sizes(0), to = ask.output_sizes();
  if (from.size() != to.size()) return exactly(1);
  std::vector<int64_t> times;
  for (size_t i = 0; i < from.size(); ++i)
    times.push_back(from[i] > 0 && to[i] > 0 && to[i] % from[i] == 0 ? to[i] / from[i] : 1);
  return given(std::move(times), 1);
}

// As large as the data is, unless the output is known to be another size.
InputDemand same_size(const Ask& ask) {
  const std::vector<int64_t> from = ask.sizes(0), to = ask.output_sizes();
  std::vector<int64_t> chosen = ints_attribute(ask.node(), "axes");
  if (chosen.empty()) {
    chosen.resize(from.size());
    std::iota(chosen.begin(), chosen.end(), 0);
  }
  std::vector<int64_t> sizes;
  for (int64_t axis : chosen) {
    if (axis < 0) axis += static_cast<int64_t>(from.size());
    if (axis < 0 || axis >= static_cast<int64_t>(from.size())) return exactly(ask.usual_size());
    const auto at = static_cast<size_t>(axis);
    const int64_t size = at < to.size() && to[at] > 0 ? to[at] : from[at];
    sizes.push_back(size > 0 ? size : ask.usual_size());
  }
  return given(std::move(sizes), ask.usual_size());
}

InputDemand region(const Ask& ask) {  // starts, then ends
  const int64_t count = ask.length();
  if (count < 2) return real(0, 1);
  std::vector<int64_t> values(static_cast<size_t>(std::min<int64_t>(count, 64)), 0);
  std::fill(values.begin() + static_cast<ptrdiff_t>(values.size() / 2), values.end(), 1);
  return given(std::move(values), 0);
}
InputDemand resize_second(const Ask& ask) { return ask.node().opset < 11 ? exactly(1) : region(ask); }

InputDemand squeezed(const Ask& ask) {
  const std::vector<int64_t> sizes = ask.sizes(0);
  std::vector<int64_t> chosen;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == 1) chosen.push_back(static_cast<int64_t>(i));
  }
  return given(std::move(chosen), 0);
}

// ---- lengths

InputDemand whole_length(const Ask& ask) { return exactly(std::max<int64_t>(ask.size(0, 0), 1)); }
InputDemand reversed_lengths(const Ask& ask) {
  return whole(1, std::max<int64_t>(ask.size(0, ask.attribute("time_axis", 0)), 1));
}
// Lengths, or a mask.
InputDemand attention_mask_index(const Ask& ask) {
  const Value& value = *ask.value(ask.operand());
  if (is_floating(value.dtype)) return {};
  return exactly(value.rank_known && value.shape.size() == 1 ? std::max<int64_t>(ask.size(0, 1), 1) : 1);
}
// True is seen; what is added to scores is 0 there.
InputDemand attention_mask(const Ask& ask) { return exactly(ask.value(ask.operand())->dtype == DataType::kBool ? 1 : 0); }
InputDemand attention_lengths(const Ask& ask) { return exactly(std::max<int64_t>(ask.size(1, -2), 1)); }
int64_t grouped_total(const Ask& ask) {
  return std::max<int64_t>(ask.size(0, 1), 1) + (ask.value(3) == nullptr ? 0 : std::max<int64_t>(ask.size(3, 2), 0));
}
InputDemand grouped_lengths(const Ask& ask) { return exactly(grouped_total(ask) - 1); }
InputDemand grouped_total_length(const Ask& ask) { return exactly(grouped_total(ask)); }

// ---- numbers

template <int64_t kValue>
InputDemand always(const Ask&) {
  return exactly(kValue);
}
InputDemand usual(const Ask& ask) { return exactly(ask.usual_size()); }
InputDemand positive(const Ask&) { return real(1.0 / 128, 1); }
InputDemand fraction(const Ask&) { return real(0, 0.5); }
InputDemand no_zero(const Ask& ask) { return is_floating(ask.value(ask.operand())->dtype) ? InputDemand{} : whole(1, 3); }
InputDemand shift_bits(const Ask&) { return whole(0, 7); }
// All that the element type holds, where it is at most a byte.
InputDemand quantised(const Ask& ask) {
  const DataType dtype = ask.value(ask.operand())->dtype;
  const int bits = data_type_bits(dtype);
  if (is_floating(dtype) || dtype == DataType::kBool || bits < 2 || bits > 8) return {};
  const bool is_signed = dtype == DataType::kInt8 || dtype == DataType::kInt4 || dtype == DataType::kInt2;
  const int64_t half = int64_t{1} << (bits - 1);
  return is_signed ? whole(-half, half - 1) : whole(0, 2 * half - 1);
}

struct Rule {
  std::string_view op;
  size_t operand;
  InputDemand (*ask)(const Ask&);
  std::string_view domain = "";
};

constexpr std::string_view kContributed = "com.microsoft";

constexpr auto kRules = std::to_array<Rule>({
    {"Gather", 1, along_axis},
    {"GatherElements", 1, along_axis},
    {"GatherND", 1, tuples},
    {"Scatter", 1, scattered},
    {"ScatterElements", 1, scattered},
    {"ScatterND", 1, scattered_tuples},
    {"TensorScatter", 2, always<0>},
    {"OneHot", 0, one_hot_indices},
    {"OneHot", 1, one_hot_depth},
    {"RoiAlign", 2, along_first_axis},
    {"MaxUnpool", 1, unpooled},
    {"SequenceAt", 1, always<0>},
    {"RotaryEmbedding", 3, row_of<1>},
    {"RotaryEmbedding", 1, rotary_positions, kContributed},
    {"EmbedLayerNormalization", 0, row_of<2>, kContributed},
    {"EmbedLayerNormalization", 1, row_of<4>, kContributed},
    {"EmbedLayerNormalization", 7, always<1>, kContributed},
    {"EmbedLayerNormalization", 8, row_of<3>, kContributed},
    {"GatherBlockQuantized", 1, along_gather_axis, kContributed},
    {"ArrayFeatureExtractor", 1, along_last_axis, "ai.onnx.ml"},
    {"ATen", 1, aten, "org.pytorch.aten"},
    {"ATen", 2, aten, "org.pytorch.aten"},
    {"Slice", 1, slice_starts},
    {"Slice", 2, slice_ends},
    {"Slice", 3, axes},
    {"Slice", 4, always<1>},
    {"Range", 0, always<0>},
    {"Range", 1, range_limit},
    {"Range", 2, always<1>},
    {"TopK", 1, top_count},
    {"Split", 1, split_sizes},
    {"SplitToSequence", 1, always<1>},
    {"Loop", 0, always<2>},
    {"Loop", 0, always<2>, kFlowDomain},
    {"NonMaxSuppression", 2, usual},
    {"NonMaxSuppression", 3, fraction},
    {"NonMaxSuppression", 4, fraction},
    {"HannWindow", 0, usual},
    {"HammingWindow", 0, usual},
    {"BlackmanWindow", 0, usual},
    {"Reshape", 1, reshaped},
    {"Expand", 1, output_shape},
    {"ConstantOfShape", 0, output_shape},
    {"Tile", 1, repeats},
    {"Resize", 1, resize_second},
    {"Resize", 2, always<1>},
    {"Resize", 3, same_size},
    {"Upsample", 1, always<1>},
    {"CenterCropPad", 1, same_size},
    {"Pad", 1, always<0>},
    {"Pad", 3, axes},
    {"Unsqueeze", 1, axes},
    {"Squeeze", 1, squeezed},
    {"CumSum", 1, always<0>},
    {"Trilu", 1, always<0>},
    {"LSTM", 4, whole_length},
    {"GRU", 4, whole_length},
    {"RNN", 4, whole_length},
    {"ReverseSequence", 1, reversed_lengths},
    {"Attention", 3, attention_mask},
    {"Attention", 6, attention_lengths},
    {"Attention", 3, attention_mask_index, kContributed},
    {"MultiHeadAttention", 4, attention_mask_index, kContributed},
    {"GroupQueryAttention", 5, grouped_lengths, kContributed},
    {"GroupQueryAttention", 6, grouped_total_length, kContributed},
    {"Div", 1, no_zero},
    {"Mod", 1, no_zero},
    {"BitShift", 1, shift_bits},
    {"Dropout", 1, fraction},
    {"Dropout", 2, always<0>},
    {"BatchNormalization", 4, positive},
    {"QuantizeLinear", 1, positive},
    {"QuantizeLinear", 2, always<0>},
    {"DequantizeLinear", 0, quantised},
    {"DequantizeLinear", 1, positive},
    {"DequantizeLinear", 2, always<0>},
    {"QLinearConv", 0, quantised},
    {"QLinearMatMul", 0, quantised},
    {"QLinearMatMul", 3, quantised},
    {"MatMulInteger", 0, quantised},
    {"MatMulInteger", 1, quantised},
    {"ConvInteger", 0, quantised},
});

}  // namespace

OperandDemand operand_demand(const Graph& graph, const Node& node, size_t operand, int64_t usual_size) {
  const Ask ask(graph, node, operand, usual_size);
  const std::string_view domain = node.domain == "ai.onnx" ? "" : std::string_view(node.domain);
  for (const Rule& rule : kRules) {
    if (rule.op == node.op_type && rule.operand == operand && rule.domain == domain) return {rule.ask(ask)};
  }
  if (!domain.empty()) return {};
  if (operand == 1 && node.op_type.starts_with("Reduce")) return {axes(ask)};
  if (node.op_type == "Equal" && node.inputs.size() == 2) {
    if (const auto constant = ask.constant(1 - operand)) return {exactly(*constant), true};
  }
  return {};
}

}  // namespace axle
