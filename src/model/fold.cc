#include "model/fold.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <optional>
#include <string_view>

#include "base/checked.h"
#include "model/attributes.h"
#include "model/onnx_tensor.h"

namespace axle {
namespace {

constexpr int64_t kMaxElements = 1024;
constexpr size_t kMaxRank = 8;

using Folded = std::optional<FoldedTensor>;

int64_t count_of(const Shape& shape) {
  int64_t count = 1;
  for (const int64_t size : shape) {
    if (size < 0 || size > kMaxElements) return kMaxElements + 1;
    count *= size;
    if (count > kMaxElements) return kMaxElements + 1;
  }
  return count;
}

std::optional<int64_t> normal_axis(int64_t axis, size_t rank) {
  const auto signed_rank = static_cast<int64_t>(rank);
  if (axis < 0) axis += signed_rank;
  return axis >= 0 && axis < signed_rank ? std::optional(axis) : std::nullopt;
}

// A tensor of `shape` whose element at each multi-index is what `source` names in `from`.
FoldedTensor gather_by_index(const FoldedTensor& from, const Shape& shape, const std::function<int64_t(const Shape&)>& source) {
  FoldedTensor out{from.dtype, shape, {}};
  const int64_t count = count_of(shape);
  Shape index(shape.size(), 0);
  for (int64_t i = 0; i < count; ++i) {
    out.values.push_back(from.values[static_cast<size_t>(source(index))]);
    for (size_t axis = shape.size(); axis-- > 0;) {
      if (++index[axis] < shape[axis]) break;
      index[axis] = 0;
    }
  }
  return out;
}

Shape strides_of(const Shape& shape) {
  Shape strides(shape.size(), 1);
  for (size_t axis = shape.size(); axis-- > 1;) strides[axis - 1] = strides[axis] * shape[axis];
  return strides;
}

class Folder {
 public:
  Folder(const Graph& graph, FoldedValues& folded) : graph_(graph), folded_(folded) {}

  void run() {
    for (const Node& node : graph_.nodes) {
      if (!node.domain.empty() || node.outputs.size() != 1 || node.outputs[0] < 0 || folded_.contains(node.outputs[0]))
        continue;
      node_ = &node;
      Folded result = evaluate();
      const bool fits =
          result && result->shape.size() <= kMaxRank && count_of(result->shape) == static_cast<int64_t>(result->values.size());
      if (fits && (result->dtype == DataType::kInt64 || result->dtype == DataType::kInt32))
        folded_.emplace(node.outputs[0], *std::move(result));
    }
  }

 private:
  Folded input(size_t index) const {
    if (index >= node_->inputs.size() || node_->inputs[index] < 0) return std::nullopt;
    const ValueId id = node_->inputs[index];
    if (const auto found = folded_.find(id); found != folded_.end()) return found->second;
    const Value& value = graph_.values[id];
    if (value.weight < 0 || (value.dtype != DataType::kInt64 && value.dtype != DataType::kInt32)) return std::nullopt;
    const Weight& weight = *graph_.weights[value.weight];
    if (count_of(weight.shape) > kMaxElements || weight.shape.size() > kMaxRank) return std::nullopt;
    return FoldedTensor{weight.dtype, weight.shape, integers_of(weight, kMaxElements)};
  }

  bool has_input(size_t index) const { return index < node_->inputs.size() && node_->inputs[index] >= 0; }

  // An input that older opsets keep in an attribute.
  std::optional<std::vector<int64_t>> list(size_t index, const char* attribute) const {
    if (has_input(index)) {
      const Folded found = input(index);
      return found ? std::optional(found->values) : std::nullopt;
    }
    return ints_attribute(*node_, attribute);
  }

