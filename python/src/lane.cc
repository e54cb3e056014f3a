#include "lane.h"

#include <algorithm>
#include <cstring>

#include "arrays.h"
#include "dtypes.h"
#include "errors.h"

namespace nb = nanobind;

namespace axle::python {
namespace {

// Outputs up to this size are copied out of memory that stays bound: cheaper than binding anew.
constexpr size_t kStagedBytes = 8192;
constexpr int kBorrowable = NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_ALIGNED;

nb::object interned(const std::string& name) {
  PyObject* key = PyUnicode_FromStringAndSize(name.data(), static_cast<Py_ssize_t>(name.size()));
  if (key == nullptr) throw nb::python_error();
  PyUnicode_InternInPlace(&key);
  return nb::steal(key);
}

OutputAxis axis_of(const Dim& dim, const std::vector<IoSpec>& inputs) {
  OutputAxis axis{dim.size, -1, -1};
  if (dim.is_static() || dim.symbol.empty()) return axis;
  for (size_t i = 0; i < inputs.size(); ++i) {
    for (size_t a = 0; a < inputs[i].shape.size(); ++a) {
      if (inputs[i].shape[a].symbol == dim.symbol) return {-1, static_cast<int32_t>(i), static_cast<int32_t>(a)};
    }
  }
  return axis;
}

void plan_axes(OutputSlot& slot, const std::vector<IoSpec>& inputs) {
  const DataType type = slot.spec.dtype;
  if (!slot.spec.rank_known || type == DataType::kString || type == DataType::kUndefined || is_packed(type)) return;
  for (const Dim& dim : slot.spec.shape) {
    slot.axes.push_back(axis_of(dim, inputs));
    if (slot.axes.back().size < 0 && slot.axes.back().input < 0) return;
  }
  slot.predictable = true;
}

bool equal_text(PyObject* a, PyObject* b) { return PyUnicode_Check(b) && PyUnicode_Compare(a, b) == 0; }

}  // namespace

IoTable IoTable::of(const Session& session) {
  IoTable table;
  for (const IoSpec& spec : session.inputs()) {
    nb::object key = interned(spec.name);
    table.inputs.push_back({spec, key, key, numpy_type_number(spec.dtype)});
  }
  for (const IoSpec& spec : session.outputs()) {
    OutputSlot slot{spec, interned(spec.name), {}, false, {}, false};
    if (numpy_type_number(spec.dtype) >= 0) slot.dtype = numpy_dtype(spec.dtype);
    if (slot.dtype.is_valid()) plan_axes(slot, session.inputs());
    table.outputs.push_back(std::move(slot));
  }
  return table;
}

int IoTable::find_input(PyObject* key, int expected) {
  const int count = static_cast<int>(inputs.size());
  if (expected < count) {
    const InputSlot& slot = inputs[static_cast<size_t>(expected)];
    if (slot.key.ptr() == key || slot.alias.ptr() == key) return expected;
  }
  for (int i = 0; i < count; ++i) {
    if (inputs[static_cast<size_t>(i)].key.ptr() == key) return i;
  }
  for (int i = 0; i < count; ++i) {
    InputSlot& slot = inputs[static_cast<size_t>(i)];
    if (!equal_text(slot.key.ptr(), key)) continue;
    slot.alias = nb::borrow(key);
    return i;
  }
  return -1;
}

Lane::Lane(Binding binding, const IoTable& table, std::string shapes)
    : binding_(std::move(binding)), shapes_(std::move(shapes)) {
  inputs_.resize(table.inputs.size());
  outputs_.resize(table.outputs.size());
}

bool Lane::same_array(const Input& input, const InputSlot& slot, PyArrayObject* array) const noexcept {
  return input.bound && PyArray_DATA(array) == input.data && PyArray_TYPE(array) == slot.type_number &&
         PyArray_CHKFLAGS(array, kBorrowable) && PyArray_ISNBO(PyArray_DESCR(array)->byteorder) &&
         static_cast<size_t>(PyArray_NDIM(array)) == input.shape.size() &&
         std::equal(input.shape.begin(), input.shape.end(), PyArray_DIMS(array));
}

void Lane::bind(Input& input, size_t index, const Tensor& tensor) {
  // Until bind_input has agreed, the binding may hold neither the old bytes nor the new.
  input.bound = false;
  input.touched = true;
  check(binding_.bind_input(index, tensor));
  if (input.shape != tensor.shape()) {
    input.shape = tensor.shape();
    reshaped_ = true;
  }
  input.data = tensor.data();
  input.bound = true;
}

bool Lane::set_input(const InputSlot& slot, size_t index, PyObject* value) {
  Input& input = inputs_[index];
  if (PyArray_Check(value) && slot.type_number >= 0 && same_array(input, slot, as_array(value))) {
    input.held = nb::borrow(value);
    return false;
  }
  const nb::object kept = nb::borrow(value);  // the conversion may run Python code that changes the caller's mapping
  Converted converted = to_tensor(kept, slot.spec.dtype, slot.spec.name);
  bind(input, index, converted.tensor);
  if (converted.hold.is_valid()) {
    input.held = std::move(converted.hold);
  } else {
    // Bytes of our own go with the call, so that they are bound anew in the next.
    input.bound = false;
    input.held = kept;
    input.converted = std::move(converted.tensor);
  }
  return converted.copied;
}

bool Lane::predict(const OutputSlot& slot, Shape& shape) const {
  shape.clear();
  for (const OutputAxis& axis : slot.axes) {
    if (axis.size >= 0) {
      shape.push_back(axis.size);
      continue;
    }
    const Input& input = inputs_[static_cast<size_t>(axis.input)];
    if (!input.held.is_valid() || static_cast<size_t>(axis.axis) >= input.shape.size()) return false;
    shape.push_back(input.shape[static_cast<size_t>(axis.axis)]);
  }
  return true;
}

Status Lane::bind_stage(Output& output, const OutputSlot& slot, size_t index) {
  if (output.bound && output.staged && output.shape == predicted_) return ok_status();
  AXLE_ASSIGN_OR_RETURN(output.stage, Tensor::allocate(slot.spec.dtype, predicted_));
  output.staged = true;
  return binding_.bind_output(index, output.stage);
}

Status Lane::bind_array(Output& output, const OutputSlot& slot, size_t index, size_t size_bytes) {
  output.array = new_array(reinterpret_cast<PyArray_Descr*>(slot.dtype.ptr()), predicted_);
  AXLE_ASSIGN_OR_RETURN(Tensor tensor,
                        Tensor::borrow(slot.spec.dtype, predicted_, PyArray_DATA(as_array(output.array.ptr())), size_bytes));
  output.staged = false;
  return binding_.bind_output(index, std::move(tensor));
}

Status Lane::prepare_output(const OutputSlot& slot, size_t index) {
  Output& output = outputs_[index];
  AXLE_ASSIGN_OR_RETURN(const size_t size_bytes, dense_size_bytes(slot.spec.dtype, predicted_));
  AXLE_RETURN_IF_ERROR(size_bytes <= kStagedBytes ? bind_stage(output, slot, index)
                                                  : bind_array(output, slot, index, size_bytes));
  output.shape = predicted_;
  output.bound = true;
  return ok_status();
}

bool Lane::prepare(IoTable& table) {
  for (const Input& input : inputs_) {
    if (input.touched && !input.held.is_valid()) return false;
  }
  for (size_t i = 0; i < outputs_.size(); ++i) {
    OutputSlot& slot = table.outputs[i];
    if (slot.predictable && !slot.engine_allocates && predict(slot, predicted_)) {
      // What cannot be bound (an output that is an input) is fetched after the run.
      if (prepare_output(slot, i).ok()) continue;
      slot.engine_allocates = true;
    }
    if (outputs_[i].bound) return false;
  }
  return true;
}

nb::object Lane::result(const OutputSlot& slot, size_t index) {
  Output& output = outputs_[index];
  if (!output.bound) return copy_to_numpy(take(binding_.output(index)));
  if (!output.staged) return std::move(output.array);
  nb::object array = new_array(reinterpret_cast<PyArray_Descr*>(slot.dtype.ptr()), output.shape);
  if (output.stage.size_bytes() > 0) {
    std::memcpy(PyArray_DATA(as_array(array.ptr())), output.stage.data(), output.stage.size_bytes());
  }
  return array;
}

nb::object Lane::results(const IoTable& table) {
  nb::object results = nb::steal(PyDict_New());
  if (!results.is_valid()) throw nb::python_error();
  for (size_t i = 0; i < outputs_.size(); ++i) {
    const nb::object array = result(table.outputs[i], i);
    if (PyDict_SetItem(results.ptr(), table.outputs[i].key.ptr(), array.ptr()) != 0) throw nb::python_error();
  }
  return results;
}

void Lane::let_go() noexcept {
  for (Input& input : inputs_) {
    input.held.reset();
    if (input.converted.defined()) input.converted = Tensor();
  }
  for (Output& output : outputs_) output.array.reset();
}

}  // namespace axle::python
