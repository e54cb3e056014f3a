// What a caller has bound to a context whose engine computes in memory of its own: checked when bound, copied to after a run.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "axle/engine_kit/tensor.h"

namespace axle::kit {

class BoundTensors {
 public:
  // The specs must outlive this.
  BoundTensors(const std::vector<IoSpec>& inputs, const std::vector<IoSpec>& outputs)
      : inputs_(inputs), outputs_(outputs), input_bound_(inputs.size()), destinations_(outputs.size()) {}

  // True: `tensor` fits and is the input from now on; false: there is none any more. Throws as check_tensor.
  bool bind_input(uint32_t index, const axle_tensor_t* tensor) {
    if (index >= inputs_.size()) throw invalid_argument("there is no input " + std::to_string(index));
    if (tensor != nullptr) check_tensor(inputs_[index], *tensor);
    input_bound_[index] = tensor != nullptr;
    return tensor != nullptr;
  }

  void bind_output(uint32_t index, const axle_tensor_t* tensor) {
    if (index >= outputs_.size()) throw invalid_argument("there is no output " + std::to_string(index));
    if (tensor != nullptr) check_tensor(outputs_[index], *tensor);
    destinations_[index] = tensor == nullptr ? Destination{} : Destination{tensor->data, tensor->size_bytes, true};
  }

  // Throws FAILED_PRECONDITION naming the first input that is not bound.
  void check_inputs() const {
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (!input_bound_[i]) throw failed_precondition("input '" + inputs_[i].name + "' is not bound");
    }
  }

  // Copies what was made to where the caller wants it, if anywhere. Throws OUT_OF_RANGE with required_bytes.
  void deliver(uint32_t index, const void* data, size_t size_bytes) {
    const Destination& to = destinations_[index];
    if (to.bound && to.size_bytes < size_bytes) {
      throw out_of_range("output '" + outputs_[index].name + "' needs " + std::to_string(size_bytes) + " bytes, " +
                         std::to_string(to.size_bytes) + " are bound")
          .required_bytes(size_bytes);
    }
    if (to.bound && size_bytes > 0) std::memcpy(to.data, data, size_bytes);
    delivered_ = true;
  }

  // Throws when there is no such output, or nothing was delivered yet.
  void check_output(uint32_t index) const {
    if (index >= outputs_.size()) throw invalid_argument("there is no output " + std::to_string(index));
    if (!delivered_) throw failed_precondition("output before the first run");
  }

  // A delivered output: in the caller's memory where that is bound, else at `data`. `shape` must live as long as it is looked at.
  axle_tensor_t view(uint32_t index, int32_t dtype, std::span<const int64_t> shape, const void* data) const {
    axle_tensor_t tensor{};
    tensor.struct_size = sizeof(tensor);
    tensor.dtype = dtype;
    tensor.rank = static_cast<int32_t>(shape.size());
    tensor.shape = shape.data();
    tensor.data = destinations_[index].bound ? destinations_[index].data : const_cast<void*>(data);
    tensor.size_bytes = static_cast<size_t>(dense_size_bytes(dtype, shape));
    return tensor;
  }

 private:
  struct Destination {
    void* data = nullptr;
    size_t size_bytes = 0;
    bool bound = false;
  };

  const std::vector<IoSpec>& inputs_;
  const std::vector<IoSpec>& outputs_;
  std::vector<char> input_bound_;
  std::vector<Destination> destinations_;
  bool delivered_ = false;
};

}  // namespace axle::kit
