// Arrays of Python as tensors, and back. All functions want the GIL and throw Python exceptions.
#pragma once

#include <nanobind/nanobind.h>

#include <string>
#include <string_view>
#include <vector>

#include "axle/tensor.h"
#include "numpy_api.h"

namespace axle::python {

// A Python value as a tensor.
struct Converted {
  Tensor tensor;           // borrows from `hold` without keeping it alive, or owns its bytes
  nanobind::object hold;   // whose bytes the tensor reads
  bool copied = false;     // a strided, misaligned or byte-swapped array was copied
};

// numpy arrays and scalars, anything with __dlpack__, anything with the buffer protocol. Contiguous bytes are borrowed; text
// and types of less than a byte are converted. Another element type than `wanted` is InvalidArgumentError, which names the
// cast; kUndefined takes any. `name` and `what` ("input") are for messages.
Converted to_tensor(nanobind::handle value, DataType wanted, std::string_view name, std::string_view what = "input");

// Warns with axle.CopyWarning.
void warn_of_copy(const std::string& text);

// The same, for the engine or the caller to write into: contiguous, writable, host memory.
Converted to_writable_tensor(nanobind::handle value, DataType wanted, std::string_view name);

// The tensor with a share in the Python object, for those that keep it beyond the call. Let go on any thread.
Tensor keeping(Converted converted);

// A dict with the mapping's items. TypeError when it is none.
nanobind::dict as_dict(nanobind::handle mapping);

// The text of a mapping's key. TypeError when it is another thing; `what` ("inputs") is for the message.
std::string name_of(nanobind::handle key, std::string_view what = "inputs");

// {name: array} as named tensors that keep their arrays. `specs` give the element types; a name that is not among them keeps
// its own. None = empty.
std::vector<NamedTensor> to_named_tensors(nanobind::handle mapping, const std::vector<IoSpec>& specs);

// An array over the tensor's bytes, which it keeps; text and packed types are converted.
nanobind::object to_numpy(const Tensor& tensor);
// A fresh array with the tensor's content.
nanobind::object copy_to_numpy(const Tensor& tensor);
// {name: axle.Tensor}
nanobind::dict tensor_dict(std::vector<NamedTensor> tensors);
// {name: array}
nanobind::dict to_numpy_dict(const std::vector<NamedTensor>& tensors);

// A fresh array, not yet written. `descr` is borrowed.
nanobind::object new_array(PyArray_Descr* descr, const Shape& shape);

}  // namespace axle::python
