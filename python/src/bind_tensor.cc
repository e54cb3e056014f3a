// Element types, the declarations of inputs and outputs, and tensors: what run() takes and gives as numpy arrays, for those who
// hand it on to another framework or keep element types that numpy has no word for.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "arrays.h"
#include "bind.h"
#include "dlpack_out.h"
#include "dtypes.h"
#include "errors.h"
#include "unlocked.h"

namespace nb = nanobind;

namespace axle::python {
namespace {

// int for a known size, str for a symbol, None for an anonymous unknown.
nb::object shape_of(const IoSpec& spec) {
  if (!spec.rank_known) return nb::none();
  nb::list axes;
  for (const Dim& dim : spec.shape) {
    if (dim.is_static()) {
      axes.append(dim.size);
    } else if (dim.symbol.empty()) {
      axes.append(nb::none());
    } else {
      axes.append(dim.symbol);
    }
  }
  return nb::tuple(axes);
}

std::string text_of(const IoSpec& spec) {
  return "<axle.IoSpec " + spec.name + ": " + std::string(data_type_name(spec.dtype)) +
         (spec.rank_known ? format_shape(spec.shape) : "[...]") + (spec.optional ? ", optional>" : ">");
}

DataType type_named(const std::string& name) {
  const auto type = parse_data_type(name);
  if (!type) {
    raise_status(invalid_argument_error("there is no element type '" + name + "'")
                     .with_hint("f32, f16, bf16, i64, u8, bool, string, f8e4m3fn, i4, ...; numpy's words serve too"));
  }
  return *type;
}

const char* space_name(MemorySpace space) {
  switch (space) {
    case MemorySpace::kHost: return "host";
    case MemorySpace::kHostPinned: return "host_pinned";
    case MemorySpace::kShared: return "shared";
    case MemorySpace::kDevice: return "device";
  }
  return "host";
}

nb::tuple sizes_of(const Tensor& tensor) {
  nb::list sizes;
  for (const int64_t size : tensor.shape()) sizes.append(size);
  return nb::tuple(sizes);
}

void wrap(Tensor* self, nb::handle value, bool copy) {
  Converted converted = to_tensor(value, DataType::kUndefined, "x", "array");
  if (converted.copied && !copy) {
    raise_status(
        invalid_argument_error("the array is strided, misaligned or byte-swapped: a tensor over its bytes cannot be had")
            .with_hint("np.ascontiguousarray(x), or copy=True"));
  }
  const bool own = converted.copied;
  const nb::object& hold = converted.hold;
  if (hold.is_valid() && PyArray_Check(hold.ptr()) && PyArray_ISWRITEABLE(as_array(hold.ptr()))) {
    const Tensor& seen = converted.tensor;  // read-only, as what goes into a run
    converted.tensor = take(Tensor::borrow(seen.dtype(), seen.shape(), const_cast<void*>(seen.data()), seen.size_bytes()));
  }
  Tensor tensor = keeping(std::move(converted));
  if (copy && !own) tensor = take(unlocked([&] { return tensor.clone(); }));
  new (self) Tensor(std::move(tensor));
}

// The tensor's own bytes, packed types too.
nb::object bytes_of(const Tensor& tensor) {
  if (tensor.dtype() == DataType::kString) {
    raise_status(invalid_argument_error("a tensor of text has no bytes of its own").with_hint("tensor.numpy()"));
  }
  auto owner = std::make_shared<Tensor>(tensor);
  const Shape shape = {static_cast<int64_t>(tensor.size_bytes())};
  if (tensor.read_only()) {
    return to_numpy(take(Tensor::borrow_const(DataType::kUint8, shape, tensor.data(), tensor.size_bytes(), owner)));
  }
  void* data = owner->mutable_data();
  return to_numpy(take(Tensor::borrow(DataType::kUint8, shape, data, tensor.size_bytes(), owner)));
}

nb::object as_array_of(const Tensor& tensor, nb::handle dtype, nb::handle copy) {
  const bool fresh = !copy.is_none() && nb::cast<bool>(copy);
  const bool converts = tensor.dtype() == DataType::kString || is_packed(tensor.dtype());
  if (!copy.is_none() && !fresh && converts) {
    raise_status(invalid_argument_error("a tensor of " + std::string(data_type_name(tensor.dtype())) +
                                        " becomes an array by a copy only"));
  }
  nb::object array = fresh ? copy_to_numpy(tensor) : to_numpy(tensor);
  return dtype.is_none() ? array : nb::object(array.attr("astype")(dtype, nb::arg("copy") = false));
}

void bind_io_spec(nb::module_& module) {
  nb::class_<IoSpec>(module, "IoSpec", "Declaration of one model input or output.")
      .def_ro("name", &IoSpec::name)
      .def_prop_ro(
          "dtype", [](const IoSpec& spec) { return std::string(data_type_name(spec.dtype)); },
          "axle's word for the element type: \"f32\", \"i64\", \"bf16\", \"string\"; \"undefined\" when the format does not "
          "say.")
      .def_prop_ro(
          "numpy_dtype", [](const IoSpec& spec) { return numpy_dtype(spec.dtype); },
          nb::sig("def numpy_dtype(self) -> numpy.dtype"),
          "The dtype that arrays for it must have. UnavailableError when that needs ml_dtypes and it is not installed.")
      .def_prop_ro("shape", &shape_of, nb::sig("def shape(self) -> tuple[int | str | None, ...] | None"),
                   "One entry per axis: a size, a symbol such as \"batch\", or None for an unknown one. None: any rank.")
      .def_ro("rank_known", &IoSpec::rank_known)
      .def_ro("optional", &IoSpec::optional, "The caller may leave it out.")
      .def("__eq__", [](const IoSpec& a, nb::handle b) { return nb::isinstance<IoSpec>(b) && a == nb::cast<const IoSpec&>(b); })
      .def("__repr__", &text_of);
}

void bind_exports(nb::class_<Tensor>& tensor) {
  tensor
      .def("numpy", &to_numpy, nb::sig("def numpy(self) -> numpy.ndarray"),
           "An array over the tensor's bytes, which it keeps; bf16 and 8-bit floats are those of ml_dtypes. Text and types of\n"
           "less than a byte are converted: the array is a copy, with one element to a byte.")
      .def("__array__", &as_array_of, nb::arg("dtype") = nb::none(), nb::arg("copy") = nb::none(),
           nb::sig("def __array__(self, dtype: object = None, copy: bool | None = None) -> numpy.ndarray"), "As numpy().")
      .def("bytes", &bytes_of, nb::sig("def bytes(self) -> numpy.ndarray"),
           "The dense bytes as u8[size_bytes], shared; types of less than a byte are packed, low bits first.")
      .def(
          "__dlpack__", &to_dlpack_capsule, nb::kw_only(), nb::arg("stream") = nb::none(), nb::arg("max_version") = nb::none(),
          nb::arg("dl_device") = nb::none(), nb::arg("copy") = nb::none(),
          nb::sig("def __dlpack__(self, *, stream: None = None, max_version: tuple[int, int] | None = None, dl_device: "
                  "tuple[int, int] | None = None, copy: bool | None = None) -> object"),
          "DLPack (https://dmlc.github.io/dlpack): the bytes, shared, for torch.from_dlpack and the like. A versioned capsule\n"
          "where the consumer names max_version (1, ...) or above, else the one from before 1.0. bf16 has code 4, 8-bit "
          "floats\n"
          "have 10 to 14 and float4 17, as DLPack 1.1 numbers them; integers of less than a byte are packed.\n\n"
          "BufferError: text, another device than the host, or a read-only tensor for a consumer from before 1.0.")
      .def(
          "__dlpack_device__", [](const Tensor&) { return nb::make_tuple(1, 0); },
          nb::sig("def __dlpack_device__(self) -> tuple[int, int]"), "(1, 0): host memory.");
}

void bind_tensor_class(nb::module_& module) {
  nb::class_<Tensor> tensor(
      module, "Tensor",
      "An element type, a shape and dense row-major bytes in host memory. Copies share the bytes. What `Session.run` takes "
      "and\n"
      "gives are numpy arrays; this is for what numpy cannot say: torch.from_dlpack(axle.Tensor(array)) for bf16 and 8-bit\n"
      "floats, packed integers as they are, memory that engines in other processes see.");
  tensor
      .def("__init__", &wrap, nb::arg("array"), nb::kw_only(), nb::arg("copy") = false,
           nb::sig("def __init__(self, array: object, *, copy: bool = False) -> None"),
           "Over the bytes of a numpy array, a tensor of another framework (DLPack, host memory) or a buffer, which it keeps.\n"
           "Text and ml_dtypes' types of less than a byte are converted. InvalidArgumentError: an element type that axle has "
           "no\n"
           "word for, or an array that is not contiguous, unless `copy`.")
      .def_static(
          "allocate",
          [](const std::string& dtype, const Shape& shape) { return take(Tensor::allocate(type_named(dtype), shape)); },
          nb::arg("dtype"), nb::arg("shape"),
          "Zero-filled memory of its own, aligned to 64 bytes. dtype: \"f32\", \"bf16\", ...")
      .def_static(
          "allocate_shared",
          [](const std::string& dtype, const Shape& shape) { return take(Tensor::allocate_shared(type_named(dtype), shape)); },
          nb::arg("dtype"), nb::arg("shape"),
          "The same in memory that an engine in a process of its own sees too: nothing is copied when it is bound. Whole "
          "pages\n"
          "and a file descriptor each. InvalidArgumentError for text.")
      .def_prop_ro(
          "dtype", [](const Tensor& one) { return std::string(data_type_name(one.dtype())); }, "\"f32\", \"bf16\", ...")
      .def_prop_ro("shape", &sizes_of, nb::sig("def shape(self) -> tuple[int, ...]"))
      .def_prop_ro("element_count", &Tensor::element_count)
      .def_prop_ro("size_bytes", &Tensor::size_bytes, "dense bytes; 0 for text")
      .def_prop_ro("read_only", &Tensor::read_only)
      .def_prop_ro("defined", &Tensor::defined)
      .def_prop_ro(
          "memory_space", [](const Tensor& one) { return space_name(one.memory_space()); },
          "\"host\", \"host_pinned\", \"shared\" or \"device\"")
      .def(
          "reshaped", [](const Tensor& one, const Shape& shape) { return take(one.reshaped(shape)); }, nb::arg("shape"),
          "The same bytes with another shape of as many elements. InvalidArgumentError otherwise.")
      .def(
          "clone", [](const Tensor& one) { return take(unlocked([&] { return one.clone(); })); }, "A deep copy.")
      .def(
          "raw_as",
          [](const Tensor& one, const std::string& dtype) {
            return take(unlocked([&] { return raw_as(one, type_named(dtype)); }));
          },
          nb::arg("dtype"),
          "u8, one element to a byte, as what numpy's files cannot name (8-bit floats, packed types) is stored. "
          "InvalidArgumentError for any other pair.")
      .def("__repr__", [](const Tensor& one) {
        return "<axle.Tensor " + std::string(data_type_name(one.dtype())) + format_shape(one.shape()) + ">";
      });
  bind_exports(tensor);
}

std::vector<NamedTensor> named(const nb::dict& tensors) {
  std::vector<NamedTensor> all;
  for (const auto& [key, value] : tensors) {
    const std::string name = name_of(key, "arrays");
    all.push_back({name, keeping(to_tensor(value, DataType::kUndefined, name, "array"))});
  }
  return all;
}

void bind_files(nb::module_& module) {
  module.def(
      "load_npy", [](const std::string& path) { return take(unlocked([&] { return load_npy(path); })); }, nb::arg("path"),
      "A .npy file, strictly read. NotFoundError; InvalidArgumentError says where; DataLossError: truncated.");
  module.def(
      "load_npz", [](const std::string& path) { return tensor_dict(take(unlocked([&] { return load_npz(path); }))); },
      nb::arg("path"), nb::sig("def load_npz(path: str) -> dict[str, Tensor]"),
      "{name: tensor} of an .npz file, strictly read. Errors as load_npy.");
  module.def(
      "save_npy",
      [](const std::string& path, nb::handle array) {
        const Tensor tensor = keeping(to_tensor(array, DataType::kUndefined, "x", "array"));
        check(unlocked([&] { return save_npy(path, tensor); }));
      },
      nb::arg("path"), nb::arg("array"), nb::sig("def save_npy(path: str, array: object) -> None"),
      "Write a .npy file, complete or not at all. bf16, 8-bit floats and packed types go as raw bytes (Tensor.raw_as).");
  module.def(
      "save_npz",
      [](const std::string& path, nb::handle arrays) {
        const std::vector<NamedTensor> all = named(as_dict(arrays));
        check(unlocked([&] { return save_npz(path, all); }));
      },
      nb::arg("path"), nb::arg("arrays"),
      nb::sig("def save_npz(path: str, arrays: collections.abc.Mapping[str, object]) -> None"),
      "Write {name: array} as an .npz file, complete or not at all; as save_npy.");
  module.def(
      "data_type_bits", [](const std::string& dtype) { return data_type_bits(type_named(dtype)); }, nb::arg("dtype"),
      "Bits of an element of \"f32\", \"bf16\", \"i4\", ...; 0 for \"string\". InvalidArgumentError for another word.");
  module.def(
      "is_floating", [](const std::string& dtype) { return is_floating(type_named(dtype)); }, nb::arg("dtype"),
      "Whether the element type is a float of any width.");
}

}  // namespace

void bind_tensor(nb::module_& module) {
  bind_io_spec(module);
  bind_tensor_class(module);
  bind_files(module);
}

}  // namespace axle::python
