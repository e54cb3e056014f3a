#include <utility>

#include "ai_vmm/types.hpp"

namespace ai_vmm {
namespace {

axle::Tensor taken(axle::Result<axle::Tensor> made) {
  if (!made) throw_error(std::move(made).error(), ErrorCategory::RUNTIME);
  return std::move(*made);
}

}  // namespace

Tensor::Tensor(std::vector<int64_t> shape, DataType dtype) : tensor_(taken(axle::Tensor::allocate(dtype, std::move(shape)))) {}

Tensor Tensor::borrow(DataType dtype, std::vector<int64_t> shape, void* data, size_t size_bytes, bool read_only) {
  return Tensor(taken(read_only ? axle::Tensor::borrow_const(dtype, std::move(shape), data, size_bytes)
                                : axle::Tensor::borrow(dtype, std::move(shape), data, size_bytes)));
}

Tensor Tensor::clone() const { return Tensor(taken(tensor_.clone())); }

void Tensor::check_count(size_t count) const {
  if (count == static_cast<size_t>(size())) return;
  throw RuntimeError(axle::invalid_argument_error("a tensor of shape " + axle::format_shape(shape()) + " holds " +
                                                  std::to_string(size()) + " values, " + std::to_string(count) +
                                                  " were given"));
}

void Tensor::check_type(DataType dtype) const {
  if (dtype == this->dtype()) return;
  throw RuntimeError(axle::invalid_argument_error("the tensor holds " + std::string(axle::data_type_name(this->dtype())) +
                                                  ", not " + std::string(axle::data_type_name(dtype))));
}

void Tensor::check_writable() const {
  if (!tensor_.read_only()) return;
  throw RuntimeError(axle::invalid_argument_error("the tensor is a view of constant values").with_hint("write to a clone()"));
}

}  // namespace ai_vmm