  Folded evaluate() {
    const std::string_view op = node_->op_type;
    if (op == "Shape") return shape();
    if (op == "Size") return size();
    if (op == "ConstantOfShape") return constant_of_shape();
    if (op == "Concat") return concat();
    if (op == "Range") return range();
    Folded x = input(0);
    if (!x || op == "Identity") return x;
    if (op == "Cast") return cast(*x);
    if (op == "Reshape") return reshape(*x);
    if (op == "Squeeze" || op == "Unsqueeze") return change_axes(*x, op == "Unsqueeze");
    if (op == "Transpose") return transpose(*x);
    if (op == "Gather") return gather(*x);
    if (op == "Slice") return slice(*x);
    if (op == "Neg") return map(*x, [](int64_t a) { return checked_sub<int64_t>(0, a); });
    if (op == "Add" || op == "Sub" || op == "Mul" || op == "Div" || op == "Mod" || op == "Max" || op == "Min")
      return combine(*x, op);
    if (op == "ReduceProd" && x->shape.size() <= 1) return product(*x);
    return std::nullopt;
  }

  Folded shape() const {
    const Value& value = graph_.values[node_->inputs.empty() || node_->inputs[0] < 0 ? 0 : node_->inputs[0]];
    if (!has_input(0) || !value.rank_known) return std::nullopt;
    const auto rank = static_cast<int64_t>(value.shape.size());
    const auto clamp = [&](int64_t axis) { return std::clamp<int64_t>(axis < 0 ? axis + rank : axis, 0, rank); };
    const int64_t start = clamp(int_attribute(*node_, "start", 0)), end = clamp(int_attribute(*node_, "end", rank));
    FoldedTensor out;
    for (int64_t axis = start; axis < end; ++axis) {
      const Dim& dim = value.shape[static_cast<size_t>(axis)];
      if (!dim.is_static()) return std::nullopt;
      out.values.push_back(dim.size);
    }
    out.shape = {static_cast<int64_t>(out.values.size())};
    return out;
  }

  Folded size() const {
    if (!has_input(0) || !graph_.values[node_->inputs[0]].rank_known) return std::nullopt;
    Shape sizes;
    for (const Dim& dim : graph_.values[node_->inputs[0]].shape) sizes.push_back(dim.size);
    const auto count = element_count(sizes);
    return count ? Folded(FoldedTensor{DataType::kInt64, {}, {*count}}) : std::nullopt;
  }

  // Only integer fills are of use here; the attribute's tensor is read through Attribute::ints.
  Folded constant_of_shape() const {
    const Folded x = input(0);
    const Attribute* value = find_attribute(*node_, "value");
    if (!x || value == nullptr || value->kind != AttributeKind::kTensor || value->ints.size() != 1) return std::nullopt;
    const int64_t count = count_of(x->values);
    if (count > kMaxElements) return std::nullopt;
    return FoldedTensor{DataType::kInt64, x->values, std::vector<int64_t>(static_cast<size_t>(count), value->ints[0])};
  }

  Folded concat() const {
    if (node_->inputs.empty()) return std::nullopt;
    FoldedTensor out;
    for (size_t i = 0; i < node_->inputs.size(); ++i) {
      const Folded part = input(i);
      if (!part || part->shape.size() != 1 || out.values.size() + part->values.size() > static_cast<size_t>(kMaxElements))
        return std::nullopt;
      out.dtype = part->dtype;
      out.values.insert(out.values.end(), part->values.begin(), part->values.end());
    }
    out.shape = {static_cast<int64_t>(out.values.size())};
    return out;
  }

  Folded range() const {
    const Folded start = input(0), limit = input(1), delta = input(2);
    if (!start || !limit || !delta || start->values.size() != 1 || limit->values.size() != 1 || delta->values.size() != 1)
      return std::nullopt;
    const int64_t step = delta->values[0];
    FoldedTensor out{start->dtype, {}, {}};
    for (std::optional<int64_t> at = start->values[0];
         at && step != 0 && (step > 0 ? *at < limit->values[0] : *at > limit->values[0]); at = checked_add(*at, step)) {
      if (out.values.size() == static_cast<size_t>(kMaxElements)) return std::nullopt;
      out.values.push_back(*at);
    }
    out.shape = {static_cast<int64_t>(out.values.size())};
    return step == 0 ? std::nullopt : Folded(out);
  }

