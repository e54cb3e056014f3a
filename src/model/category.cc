#include "model/category.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/text.h"

namespace axle {
namespace {

// What the rules look at.
struct Features {
  int attention = 0;          // scores -> softmax -> product with values, or an attention operator
  int embeddings = 0;         // look-ups of rows in a float table
  int recurrent = 0;          // LSTM, GRU, RNN
  bool written_out_cell = false;  // gates of a recurrent cell as plain operators, its state carried from an input to an output
  int convolutions_2d = 0;
  int convolutions_1d = 0;
  int products = 0;  // MatMul, Gemm
  int spectral = 0;  // DFT, STFT
  int scatters = 0;
  int wave_activations = 0;  // Tanh, Sin, Cos
  bool image_input = false;  // rank 4 with 1 to 4 channels and two spatial axes
  bool signal_input = false;  // floats, one long or open axis
  bool token_input = false;  // integers [batch, sequence]
  bool edge_input = false;  // integers [2, edges]
  int id_inputs = 0;  // integers of rank 1, or [batch, few]
  int narrow_float_inputs = 0;  // [n, up to 4]: coordinates
};

class FeatureFinder {
 public:
  FeatureFinder(const Graph& graph, const std::map<std::string, uint64_t>& op_counts) : graph_(graph), counts_(op_counts) {}

  Features find() {
    count_operators();
    for (const Node& node : graph_.nodes) look_at(node);
    for (const ValueId id : graph_.inputs) look_at_input(graph_.values[id]);
    return features_;
  }

 private:
  int count(std::initializer_list<std::string_view> ops) const {
    uint64_t total = 0;
    for (const auto& [name, number] : counts_) {
      const size_t colon = name.rfind(':');
      const std::string_view op =
          colon == std::string::npos ? std::string_view(name) : std::string_view(name).substr(colon + 1);
      if (std::find(ops.begin(), ops.end(), op) != ops.end()) total += number;
    }
    return static_cast<int>(std::min<uint64_t>(total, 1'000'000));
  }

  // An output of the same type and shape as an input, to be fed back by the caller.
  bool carries_state() const {
    for (const ValueId in : graph_.inputs) {
      for (const ValueId out : graph_.outputs) {
        const Value &a = graph_.values[in], &b = graph_.values[out];
        if (is_floating(a.dtype) && a.dtype == b.dtype && a.rank_known && a.shape.size() >= 2 && a.shape == b.shape)
          return true;
      }
    }
    return false;
  }

  void count_operators() {
    features_.recurrent = count({"LSTM", "GRU", "RNN"});
    features_.products = count({"MatMul", "Gemm", "MatMulInteger", "QLinearMatMul", "MatMulNBits", "FusedMatMul", "FusedGemm"});
    features_.spectral = count({"DFT", "STFT"});
    features_.scatters = count({"ScatterElements", "ScatterND", "Scatter"});
    features_.wave_activations = count({"Tanh", "Sin", "Cos"});
    features_.written_out_cell = carries_state() && count({"Sigmoid"}) >= 3 && count({"Tanh"}) >= 2 && features_.products >= 2;
    features_.attention =
        count({"Attention", "MultiHeadAttention", "GroupQueryAttention", "PagedAttention", "QAttention", "LinearAttention"});
  }

  const Value* input(const Node& node, size_t index) const {
    return index < node.inputs.size() && node.inputs[index] >= 0 ? &graph_.values[node.inputs[index]] : nullptr;
  }

  // Steps back over operators that only change representation.
  const Value* look_through(const Value* value, std::initializer_list<std::string_view> ops) const {
    for (int step = 0; step < 8 && value != nullptr && value->producer >= 0; ++step) {
      const Node& node = graph_.nodes[value->producer];
      if (std::find(ops.begin(), ops.end(), node.op_type) == ops.end()) break;
      value = input(node, 0);
    }
    return value;
  }

  void look_at(const Node& node) {
    if (node.op_type == "Conv" || node.op_type == "QLinearConv" || node.op_type == "ConvInteger" ||
        node.op_type == "FusedConv") {
      look_at_convolution(node);
    } else if (node.op_type == "Gather" || node.op_type == "EmbeddingBag") {
      look_at_gather(node);
    } else if (node.op_type == "Softmax") {
      look_at_softmax(node);
    }
  }

