#include "pim_program.h"

#include <cstring>
#include <map>

namespace axle::pim {
namespace {

constexpr int32_t kInt8 = 3;

std::string kernel_text(const Judged& judged) {
  std::string text = std::string(kModelName) + ": ";
  switch (judged.kind) {
    case Kind::kProduct: text += "GEMV of f32 in software"; break;
    case Kind::kIntegerProduct: text += "GEMV of bytes, sums of 32 bits"; break;
    case Kind::kLookup: text += "table lookup"; break;
    default: return text + "element by element";
  }
  return text + ", " + std::to_string(judged.layout.rows) + " rows in " + std::to_string(judged.layout.banks) + " banks";
}

class Builder {
 public:
  Builder(const Geometry& geometry, const kit::Graph& graph, std::string_view precision)
      : graph_(graph), judge_(program_.geometry, precision) {
    program_.geometry = geometry;
  }

  Program build() {
    for (uint32_t i = 0; i < graph_.input_count(); ++i) {
      program_.inputs.push_back(kit::to_io_spec(graph_.input(i)));
      new_slot(program_.inputs.back().name);
    }
    program_.first_weight_slot = program_.slot_count;
    for (uint32_t i = 0; i < graph_.weight_count(); ++i) {
      program_.weights.push_back(graph_.weight(i));
      new_slot(program_.weights.back().name());
    }
    for (const kit::Node& node : graph_.nodes()) add_step(node);
    for (uint32_t i = 0; i < graph_.output_count(); ++i) {
      const kit::Value value = graph_.output(i);
      program_.outputs.push_back(kit::to_io_spec(value));
      program_.output_slots.push_back(slot_of(value));
    }
    return std::move(program_);
  }

 private:
  int32_t new_slot(std::string_view name) {
    slots_.emplace(std::string(name), program_.slot_count);
    return program_.slot_count++;
  }

  int32_t slot_of(const kit::Value& value) const {
    const auto found = slots_.find(value.value_name());
    if (found == slots_.end())
      throw kit::invalid_argument("value '" + std::string(value.value_name()) + "' is used before it is made");
    return found->second;
  }

  const kit::Weight& weight_of(const kit::Value& value) const {
    const int32_t index = slot_of(value) - program_.first_weight_slot;
    if (index < 0 || static_cast<size_t>(index) >= program_.weights.size())
      throw kit::internal("'" + std::string(value.value_name()) + "' is no weight");
    return program_.weights[static_cast<size_t>(index)];
  }

  void add_step(const kit::Node& node) {
    Judged judged = judge_.judge(node);
    if (judged.refusal) {
      throw kit::unimplemented("node '" + std::string(node.name()) + "' cannot run on pim: " + judged.refusal->text)
          .hint("choose another engine, or let the planner split the graph");
    }
    Step step;
    step.kind = judged.kind;
    step.node = node.name();
    step.kernel = kernel_text(judged);
    step.layout = judged.layout;
    step.weight = judged.weight;
    const uint32_t in_banks = judged.kind == Kind::kLookup ? 0 : 1;
    for (uint32_t i = 0; i < node.input_count() && i < step.inputs.size(); ++i) {
      const kit::Value value = node.input(i);
      if (!value.absent()) step.inputs[i] = slot_of(value);
      if (!is_elementwise(judged.kind) && i == in_banks) hold(judged, weight_of(value), step);
    }
    if (judged.kind == Kind::kIntegerProduct) step.b_zeros = zero_points(node);
    step.alpha = node.float_or("alpha", 1);
    step.beta = node.float_or("beta", 1);
    step.out = new_slot(node.output(0).value_name());
    program_.steps.push_back(std::move(step));
  }

  std::vector<int32_t> zero_points(const kit::Node& node) const {
    if (node.input_count() < 4 || node.input(3).absent()) return {0};
    const kit::Weight& weight = weight_of(node.input(3));
    std::vector<int32_t> zeros;
    for (size_t i = 0; i < weight.size_bytes(); ++i) {
      const auto byte = static_cast<const uint8_t*>(weight.data())[i];
      zeros.push_back(weight.dtype() == kInt8 ? static_cast<int8_t>(byte) : static_cast<int32_t>(byte));
    }
    return zeros;
  }

  void hold(const Judged& judged, const kit::Weight& weight, Step& step) {
    const uint64_t needed = static_cast<uint64_t>(judged.weight.rows) * judged.weight.row_bytes();
    if (weight.size_bytes() < needed) throw kit::invalid_argument("weight '" + std::string(weight.name()) + "' is cut short");
    step.image = static_cast<int32_t>(program_.images.size());
    step.weight_is_signed = weight.dtype() == kInt8;
    step.row_shape.assign(weight.shape().begin() + 1, weight.shape().end());
    program_.images.push_back(lay_out(judged.layout, judged.weight, judged.weight_transposed && judged.kind != Kind::kLookup,
                                      static_cast<const std::byte*>(weight.data())));
    program_.residence += residence_cost(program_.geometry, judged.layout);
  }

  Program program_;
  const kit::Graph& graph_;
  Judge judge_;
  std::map<std::string, int32_t, std::less<>> slots_;
};

}  // namespace

std::vector<std::byte> lay_out(const Layout& layout, const Matrix& weight, bool transposed, const std::byte* tensor) {
  std::vector<std::byte> image(layout.moved_bytes());
  const uint64_t element = weight.element_bytes, padded = layout.padded_row_bytes();
  for (int64_t r = 0; r < weight.rows; ++r) {
    // Rows of one bank lie one after the other, and banks do too.
    std::byte* row = image.data() + static_cast<uint64_t>(r) * padded;
    if (!transposed) {
      std::memcpy(row, tensor + static_cast<uint64_t>(r) * weight.row_bytes(), weight.row_bytes());
      continue;
    }
    for (int64_t k = 0; k < weight.length; ++k)
      std::memcpy(row + static_cast<uint64_t>(k) * element, tensor + static_cast<uint64_t>(k * weight.rows + r) * element,
                  element);
  }
  return image;
}

Program build(const Geometry& geometry, const kit::Graph& graph, std::string_view precision) {
  check_precision(precision);
  return Builder(geometry, graph, precision).build();
}

}  // namespace axle::pim