  Folded cast(FoldedTensor x) const {
    x.dtype = static_cast<DataType>(int_attribute(*node_, "to", 0));
    const bool fits = x.dtype != DataType::kInt32 || std::all_of(x.values.begin(), x.values.end(), [](int64_t v) {
                        return checked_narrow<int32_t>(v).has_value();
                      });
    return fits ? Folded(std::move(x)) : std::nullopt;
  }

  Folded reshape(FoldedTensor x) const {
    const Folded target = input(1);
    if (!target || int_attribute(*node_, "allowzero", 0) != 0) return std::nullopt;
    Shape shape = target->values;
    int64_t known = 1;
    std::optional<size_t> open;
    for (size_t i = 0; i < shape.size(); ++i) {
      if (shape[i] == 0 && i < x.shape.size()) shape[i] = x.shape[i];
      if (shape[i] == -1)
        open = i;
      else
        known = checked_mul(known, shape[i]).value_or(0);
    }
    if (open) shape[*open] = known > 0 ? static_cast<int64_t>(x.values.size()) / known : 0;
    x.shape = std::move(shape);
    return x;
  }

  Folded change_axes(FoldedTensor x, bool add) const {
    const auto axes = list(1, "axes");
    if (!axes) return std::nullopt;
    const size_t rank = add ? x.shape.size() + axes->size() : x.shape.size();
    if (rank > kMaxRank) return std::nullopt;
    std::vector<bool> marked(rank, false);
    for (const int64_t axis : *axes) {
      const auto place = normal_axis(axis, rank);
      if (!place) return std::nullopt;
      marked[static_cast<size_t>(*place)] = true;
    }
    Shape shape;
    size_t next = 0;
    for (size_t axis = 0; axis < rank; ++axis) {
      if (add) {
        shape.push_back(marked[axis] || next == x.shape.size() ? 1 : x.shape[next++]);
      } else if (axes->empty() ? x.shape[axis] != 1 : !marked[axis]) {
        shape.push_back(x.shape[axis]);
      }
    }
    x.shape = std::move(shape);
    return x;
  }

  Folded transpose(const FoldedTensor& x) const {
    std::vector<int64_t> order = ints_attribute(*node_, "perm");
    if (order.empty()) {
      order.resize(x.shape.size());
      std::iota(order.rbegin(), order.rend(), 0);
    }
    std::vector<int64_t> sorted = order;
    std::sort(sorted.begin(), sorted.end());
    for (size_t i = 0; i < sorted.size(); ++i) {
      if (sorted.size() != x.shape.size() || sorted[i] != static_cast<int64_t>(i)) return std::nullopt;
    }
    Shape shape;
    for (const int64_t axis : order) shape.push_back(x.shape[static_cast<size_t>(axis)]);
    const Shape strides = strides_of(x.shape);
    return gather_by_index(x, shape, [&](const Shape& index) {
      int64_t place = 0;
      for (size_t i = 0; i < index.size(); ++i) place += index[i] * strides[static_cast<size_t>(order[i])];
      return place;
    });
  }

  // Rows of axis 0, which is what shape arithmetic uses.
  Folded gather(const FoldedTensor& x) const {
    const Folded indices = input(1);
    if (!indices || x.shape.empty() || normal_axis(int_attribute(*node_, "axis", 0), x.shape.size()) != 0) return std::nullopt;
    const int64_t row = x.shape[0] == 0 ? 0 : static_cast<int64_t>(x.values.size()) / x.shape[0];
    FoldedTensor out{x.dtype, indices->shape, {}};
    out.shape.insert(out.shape.end(), x.shape.begin() + 1, x.shape.end());
    if (count_of(out.shape) > kMaxElements) return std::nullopt;
    for (const int64_t wanted : indices->values) {
      const int64_t place = wanted < 0 ? wanted + x.shape[0] : wanted;
      if (place < 0 || place >= x.shape[0]) return std::nullopt;
      out.values.insert(out.values.end(), x.values.begin() + place * row, x.values.begin() + (place + 1) * row);
    }
    return out;
  }

