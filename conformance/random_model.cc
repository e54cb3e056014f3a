#include "random_model.h"

#include <algorithm>
#include <random>
#include <set>

#include "model/testing/model_builder.h"

namespace axle::conformance {
namespace {

using axle::testing::kF32;
using axle::testing::kI64;
using axle::testing::ModelBuilder;

constexpr int32_t kBool = onnx::TensorProto::BOOL;
constexpr double kMostExact = 1 << 20;  // sums of this size still have room in f32's 24 bits

struct Value {
  std::string name;
  int32_t type = kF32;
  std::vector<int64_t> shape;  // the leading axis is the batch
  bool exact = true;
  double bound = 0;            // largest magnitude
};

class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed), symbolic_(seed % 2 == 1), batch_(1 + below(3)) {}

  RandomModel make() {
    for (const char* name : {"x", "z"}) add_input(name);
    for (uint64_t left = 2 + below(23); left > 0; --left) add_node();
    for (const Value& value : values_) {
      if (unread_.contains(value.name)) add_output(value);
    }
    // A result that the caller and other nodes read.
    const Value& inner = values_[2 + below(values_.size() - 2)];
    if (!unread_.contains(inner.name)) add_output(inner);
    model_.bytes = builder_.serialise();
    return std::move(model_);
  }

 private:
  uint64_t below(uint64_t count) { return random_() % count; }

  void add_input(const std::string& name) {
    const std::vector<int64_t> shape = {static_cast<int64_t>(batch_), 4, 6};
    if (symbolic_)
      builder_.input(name, kF32, {-1, 4, 6}, {"batch"});
    else
      builder_.input(name, kF32, shape);
    auto tensor = Tensor::allocate(DataType::kFloat32, shape);
    for (float& element : tensor->mutable_as<float>()) element = static_cast<float>(below(9)) - 4;
    model_.inputs.push_back({name, std::move(*tensor)});
    values_.push_back({name, kF32, shape, true, 4});
  }

  void add_output(const Value& value) {
    std::vector<int64_t> shape = value.shape;
    if (symbolic_) shape[0] = -1;
    builder_.output(value.name, value.type, shape, {"batch"});
    model_.outputs.push_back({value.name, value.exact});
  }

  // One of the recent f32 values, so that graphs are deep as well as broad.
  const Value& pick() {
    const Value& recent = values_[values_.size() - 1 - below(std::min<uint64_t>(values_.size(), 6))];
    return recent.type == kF32 ? recent : values_[below(2)];
  }

  std::string fresh() { return "v" + std::to_string(next_value_++); }

  onnx::NodeProto& node(const std::string& op, const std::vector<std::string>& inputs,
                        const std::vector<std::string>& outputs) {
    onnx::NodeProto& node = builder_.node(op, {}, {}, "n" + std::to_string(model_.nodes.size()));
    for (const std::string& input : inputs) {
      node.add_input(input);
      unread_.erase(input);
    }
    for (const std::string& output : outputs) node.add_output(output);
    model_.nodes.push_back(node.name());
    return node;
  }

  void result(Value value) {
    unread_.insert(value.name);
    values_.push_back(std::move(value));
  }

  static void set_ints(onnx::NodeProto& node, const std::string& name, const std::vector<int64_t>& values) {
    auto& attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.set_type(onnx::AttributeProto::INTS);
    for (const int64_t value : values) attribute.add_ints(value);
  }

  // ---- operators ----------------------------------------------------------------------------------------------------

  void unary() {
    const Value in = pick();
    static const char* const kExactOps[] = {"Relu", "Neg", "Abs", "Identity"};
    static const char* const kSmoothOps[] = {"Tanh", "Sigmoid", "Softsign"};
    const bool smooth = below(3) == 0;
    Value out = in;
    out.name = fresh();
    node(smooth ? kSmoothOps[below(3)] : kExactOps[below(4)], {in.name}, {out.name});
    if (smooth) out.exact = false, out.bound = 1;
    result(out);
  }

  void binary() {
    const Value a = pick(), b = like(a);
    Value out = a;
    out.name = fresh();
    out.exact = a.exact && b.exact;
    const uint64_t kind = below(5);
    static const char* const kOps[] = {"Add", "Sub", "Max", "Min", "Mul"};
    if (kind == 4 && a.bound * b.bound > kMostExact) return;
    if (kind < 2 && a.bound + b.bound > kMostExact) return;
    node(kOps[kind], {a.name, b.name}, {out.name});
    out.bound = kind == 4 ? a.bound * b.bound : kind < 2 ? a.bound + b.bound : std::max(a.bound, b.bound);
    result(out);
  }

