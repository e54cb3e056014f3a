// What stands for a vendor library: a graph turned into steps over numbered slots, run one after the other on f32.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "axle/engine_kit.h"

namespace axle::null_engine {

enum class Op : uint8_t { kIdentity, kAdd, kSub, kMul, kRelu };

struct Step {
  Op op = Op::kIdentity;
  int32_t left = -1;   // slots
  int32_t right = -1;
  int32_t out = -1;
};

// Slots are numbered: model inputs, then weights, then the outputs of steps.
struct Program {
  std::vector<kit::IoSpec> inputs;
  std::vector<kit::IoSpec> outputs;
  std::vector<int32_t> output_slots;  // one per output
  std::vector<kit::Weight> weights;
  std::vector<Step> steps;
  int32_t slot_count = 0;
  int32_t first_weight_slot = 0;
};

// nullopt when it can run `node`, else why not.
std::optional<kit::Verdict> refusal(const kit::Node& node);

// Throws UNIMPLEMENTED for a node that `refusal` refuses.
Program build(const kit::Graph& graph);

// The artefact: one line per step, after a line that names the graph.
std::string to_text(const Program& program, std::string_view digest);

// A tensor in flight. Shapes live in the machine and keep their capacity between runs.
struct Slot {
  std::vector<int64_t> shape;
  const float* data = nullptr;
  int64_t count = 0;
};

// Runs a program for one caller. Allocates when it first sees a shape, not afterwards.
class Machine {
 public:
  Machine(kit::Host host, const Program& program, int64_t block);

  void set_input(uint32_t index, const axle_tensor_t& tensor);
  void run(const kit::Cancel& cancel, const kit::Profile& profile);
  const Slot& output(uint32_t index) const { return slots_[static_cast<size_t>(program_.output_slots[index])]; }
  uint64_t memory_bytes() const noexcept { return memory_bytes_; }

 private:
  void run_step(size_t index, const kit::Cancel& cancel);
  float* reserve(size_t step, int64_t count);
  void compute(Op op, const Slot& left, const Slot& right, const Slot& out, float* to, const kit::Cancel& cancel);

  kit::Host host_;
  const Program& program_;
  int64_t block_;
  std::vector<Slot> slots_;
  std::vector<kit::HostBuffer> buffers_;  // one per step
  std::vector<kit::HostBuffer> aligned_weights_;
  uint64_t memory_bytes_ = 0;
};

}  // namespace axle::null_engine
