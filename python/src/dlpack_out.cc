#include "dlpack_out.h"

#include <nanobind/stl/string.h>

#include <algorithm>
#include <utility>

#include "axle/dlpack.h"
#include "errors.h"
#include "unlocked.h"

namespace nb = nanobind;

namespace axle::python {
namespace {

constexpr const char* kVersioned = "dltensor_versioned";
constexpr const char* kUnversioned = "dltensor";

// DLPack's consumers expect this class.
[[noreturn]] void refuse(const Status& status) {
  const std::string text = status.message() + (status.hint().empty() ? "" : ": " + status.hint());
  throw nb::buffer_error(text.c_str());
}

template <typename T>
T take_or_refuse(Result<T> result) {
  if (!result) refuse(result.error());
  return std::move(result).value();
}

// A consumer renames the capsule and then calls the deleter itself.
template <typename Managed>
void release(PyObject* capsule, const char* name) noexcept {
  if (PyCapsule_IsValid(capsule, name) == 0) return;
  auto* managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule, name));
  if (managed->deleter != nullptr) managed->deleter(managed);
}

template <typename Managed>
nb::object capsule_of(Managed* managed, const char* name, PyCapsule_Destructor destructor) {
  PyObject* capsule = PyCapsule_New(managed, name, destructor);
  if (capsule == nullptr) {
    managed->deleter(managed);
    throw nb::python_error();
  }
  return nb::steal(capsule);
}

nb::object unversioned(const Tensor& tensor) {
  return capsule_of(take_or_refuse(dlpack::to_dlpack(tensor)), kUnversioned,
                    [](PyObject* capsule) { release<dlpack::ManagedTensor>(capsule, kUnversioned); });
}

// torch names (1, 0) and knows the element types of 1.1 all the same; whoever does not know a code refuses it.
nb::object versioned(const Tensor& tensor, uint32_t minor, bool copied) {
  dlpack::ManagedTensorVersioned* managed = take_or_refuse(dlpack::to_dlpack_versioned(tensor));
  managed->version.minor = std::min(managed->version.minor, minor);
  if (copied) managed->flags |= dlpack::kIsCopied;
  return capsule_of(managed, kVersioned,
                    [](PyObject* capsule) { release<dlpack::ManagedTensorVersioned>(capsule, kVersioned); });
}

bool is_host(nb::handle device) {
  return nb::cast<int>(nb::object(device[0])) == 1 && nb::cast<int>(nb::object(device[1])) == 0;
}

}  // namespace

nb::object to_dlpack_capsule(const Tensor& tensor, nb::handle stream, nb::handle max_version, nb::handle dl_device,
                             nb::handle copy) {
  if (!stream.is_none()) raise_status(invalid_argument_error("tensors in host memory have no stream: stream=None"));
  if (!dl_device.is_none() && !is_host(dl_device)) {
    refuse(invalid_argument_error("tensors are exported in host memory only").with_hint("dl_device=(1, 0) or None"));
  }
  const bool fresh = !copy.is_none() && nb::cast<bool>(copy);
  const Tensor exported = fresh ? take(unlocked([&] { return tensor.clone(); })) : tensor;
  if (max_version.is_none() || nb::cast<int>(nb::object(max_version[0])) < 1) return unversioned(exported);
  const bool later = nb::cast<int>(nb::object(max_version[0])) > 1;
  return versioned(exported, later ? UINT32_MAX : nb::cast<uint32_t>(nb::object(max_version[1])), fresh);
}

}  // namespace axle::python