  // A value of the same shape, or a weight that broadcasts to it.
  Value like(const Value& shape_of) {
    for (size_t tries = 0; tries < 6; ++tries) {
      const Value& candidate = values_[below(values_.size())];
      if (candidate.type == kF32 && candidate.shape == shape_of.shape) return candidate;
    }
    return weight({shape_of.shape.back()});
  }

  // Weights are made once for each shape and then shared; some are computed from others.
  Value weight(const std::vector<int64_t>& shape) {
    std::string name = "w";
    int64_t count = 1;
    for (const int64_t size : shape) {
      name += "_" + std::to_string(size);
      count *= size;
    }
    if (weights_.insert(name).second) {
      std::vector<float> elements(static_cast<size_t>(count));
      for (float& element : elements) element = static_cast<float>(below(3)) - 1;
      const bool computed = below(3) == 0;
      builder_.weight(computed ? "raw_" + name : name, shape, elements);
      // In no part by request: where it is computed is the planner's to say.
      if (computed) builder_.node(below(2) == 0 ? "Neg" : "Abs", {"raw_" + name}, {name}, "make_" + name);
    }
    return {name, kF32, shape, true, 1};
  }

  void matmul() {
    const Value in = pick();
    const int64_t inner = in.shape.back(), outer = 2 + static_cast<int64_t>(below(6));
    if (in.bound * static_cast<double>(inner) > kMostExact) return;
    Value out = in;
    out.name = fresh();
    out.shape.back() = outer;
    out.bound = in.bound * static_cast<double>(inner);
    node("MatMul", {in.name, weight({inner, outer}).name}, {out.name});
    result(out);
  }

  void softmax() {
    const Value in = pick();
    Value out = in;
    out.name = fresh();
    out.exact = false;
    out.bound = 1;
    ModelBuilder::set_int(node("Softmax", {in.name}, {out.name}), "axis", -1);
    result(out);
  }

  void reduce() {
    const Value in = pick();
    const double size = static_cast<double>(in.shape.back());
    const bool sum = below(2) == 0;
    if (sum && in.bound * size > kMostExact) return;
    Value out = in;
    out.name = fresh();
    out.shape.back() = 1;
    if (sum) {
      out.bound *= size;
      constant("last_axis", {-1});
      node("ReduceSum", {in.name, "last_axis"}, {out.name});
    } else {
      set_ints(node("ReduceMax", {in.name}, {out.name}), "axes", {-1});
    }
    result(out);
  }

  void constant(const std::string& name, const std::vector<int64_t>& values) {
    if (weights_.insert(name).second) builder_.integers(name, values);
  }

  void transpose() {
    const Value in = pick();
    if (in.shape.size() != 3) return;
    Value out = in;
    out.name = fresh();
    std::swap(out.shape[1], out.shape[2]);
    set_ints(node("Transpose", {in.name}, {out.name}), "perm", {0, 2, 1});
    result(out);
  }

  // Between [batch, a, b] and [batch, a * b]; 0 keeps the leading axis.
  void reshape() {
    const Value in = pick();
    Value out = in;
    out.name = fresh();
    if (in.shape.size() == 3) {
      constant("flat", {0, -1});
      out.shape = {in.shape[0], in.shape[1] * in.shape[2]};
      node("Reshape", {in.name, "flat"}, {out.name});
    } else {
      if (in.shape.back() % 2 != 0) return;
      constant("pairs", {0, -1, 2});
      out.shape = {in.shape[0], in.shape[1] / 2, 2};
      node("Reshape", {in.name, "pairs"}, {out.name});
    }
    result(out);
  }

  void concat() {
    const Value a = pick();
    if (a.shape.back() > 24) return;
    const Value b = like(a);
    if (b.shape != a.shape) return;
    Value out = a;
    out.name = fresh();
    out.shape.back() *= 2;
    out.exact = a.exact && b.exact;
    out.bound = std::max(a.bound, b.bound);
    ModelBuilder::set_int(node("Concat", {a.name, b.name}, {out.name}), "axis", -1);
    result(out);
  }

