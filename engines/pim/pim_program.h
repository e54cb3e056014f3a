// A graph as steps over numbered slots, with the weights laid out as they would lie in the banks, and a machine that runs the
// steps bank by bank on the host. It computes exactly; what it counts is what the modelled device would move and wait for.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "axle/engine_kit.h"
#include "bank_model.h"
#include "pim_support.h"

namespace axle::pim {

struct Step {
  Kind kind = Kind::kIdentity;
  std::array<int32_t, 4> inputs = {-1, -1, -1, -1};  // slots; -1 = left out
  int32_t out = -1;
  int32_t image = -1;  // of products and lookups: in Program::images
  Layout layout;
  Matrix weight;
  std::vector<int64_t> row_shape;  // of a lookup: the table's axes after the first
  float alpha = 1, beta = 1;
  bool weight_is_signed = false;  // of integer products
  std::vector<int32_t> b_zeros;  // likewise: the weight's zero point, one or one for each row
  std::string node;
  std::string kernel;  // what the user is told
};

// Slots are numbered: model inputs, then weights, then the outputs of steps.
struct Program {
  Geometry geometry;
  std::vector<kit::IoSpec> inputs;
  std::vector<kit::IoSpec> outputs;
  std::vector<int32_t> output_slots;  // one per output
  std::vector<kit::Weight> weights;
  std::vector<Step> steps;
  std::vector<std::vector<std::byte>> images;  // bank i of one: bank_bytes() bytes from i * bank_bytes()
  Cost residence;  // sending the images, once
  int32_t slot_count = 0;
  int32_t first_weight_slot = 0;
};

// Throws UNIMPLEMENTED naming the node for one that Judge refuses.
Program build(const Geometry& geometry, const kit::Graph& graph, std::string_view precision);

// Rows as the tensor holds them, or its columns where `transposed`, in the order and with the padding of the banks.
std::vector<std::byte> lay_out(const Layout& layout, const Matrix& weight, bool transposed, const std::byte* tensor);

// A tensor in flight. Shapes keep their capacity between runs.
struct Slot {
  std::vector<int64_t> shape;
  int32_t dtype = 0;
  const void* data = nullptr;
  int64_t count = 0;
  size_t size_bytes() const { return static_cast<size_t>(count) * static_cast<size_t>(kit::data_type_bits(dtype)) / 8; }
};

// Runs a program for one caller. Allocates when it first sees a shape, not afterwards.
class Machine {
 public:
  Machine(kit::Host host, const Program& program);

  void set_input(uint32_t index, const axle_tensor_t& tensor);
  void run(const kit::Cancel& cancel, const kit::Profile& profile);
  const Slot& output(uint32_t index) const { return slots_[static_cast<size_t>(program_.output_slots[index])]; }
  const Cost& last_run() const noexcept { return run_cost_; }

 private:
  Cost run_step(size_t index, const kit::Cancel& cancel);
  Cost product(size_t index, const kit::Cancel& cancel);
  // The results of one bank for one vector.
  void float_bank(const Step& step, int64_t bank, const Slot& a, int64_t vector, float* results) const;
  void integer_bank(const Step& step, int64_t bank, const Slot& a, int64_t vector, int32_t* results) const;
  Cost lookup(size_t index, const kit::Cancel& cancel);
  Cost elementwise(size_t index, const kit::Cancel& cancel);
  // The output of a step, its shape set.
  std::byte* reserve(size_t step, Slot& out, int32_t dtype);
  const Slot* given(const Step& step, size_t index) const;
  const Slot& slot(int32_t index) const { return slots_[static_cast<size_t>(index)]; }

  kit::Host host_;
  const Program& program_;
  std::vector<Slot> slots_;
  std::vector<kit::HostBuffer> buffers_;  // one per step
  std::vector<kit::HostBuffer> aligned_weights_;
  std::vector<int64_t> asked_;  // lookups in each bank
  Cost run_cost_;
};

}  // namespace axle::pim
