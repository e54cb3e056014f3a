#include "null_program.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>

namespace axle::null_engine {
namespace {

constexpr int32_t kFloat32 = 1;
constexpr size_t kMaxRank = kit::kMostBroadcastAxes;

struct OpRow {
  std::string_view name;
  Op op;
  uint32_t inputs;
};
constexpr OpRow kOps[] = {
    {"Identity", Op::kIdentity, 1}, {"Add", Op::kAdd, 2}, {"Sub", Op::kSub, 2}, {"Mul", Op::kMul, 2}, {"Relu", Op::kRelu, 1}};

const OpRow* find_op(std::string_view name) {
  const auto* found = std::find_if(std::begin(kOps), std::end(kOps), [&](const OpRow& row) { return row.name == name; });
  return found == std::end(kOps) ? nullptr : found;
}

kit::Verdict no(std::string code, std::string text) { return {kit::VerdictKind::kNo, std::move(code), std::move(text), -1}; }

float apply(Op op, float a, float b) {
  switch (op) {
    case Op::kAdd: return a + b;
    case Op::kSub: return a - b;
    case Op::kMul: return a * b;
    case Op::kRelu: return a > 0 ? a : (a < 0 ? 0 : a);  // keeps NaN
    case Op::kIdentity: break;
  }
  return a;
}

}  // namespace

std::optional<kit::Verdict> refusal(const kit::Node& node) {
  if (!node.domain().empty()) return no("DOMAIN", "only operators of ai.onnx");
  const OpRow* row = find_op(node.op_type());
  if (row == nullptr) return no("UNSUPPORTED_OP", std::string(node.op_type()) + " is none of Identity, Add, Sub, Mul, Relu");
  if (node.opset() < 7) return no("OPSET", "broadcasting before opset 7 is not implemented");
  if (node.input_count() != row->inputs || node.output_count() != 1) return no("OTHER", "wrong number of inputs or outputs");
  for (uint32_t i = 0; i < node.input_count(); ++i) {
    const kit::Value value = node.input(i);
    if (value.absent()) return no("OTHER", "an input is left out");
    if (value.dtype != 0 && value.dtype != kFloat32) {
      return no("DTYPE",
                "input " + std::to_string(i) + " is " + std::string(kit::data_type_name(value.dtype)) + ", wanted f32");
    }
    if (value.rank > static_cast<int32_t>(kMaxRank)) return no("RANK", "more than 8 axes");
  }
  return std::nullopt;
}

Program build(const kit::Graph& graph) {
  Program program;
  std::map<std::string, int32_t, std::less<>> slot_of;
  const auto new_slot = [&](std::string_view name) {
    slot_of.emplace(std::string(name), program.slot_count);
    return program.slot_count++;
  };
  for (uint32_t i = 0; i < graph.input_count(); ++i) {
    program.inputs.push_back(kit::to_io_spec(graph.input(i)));
    new_slot(program.inputs.back().name);
  }
  program.first_weight_slot = program.slot_count;
  for (uint32_t i = 0; i < graph.weight_count(); ++i) {
    program.weights.push_back(graph.weight(i));
    new_slot(program.weights.back().name());
  }
  const auto slot = [&](const kit::Value& value) {
    const auto found = slot_of.find(value.value_name());
    if (found == slot_of.end())
      throw kit::invalid_argument("value '" + std::string(value.value_name()) + "' is used before it is made");
    return found->second;
  };
  for (const kit::Node& node : graph.nodes()) {
    if (const auto refused = refusal(node)) {
      throw kit::unimplemented("node '" + std::string(node.name()) + "' cannot run on null: " + refused->text)
          .hint("choose another engine, or let the planner split the graph");
    }
    const OpRow* row = find_op(node.op_type());
    Step step{row->op, slot(node.input(0)), row->inputs == 2 ? slot(node.input(1)) : -1, -1};
    step.out = new_slot(node.output(0).value_name());
    program.steps.push_back(step);
  }
  for (uint32_t i = 0; i < graph.output_count(); ++i) {
    const kit::Value value = graph.output(i);
    program.outputs.push_back(kit::to_io_spec(value));
    program.output_slots.push_back(slot(value));
  }
  for (const auto* specs : {&program.inputs, &program.outputs}) {
    for (const kit::IoSpec& spec : *specs) {
      if (spec.dtype != kFloat32) throw kit::unimplemented("'" + spec.name + "' is not f32; null runs only f32");
    }
  }
  return program;
}

std::string to_text(const Program& program, std::string_view digest) {
  std::string out = "null-program 1 " + std::string(digest) + "\n";
  for (const Step& step : program.steps) {
    out += std::to_string(static_cast<int>(step.op)) + ' ' + std::to_string(step.left) + ' ' + std::to_string(step.right) +
           ' ' + std::to_string(step.out) + '\n';
  }
  return out;
}

Machine::Machine(kit::Host host, const Program& program, int64_t block)
    : host_(host), program_(program), block_(block), slots_(static_cast<size_t>(program.slot_count)),
      buffers_(program.steps.size()) {
  for (Slot& slot : slots_) slot.shape.reserve(kMaxRank);
  for (size_t i = 0; i < program.weights.size(); ++i) {
    const kit::Weight& weight = program.weights[i];
    Slot& slot = slots_[static_cast<size_t>(program.first_weight_slot) + i];
    slot.shape.assign(weight.shape().begin(), weight.shape().end());
    slot.data = static_cast<const float*>(weight.data());
    slot.count = static_cast<int64_t>(weight.size_bytes() / sizeof(float));
    if (reinterpret_cast<uintptr_t>(weight.data()) % alignof(float) == 0) continue;
    aligned_weights_.emplace_back(host_, weight.size_bytes());  // a mapped file aligns nothing
    std::memcpy(aligned_weights_.back().data(), weight.data(), weight.size_bytes());
    slot.data = static_cast<const float*>(aligned_weights_.back().data());
  }
}

void Machine::set_input(uint32_t index, const axle_tensor_t& tensor) {
  Slot& slot = slots_[index];
  slot.shape.assign(tensor.shape, tensor.shape + tensor.rank);
  slot.data = static_cast<const float*>(tensor.data);
  slot.count = 1;
  for (const int64_t size : slot.shape) slot.count *= size;
}

float* Machine::reserve(size_t step, int64_t count) {
  const size_t needed = static_cast<size_t>(count) * sizeof(float);
  kit::HostBuffer& buffer = buffers_[step];
  if (buffer.data() == nullptr || buffer.size_bytes() < needed) {
    memory_bytes_ -= buffer.size_bytes();
    buffer = kit::HostBuffer();
    buffer = kit::HostBuffer(host_, needed);
    memory_bytes_ += needed;
  }
  return static_cast<float*>(buffer.data());
}

void Machine::compute(Op op, const Slot& left, const Slot& right, const Slot& out, float* to, const kit::Cancel& cancel) {
  kit::BroadcastWalk at(left.shape, right.shape, out.shape);
  for (int64_t done = 0; done < out.count; ++done, at.next()) {
    if (done % block_ == 0) cancel.check();
    to[done] = apply(op, left.data[at.left()], right.data[at.right()]);
  }
}

void Machine::run_step(size_t index, const kit::Cancel& cancel) {
  const Step& step = program_.steps[index];
  const Slot& left = slots_[static_cast<size_t>(step.left)];
  const Slot& right = step.right < 0 ? left : slots_[static_cast<size_t>(step.right)];
  Slot& out = slots_[static_cast<size_t>(step.out)];
  kit::broadcast_shape(left.shape, right.shape, out.shape);
  out.count = 1;
  for (const int64_t size : out.shape) out.count *= size;
  float* to = reserve(index, out.count);
  out.data = to;
  compute(step.op, left, right, out, to, cancel);
}

void Machine::run(const kit::Cancel& cancel, const kit::Profile& profile) {
  cancel.check();
  for (size_t i = 0; i < program_.steps.size(); ++i) {
    const auto start = std::chrono::steady_clock::now();
    run_step(i, cancel);
    if (profile.on()) {
      const auto duration = std::chrono::steady_clock::now() - start;
      profile.event("step", "kernel", start.time_since_epoch().count(), duration.count());
    }
  }
}

}  // namespace axle::null_engine