  // A kernel that is 1 wide in one direction is one-dimensional whatever its rank.
  void look_at_convolution(const Node& node) {
    const Value* weight = input(node, node.op_type == "QLinearConv" ? 3 : 1);
    if (weight == nullptr || !weight->rank_known) return;
    const auto& shape = weight->shape;
    const bool line = shape.size() == 3 || (shape.size() == 4 && (shape[2].size == 1) != (shape[3].size == 1));
    ++(line ? features_.convolutions_1d : features_.convolutions_2d);
  }

  void look_at_gather(const Node& node) {
    const Value* table = look_through(input(node, 0), {"Cast", "DequantizeLinear", "Identity"});
    const Value* rows = input(node, 1);
    if (table == nullptr || rows == nullptr || table->weight < 0 || rows->weight >= 0 || table->shape.size() != 2) return;
    if (table->shape[0].size >= 8 && table->shape[1].size >= 2) ++features_.embeddings;
  }

  void look_at_softmax(const Node& node) {
    const Value* scores =
        look_through(input(node, 0), {"Add", "Div", "Mul", "Where", "Cast", "Sub", "Tanh", "Reshape", "Transpose"});
    if (scores == nullptr || scores->producer < 0 || !is_product(graph_.nodes[scores->producer])) return;
    // Both factors of the scores must be computed: a classifier's last layer has a weight there.
    const Node& product = graph_.nodes[scores->producer];
    const Value* left =
        look_through(input(product, 0), {"Cast", "Mul", "Transpose", "Reshape", "DequantizeLinear", "QuantizeLinear"});
    const Value* right =
        look_through(input(product, 1), {"Cast", "Mul", "Transpose", "Reshape", "DequantizeLinear", "QuantizeLinear"});
    if (left != nullptr && right != nullptr && left->weight < 0 && right->weight < 0) ++features_.attention;
  }

  static bool is_product(const Node& node) {
    return node.op_type == "MatMul" || node.op_type == "FusedMatMul" || node.op_type == "Einsum" ||
           node.op_type == "MatMulInteger" || node.op_type == "QLinearMatMul";
  }

  void look_at_input(const Value& value) {
    if (!value.rank_known || !value.is_tensor) return;
    const auto& shape = value.shape;
    const auto is_spatial = [](const Dim& dim) { return !dim.is_static() || dim.size >= 8; };
    const auto is_channels = [](const Dim& dim) { return dim.is_static() && dim.size >= 1 && dim.size <= 4; };
    if (is_floating(value.dtype) || value.dtype == DataType::kUint8) {
      if (shape.size() == 4) {
        const bool first = is_channels(shape[1]) && is_spatial(shape[2]) && is_spatial(shape[3]);
        const bool last = is_channels(shape[3]) && is_spatial(shape[1]) && is_spatial(shape[2]);
        features_.image_input = features_.image_input || first || last;
      }
      const bool is_long = std::any_of(shape.begin() + (shape.empty() ? 0 : 1), shape.end(),
                                       [](const Dim& dim) { return !dim.is_static() || dim.size >= 256; });
      if ((shape.size() == 2 || shape.size() == 3) && is_long) features_.signal_input = true;
      if (shape.size() == 2 && shape[1].is_static() && shape[1].size <= 4) ++features_.narrow_float_inputs;
      return;
    }
    if (value.dtype != DataType::kInt64 && value.dtype != DataType::kInt32) return;
    if (shape.size() == 2 && shape[0].is_static() && shape[0].size == 2 && !shape[1].is_static()) features_.edge_input = true;
    if (shape.size() == 2 && (!shape[1].is_static() || shape[1].size >= 8)) features_.token_input = true;
    if (shape.size() == 1 || (shape.size() == 2 && shape[1].is_static() && shape[1].size <= 64)) ++features_.id_inputs;
  }