  Folded slice(const FoldedTensor& x) const {
    const auto starts = list(1, "starts"), ends = list(2, "ends"), axes = list(3, "axes"), steps = list(4, "steps");
    if (!starts || !ends || !axes || !steps || starts->size() != ends->size()) return std::nullopt;
    Shape first(x.shape.size(), 0), step(x.shape.size(), 1), shape = x.shape;
    for (size_t i = 0; i < starts->size(); ++i) {
      const auto axis = normal_axis(i < axes->size() ? (*axes)[i] : static_cast<int64_t>(i), x.shape.size());
      if (!axis) return std::nullopt;
      const auto at = static_cast<size_t>(*axis);
      const int64_t by = i < steps->size() ? (*steps)[i] : 1, size = x.shape[at];
      if (by == 0 || by == INT64_MIN) return std::nullopt;
      const auto bound = [&](int64_t value, int64_t low, int64_t high) {
        return std::clamp(value < 0 ? checked_add(value, size).value_or(low) : value, low, high);
      };
      const int64_t from = by > 0 ? bound((*starts)[i], 0, size) : bound((*starts)[i], 0, size - 1);
      const int64_t to = by > 0 ? bound((*ends)[i], 0, size) : bound((*ends)[i], -1, size - 1);
      const int64_t distance = by > 0 ? to - from : from - to, stride = by > 0 ? by : -by;
      first[at] = from;
      step[at] = by;
      shape[at] = distance <= 0 ? 0 : (distance - 1) / stride + 1;
    }
    const Shape strides = strides_of(x.shape);
    return gather_by_index(x, shape, [&](const Shape& index) {
      int64_t place = 0;
      for (size_t i = 0; i < index.size(); ++i) place += (first[i] + index[i] * step[i]) * strides[i];
      return place;
    });
  }

  template <typename F>
  static Folded map(FoldedTensor x, const F& f) {
    for (int64_t& value : x.values) {
      const std::optional<int64_t> result = f(value);
      if (!result) return std::nullopt;
      value = *result;
    }
    return x;
  }

  static std::optional<int64_t> apply(std::string_view op, int64_t a, int64_t b) {
    if (op == "Add") return checked_add(a, b);
    if (op == "Sub") return checked_sub(a, b);
    if (op == "Mul") return checked_mul(a, b);
    if (op == "Max") return std::max(a, b);
    if (op == "Min") return std::min(a, b);
    if (b == 0 || (b == -1 && a == INT64_MIN)) return std::nullopt;
    if (op == "Div") return a / b;
    return a % b < 0 && b > 0 ? a % b + b : a % b;  // Mod takes the divisor's sign; negative divisors do not occur in shapes
  }

  // Equal shapes, or one side a single element.
  Folded combine(const FoldedTensor& x, std::string_view op) const {
    const Folded y = input(1);
    if (!y || node_->inputs.size() != 2) return std::nullopt;
    const bool x_single = x.values.size() == 1 && x.shape.size() <= y->shape.size(),
               y_single = y->values.size() == 1 && y->shape.size() <= x.shape.size();
    if (x.shape != y->shape && !x_single && !y_single) return std::nullopt;
    FoldedTensor out{x.dtype, y_single ? x.shape : y->shape, {}};
    for (size_t i = 0;
         i < std::max(x_single ? 0 : x.values.size(), y_single ? 0 : y->values.size()) + (x_single && y_single ? 1 : 0); ++i) {
      const auto result = apply(op, x.values[x_single ? 0 : i], y->values[y_single ? 0 : i]);
      if (!result) return std::nullopt;
      out.values.push_back(*result);
    }
    return out;
  }

  Folded product(const FoldedTensor& x) const {
    std::optional<int64_t> total = 1;
    for (const int64_t value : x.values) total = total ? checked_mul(*total, value) : total;
    if (!total) return std::nullopt;
    const bool keeps = int_attribute(*node_, "keepdims", 1) != 0;
    return FoldedTensor{x.dtype, keeps ? Shape(x.shape.size(), 1) : Shape{}, {*total}};
  }

  const Graph& graph_;
  FoldedValues& folded_;
  const Node* node_ = nullptr;
};

}  // namespace

void fold_integers(const Graph& graph, FoldedValues& folded) { Folder(graph, folded).run(); }

}  // namespace axle
