#include <fmt/format.h>

#include <cstring>

#include "base/json.h"
#include "runtime/facts/model_facts.h"
#include "runtime/session_impl.h"

namespace axle {
namespace {

std::string view_text(const axle_text_t& text) { return {text.data == nullptr ? "" : text.data, text.size}; }

Status check_index(size_t index, size_t count, const char* what) {
  if (index < count) return ok_status();
  return invalid_argument_error(fmt::format("there is no {} {}: the model has {}", what, index, count));
}

}  // namespace

Result<size_t> index_of(const std::vector<IoSpec>& specs, std::string_view name, const char* what) {
  std::vector<std::string> names;
  for (size_t i = 0; i < specs.size(); ++i) {
    if (specs[i].name == name) return i;
    names.push_back(specs[i].name);
  }
  const std::string near = nearest_word(name, names);
  return invalid_argument_error(fmt::format("the model has no {} '{}'", what, name))
      .with_hint(near.empty() ? fmt::format("it has: {}", fmt::join(names, ", ")) : fmt::format("did you mean '{}'?", near));
}

Result<Tensor> copy_of(const OutputView& view) {
  Shape shape(view.shape.begin(), view.shape.end());
  if (view.dtype == DataType::kString) {
    AXLE_ASSIGN_OR_RETURN(const int64_t count, element_count(shape));
    std::vector<std::string> elements;
    const auto* texts = static_cast<const axle_text_t*>(view.data);
    for (int64_t i = 0; i < count; ++i) elements.push_back(view_text(texts[i]));
    return Tensor::from_strings(std::move(shape), std::move(elements));
  }
  AXLE_ASSIGN_OR_RETURN(Tensor tensor, Tensor::allocate(view.dtype, std::move(shape)));
  if (tensor.size_bytes() > view.size_bytes) {
    return internal_error(fmt::format("the engine gave {} bytes for a tensor of {}", view.size_bytes, tensor.size_bytes()));
  }
  if (tensor.size_bytes() > 0) std::memcpy(tensor.mutable_data(), view.data, tensor.size_bytes());
  return tensor;
}

namespace {

// What was bound before; nothing, where nothing was.
Status rebind_input(Execution& on, size_t index, const Tensor& before) {
  return before.defined() ? on.bind_input(index, before) : on.unbind_input(index);
}
Status rebind_output(Execution& on, size_t index, Tensor& before) {
  return before.defined() ? on.bind_output(index, before) : on.unbind_output(index);
}

}  // namespace

Status Binding::Impl::bind_input(size_t index, const Tensor& tensor) {
  AXLE_RETURN_IF_ERROR(check_index(index, inputs.size(), "input"));
  AXLE_RETURN_IF_ERROR(check_feed(session->loaded->inputs[index], tensor));
  // Both plans get the same, or both keep what they had.
  AXLE_RETURN_IF_ERROR(execution.bind_input(index, tensor));
  if (high) {
    if (Status bound = high->bind_input(index, tensor); !bound.ok()) {
      AXLE_RETURN_IF_ERROR(rebind_input(execution, index, inputs[index]));
      return bound;
    }
  }
  inputs[index] = tensor;
  return ok_status();
}

Status Binding::Impl::bind_output(size_t index, Tensor tensor) {
  AXLE_RETURN_IF_ERROR(check_index(index, outputs.size(), "output"));
  if (tensor.read_only()) {
    return invalid_argument_error("output '" + session->loaded->outputs[index].name + "' is bound to read-only memory");
  }
  AXLE_RETURN_IF_ERROR(execution.bind_output(index, tensor));
  if (high) {
    if (Status bound = high->bind_output(index, tensor); !bound.ok()) {
      AXLE_RETURN_IF_ERROR(rebind_output(execution, index, outputs[index]));
      return bound;
    }
  }
  outputs[index] = std::move(tensor);
  return ok_status();
}

Status Binding::Impl::run(const CancelToken& cancel) {
  if (session->batcher) return run_joined(cancel);
  if (!high) return session->watched_call(execution, cancel);
  const LoadSwitch::Request request(session->load.get());
  last_high = request.high();
  return session->watched_call(last_high ? *high : execution, cancel);
}

Result<Tensor> Binding::Impl::output(size_t index) {
  AXLE_RETURN_IF_ERROR(check_index(index, outputs.size(), "output"));
  if (outputs[index].defined()) return outputs[index];
  if (joined) return joined_outputs[index];
  AXLE_ASSIGN_OR_RETURN(const OutputView view, (last_high ? *high : execution).output(index));
  if (view.dtype == DataType::kString) return copy_of(view);
  return Tensor::borrow(view.dtype, Shape(view.shape.begin(), view.shape.end()), view.data, view.size_bytes);
}

}  // namespace axle