  void split() {
    const Value in = pick();
    if (in.shape.back() < 4 || in.shape.back() % 2 != 0) return;
    Value left = in;
    left.shape.back() /= 2;
    Value right = left;
    left.name = fresh();
    right.name = fresh();
    ModelBuilder::set_int(node("Split", {in.name}, {left.name, right.name}), "axis", -1);
    result(left);
    result(right);
  }

  // What jumps is asked of exact values only: elsewhere the last bit would decide.
  void compare_and_choose() {
    const Value a = pick();
    if (!a.exact) return;
    const Value b = like(a);
    if (!b.exact) return;
    Value mask{fresh(), kBool, a.shape, true, 1};
    node("Greater", {a.name, b.name}, {mask.name});
    result(mask);
    const Value other = like(a);
    Value out = a;
    out.name = fresh();
    out.exact = a.exact && other.exact;
    out.bound = std::max(a.bound, other.bound);
    node("Where", {mask.name, a.name, other.name}, {out.name});
    result(out);
  }

  void through_integers() {
    const Value in = pick();
    if (!in.exact) return;
    Value whole = in;
    whole.name = fresh();
    whole.type = kI64;
    ModelBuilder::set_int(node("Cast", {in.name}, {whole.name}), "to", kI64);
    result(whole);
    Value out = in;
    out.name = fresh();
    ModelBuilder::set_int(node("Cast", {whole.name}, {out.name}), "to", kF32);
    result(out);
  }

  // Both branches read values from outside.
  void branch() {
    const Value a = pick(), b = like(a);
    if (b.shape != a.shape || !a.exact) return;
    Value peak{fresh(), kF32, {}, true, a.bound}, positive{fresh(), kBool, {}, true, 1};
    ModelBuilder::set_int(node("ReduceMax", {a.name}, {peak.name}), "keepdims", 0);
    if (weights_.insert("zero").second) builder_.weight("zero", {}, {0});
    node("Greater", {peak.name, "zero"}, {positive.name});
    Value out = a;
    out.name = fresh();
    out.exact = a.exact && b.exact;
    out.bound = std::max(a.bound, b.bound);
    onnx::NodeProto& choice = node("If", {positive.name}, {out.name});
    const auto arm = [&](const char* attribute, const char* op, const std::string& reads) {
      onnx::GraphProto& body = ModelBuilder::set_graph(choice, attribute);
      auto& inner = *body.add_node();
      inner.set_op_type(op);
      inner.set_name(out.name + "_" + attribute + "_node");
      inner.add_input(reads);
      inner.add_output(out.name + "_" + attribute);
      std::vector<int64_t> shape = a.shape;
      if (symbolic_) shape[0] = -1;
      ModelBuilder::fill_info(*body.add_output(), out.name + "_" + attribute, kF32, shape, {"batch"});
      unread_.erase(reads);
    };
    arm("then_branch", "Neg", a.name);
    arm("else_branch", "Abs", b.name);
    result(out);
  }

  void add_node() {
    using Add = void (Generator::*)();
    static constexpr std::pair<Add, uint64_t> kKinds[] = {{&Generator::unary, 5},
                                                          {&Generator::binary, 8},
                                                          {&Generator::matmul, 3},
                                                          {&Generator::softmax, 1},
                                                          {&Generator::reduce, 2},
                                                          {&Generator::transpose, 2},
                                                          {&Generator::reshape, 2},
                                                          {&Generator::concat, 2},
                                                          {&Generator::split, 2},
                                                          {&Generator::compare_and_choose, 2},
                                                          {&Generator::through_integers, 1},
                                                          {&Generator::branch, 1}};
    uint64_t total = 0;
    for (const auto& kind : kKinds) total += kind.second;
    const size_t before = model_.nodes.size();
    while (model_.nodes.size() == before) {
      uint64_t at = below(total);
      for (const auto& [add, share] : kKinds) {
        if (at < share) {
          (this->*add)();
          break;
        }
        at -= share;
      }
    }
  }

  std::mt19937_64 random_;
  const bool symbolic_;
  const uint64_t batch_;
  ModelBuilder builder_;
  RandomModel model_;
  std::vector<Value> values_;
  std::set<std::string> unread_, weights_;
  size_t next_value_ = 0;
};

}  // namespace

RandomModel random_model(uint64_t seed) { return Generator(seed).make(); }

}  // namespace axle::conformance
