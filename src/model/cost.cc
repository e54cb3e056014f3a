#include "model/cost.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_map>

#include "base/text.h"
#include "model/attributes.h"

namespace axle {
namespace {

using Count = uint64_t;

// Saturates: costs of hostile shapes must not wrap.
Count multiply(Count a, Count b) {
  Count product = 0;
  return __builtin_mul_overflow(a, b, &product) ? ~Count{0} : product;
}

Count add(Count a, Count b) {
  Count sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? ~Count{0} : sum;
}

Count size_of(const Dim& dim) { return dim.is_static() ? static_cast<Count>(dim.size) : 1; }

// One node with its shapes at hand.
struct NodeView {
  const Graph& graph;
  const Node& node;

  const Value* input(size_t index) const {
    return index < node.inputs.size() && node.inputs[index] >= 0 ? &graph.values[node.inputs[index]] : nullptr;
  }
  const Value* output(size_t index) const {
    return index < node.outputs.size() && node.outputs[index] >= 0 ? &graph.values[node.outputs[index]] : nullptr;
  }
  static Count elements(const Value* value) {
    if (value == nullptr || !value->rank_known) return value == nullptr ? 0 : 1;
    Count count = 1;
    for (const Dim& dim : value->shape) count = multiply(count, size_of(dim));
    return count;
  }
  Count inputs_elements(size_t index) const { return elements(input(index)); }
  Count output_elements() const { return elements(output(0)); }
  // Axis counted from the end when negative; 1 when not known.
  static Count axis(const Value* value, int64_t position) {
    if (value == nullptr || !value->rank_known) return 1;
    const auto rank = static_cast<int64_t>(value->shape.size());
    if (position < 0) position += rank;
    return position >= 0 && position < rank ? size_of(value->shape[position]) : 1;
  }
};

using Formula = Count (*)(const NodeView&);

Count none(const NodeView&) { return 0; }
Count per_output(const NodeView& view) { return view.output_elements(); }
Count per_input(const NodeView& view) { return view.inputs_elements(0); }
// exp, log, tanh, erf and their like, as roofline models usually weigh them.
Count transcendental(const NodeView& view) { return multiply(4, view.output_elements()); }
Count softmax(const NodeView& view) { return multiply(5, view.output_elements()); }
Count normalisation(const NodeView& view) { return multiply(8, view.inputs_elements(0)); }
Count variadic(const NodeView& view) {
  return multiply(view.output_elements(), view.node.inputs.empty() ? 0 : view.node.inputs.size() - 1);
}

// Weight [M, C/group, k...]: every output element sums C/group * prod(k) products.
Count conv_with_weight(const NodeView& view, size_t weight_index) {
  const Value* weight = view.input(weight_index);
  const Count out_channels = std::max<Count>(1, NodeView::axis(weight, 0));
  return multiply(2, multiply(view.output_elements(), NodeView::elements(weight) / out_channels));
}
Count conv(const NodeView& view) {
  const Count bias = view.input(2) != nullptr ? view.output_elements() : 0;
  return add(conv_with_weight(view, 1), bias);
}
Count conv_integer(const NodeView& view) { return conv_with_weight(view, 1); }
Count qlinear_conv(const NodeView& view) { return add(conv_with_weight(view, 3), view.output_elements()); }
// Weight [C, M/group, k...]: every input element is spread over M/group * prod(k) products.
Count conv_transpose(const NodeView& view) {
  const Value* weight = view.input(1);
  const Count in_channels = std::max<Count>(1, NodeView::axis(weight, 0));
  return multiply(2, multiply(view.inputs_elements(0), NodeView::elements(weight) / in_channels));
}

Count matmul_inner(const NodeView& view, size_t a) {
  return multiply(2, multiply(view.output_elements(), NodeView::axis(view.input(a), -1)));
}
Count matmul(const NodeView& view) { return matmul_inner(view, 0); }
Count gemm(const NodeView& view) {
  const bool transposed = int_attribute(view.node, "transA", 0) != 0;
  const Count inner = NodeView::axis(view.input(0), transposed ? 0 : 1);
  const Count bias = view.input(2) != nullptr ? view.output_elements() : 0;
  return add(multiply(2, multiply(view.output_elements(), inner)), bias);
}

// X [T, B, I], W [D, g*H, I], R [D, g*H, H]; layout 1 swaps T and B, which leaves the product alone.
Count recurrent(const NodeView& view) {
  const Value* x = view.input(0);
  const Count steps = multiply(NodeView::axis(x, 0), NodeView::axis(x, 1));
  const Count products = add(view.inputs_elements(1), view.inputs_elements(2));
  const Count hidden = multiply(NodeView::axis(view.input(2), 0), NodeView::axis(view.input(2), 1));
  return multiply(steps, add(multiply(2, products), multiply(5, hidden)));
}

Count pool(const NodeView& view) {
  Count window = 1;
  for (const int64_t size : ints_attribute(view.node, "kernel_shape"))
    window = multiply(window, static_cast<Count>(std::max<int64_t>(1, size)));
  return multiply(view.output_elements(), window);
}

// Q [B, Hq, Sq, d] (or [B, Sq, Hq*d]), K likewise: scores and their product with V, and softmax between.
Count attention(const NodeView& view) {
  const Value* query = view.input(0);
  const Value* key = view.input(1);
  const bool is_4d = query != nullptr && query->shape.size() == 4;
  const Count key_length = NodeView::axis(key, is_4d ? 2 : 1);
  const Count heads =
      is_4d ? NodeView::axis(query, 1) : static_cast<Count>(std::max<int64_t>(1, int_attribute(view.node, "q_num_heads", 1)));
  const Count query_length = NodeView::axis(query, is_4d ? 2 : 1);
  const Count products = multiply(4, multiply(NodeView::elements(query), key_length));
  const Count scores = multiply(multiply(NodeView::axis(query, 0), heads), multiply(query_length, key_length));
  return add(products, multiply(5, scores));
}

// Every distinct index letter once; two operands multiply and add.
Count einsum(const NodeView& view) {
  const std::string equation = text_attribute(view.node, "equation", "");
  std::array<Count, 128> sizes{};
  size_t operand = 0;
  int64_t axis = 0;
  for (const char c : equation.substr(0, equation.find("->"))) {
    if (c == ',') {
      ++operand;
      axis = 0;
    } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {  // whatever the locale calls a letter
      Count& size = sizes[static_cast<unsigned char>(c)];
      size = std::max(size, NodeView::axis(view.input(operand), axis++));
    }
  }
  Count total = 2;
  for (const Count size : sizes) total = size == 0 ? total : multiply(total, size);
  return equation.empty() ? 0 : total;
}

// Stockham radix 2 on the transformed axis, complex.
Count dft(const NodeView& view) {
  const Count elements = view.output_elements();
  Count levels = 0;
  for (Count n = std::max<Count>(2, NodeView::axis(view.input(0), 1)); n > 1; n /= 2) ++levels;
  return multiply(5, multiply(elements, levels));
}

// Operators, by the formula that counts them.
struct FormulaRow {
  Formula formula;
  std::string_view operators;
};

constexpr FormulaRow kFormulas[] = {
    {conv, "Conv FusedConv DeformConv"},
    {conv_integer, "ConvInteger"},
    {qlinear_conv, "QLinearConv"},
    {conv_transpose, "ConvTranspose"},
    {matmul, "MatMul FusedMatMul MatMulInteger QLinearMatMul MatMulNBits"},
    {gemm, "Gemm FusedGemm"},
    {recurrent, "LSTM GRU RNN"},
    {pool, "MaxPool AveragePool LpPool"},
    {attention, "Attention"},
    {einsum, "Einsum"},
    {dft, "DFT STFT"},
    {softmax, "Softmax LogSoftmax Hardmax"},
    {normalisation,
     "LayerNormalization SimplifiedLayerNormalization SkipLayerNormalization RMSNormalization InstanceNormalization "
     "GroupNormalization LRN MeanVarianceNormalization"},
    {variadic, "Sum Max Min Mean"},
    {transcendental,
     "Exp Log Tanh Sigmoid Erf Gelu Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh Pow Sqrt Softplus Mish Swish Elu "
     "Selu Celu HardSwish QuickGelu BiasGelu FastGelu RotaryEmbedding"},
    {per_input,
     "ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceSumSquare "
     "ArgMax ArgMin GlobalAveragePool GlobalMaxPool GlobalLpPool CumSum CumProd TopK NonZero Unique NonMaxSuppression "
     "BatchNormalization DynamicQuantizeLinear"},
    {none,
     "Reshape Transpose Identity Shape Size Squeeze Unsqueeze Flatten Concat Split Slice Gather GatherElements GatherND Expand "
     "Tile Pad Cast CastLike Constant ConstantOfShape DepthToSpace SpaceToDepth ScatterElements ScatterND Scatter Dropout "
     "EyeLike OneHot ReverseSequence If Loop Scan SequenceAt SequenceConstruct SequenceInsert SplitToSequence "
     "ConcatFromSequence Optional OptionalGetElement Compress Trilu Col2Im TensorScatter BitCast"},
};

const std::unordered_map<std::string_view, Formula>& formulas() {
  static const auto* table = [] {
    auto* map = new std::unordered_map<std::string_view, Formula>();
    for (const FormulaRow& row : kFormulas) {
      for (const std::string_view op : split(row.operators, ' ')) map->emplace(op, row.formula);
    }
    return map;
  }();
  return *table;
}

Count flops_of(const NodeView& view) {
  const auto found = formulas().find(view.node.op_type);
  if (found != formulas().end()) return found->second(view);
  // The rest of ONNX is element-wise; of other domains nothing is known.
  return view.node.domain.empty() ? per_output(view) : 0;
}

Count bytes_of(const Value& value) {
  const auto bits = static_cast<Count>(data_type_bits(value.dtype));
  return add(multiply(NodeView::elements(&value), bits), 7) / 8;
}

bool is_exact(const Value& value) {
  return value.rank_known &&
         std::all_of(value.shape.begin(), value.shape.end(), [](const Dim& dim) { return dim.is_static(); });
}

}  // namespace

void fill_costs(Graph& graph) {
  std::vector<bool> weight_seen(graph.weights.size(), false);
  for (Node& node : graph.nodes) {
    node.weight_bytes = 0;
    node.activation_bytes = 0;
    node.cost_exact = !node.has_subgraph;
    const auto visit = [&](ValueId id) {
      if (id < 0) return;
      const Value& value = graph.values[id];
      if (value.weight >= 0) {
        if (!weight_seen[value.weight]) node.weight_bytes = add(node.weight_bytes, graph.weights[value.weight]->bytes.size());
        weight_seen[value.weight] = true;
        return;
      }
      node.activation_bytes = add(node.activation_bytes, bytes_of(value));
      node.cost_exact = node.cost_exact && is_exact(value);
    };
    for (const auto* list : {&node.inputs, &node.captured, &node.outputs}) std::for_each(list->begin(), list->end(), visit);
    node.flops = add(flops_of(NodeView{graph, node}), node.body_flops);
    node.weight_bytes = add(node.weight_bytes, node.body_weight_bytes);
  }
}

}  // namespace axle