  const Graph& graph_;
  const std::map<std::string, uint64_t>& counts_;
  Features features_;
};

struct Match {
  int points = 0;  // 0 = the rule does not apply
  std::string reason;
};

Match token_transformer(const Features& f) {
  if (f.attention == 0 || !f.token_input || f.embeddings == 0) return {};
  return {10, fmt::format("{} attention blocks over an embedding of token ids", f.attention)};
}
Match bare_transformer(const Features& f) {
  if (f.attention < 2 || f.image_input || f.convolutions_2d > 0 || f.convolutions_1d > 0) return {};
  return {5, fmt::format("{} attention blocks and no convolution", f.attention)};
}
Match image_transformer(const Features& f) {
  if (f.attention == 0 || !f.image_input) return {};
  return {9, fmt::format("{} attention blocks over an image", f.attention)};
}
Match image_convolutions(const Features& f) {
  if (f.convolutions_2d < 2 || !f.image_input) return {};
  const bool few_attention = f.attention > 0 && f.attention * 4 < f.convolutions_2d;
  return {few_attention ? 10 : 8, fmt::format("{} two-dimensional convolutions over an image", f.convolutions_2d)};
}
Match recurrent_signal(const Features& f) {
  if (f.recurrent == 0 || !(f.signal_input || f.spectral > 0 || f.convolutions_1d > 0) || f.token_input) return {};
  return {8, fmt::format("{} recurrent layers over a signal", f.recurrent)};
}
Match written_out_recurrent_signal(const Features& f) {
  if (!f.written_out_cell || !f.signal_input || f.token_input || f.image_input) return {};
  return {7, "a gated recurrent cell, written out, over a signal; its state goes in and out"};
}
Match speech_transformer(const Features& f) {
  if (f.attention == 0 || !f.signal_input || f.convolutions_1d == 0 || f.token_input || f.image_input) return {};
  return {7, fmt::format("{} attention blocks behind one-dimensional convolutions over a signal", f.attention)};
}
Match recommender(const Features& f) {
  if (f.embeddings < 2 || f.id_inputs == 0 || f.attention > 1 || f.convolutions_2d > 0 || f.recurrent > 0 || f.products == 0)
    return {};
  return {8, fmt::format("{} embedding tables looked up by ids, then dense layers", f.embeddings)};
}
Match graph_network(const Features& f) {
  if (!f.edge_input || f.scatters == 0) return {};
  return {8, "messages gathered and scattered along edges: a graph network"};
}
Match fourier_operator(const Features& f) {
  if (f.spectral < 2 || f.recurrent > 0 || f.signal_input) return {};
  return {6, fmt::format("{} spectral transforms: a Fourier operator", f.spectral)};
}
Match physics_informed(const Features& f) {
  const bool other_layers = f.attention + f.recurrent + f.convolutions_2d > 0;
  if (f.narrow_float_inputs == 0 || f.wave_activations < 2 || f.products < 3 || other_layers) return {};
  return {5, "smooth dense layers over coordinates: a physics-informed network"};
}

struct Rule {
  const char* category;
  Match (*match)(const Features&);
};

constexpr Rule kRules[] = {
    {"LLM_TRANSFORMER", token_transformer},    {"LLM_TRANSFORMER", bare_transformer},
    {"VISION_TRANSFORMER", image_transformer}, {"VISION_CNN", image_convolutions},
    {"SPEECH_RNN", recurrent_signal},          {"SPEECH_RNN", written_out_recurrent_signal},
    {"SPEECH_RNN", speech_transformer},        {"RECOMMENDATION_SYSTEM", recommender},
    {"SCIENTIFIC_ML", graph_network},          {"SCIENTIFIC_ML", fourier_operator},
    {"SCIENTIFIC_ML", physics_informed},
};

// For what no rule fits: what it is made of.
std::string describe(const Features& f) {
  std::vector<std::string> parts;
  const auto add = [&](int number, const char* what) {
    if (number > 0) parts.push_back(fmt::format("{} {}", number, what));
  };
  add(f.attention, "attention blocks");
  add(f.recurrent, "recurrent layers");
  add(f.convolutions_2d, "two-dimensional convolutions");
  add(f.convolutions_1d, "one-dimensional convolutions");
  add(f.embeddings, "embedding tables");
  add(f.products, "matrix products");
  const std::string made_of = parts.empty() ? "no layers that tell" : join(parts, ", ");
  const char* input = f.image_input    ? "an image"
                      : f.signal_input ? "a signal or long vector"
                      : f.token_input  ? "a row of integers"
                                       : "a feature vector";
  return fmt::format("no category fits: {} over {}", made_of, input);
}

}  // namespace

Category classify(const Graph& graph, const std::map<std::string, uint64_t>& op_counts) {
  const Features features = FeatureFinder(graph, op_counts).find();
  Category best{"OTHER", describe(features)};
  int best_points = 0;
  for (const Rule& rule : kRules) {
    Match match = rule.match(features);
    if (match.points <= best_points) continue;
    best_points = match.points;
    best = Category{rule.category, std::move(match.reason)};
  }
  return best;
}

}  // namespace axle
