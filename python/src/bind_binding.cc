#include <nanobind/stl/string.h>

#include "arrays.h"
#include "bind.h"
#include "errors.h"
#include "python_binding.h"
#include "watched_call.h"

namespace nb = nanobind;

namespace axle::python {

// Refuses a second thread while a run has let go of the GIL.
class PythonBinding::Use {
 public:
  explicit Use(PythonBinding& binding) : binding_(binding) {
    if (binding_.busy_) {
      raise_status(failed_precondition_error("this binding is in use by another thread")
                       .with_hint("one binding per thread: session.make_binding()"));
    }
    binding_.busy_ = true;
  }
  ~Use() { binding_.busy_ = false; }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

 private:
  PythonBinding& binding_;
};

PythonBinding::PythonBinding(const Session& session, Binding binding) : session_(session), binding_(std::move(binding)) {
  outputs_.resize(session_.outputs().size());
}

size_t PythonBinding::index_of(nb::handle which, const std::vector<IoSpec>& specs, const char* what) const {
  if (PyLong_Check(which.ptr())) {
    const auto index = nb::cast<int64_t>(which);
    if (index < 0 || static_cast<size_t>(index) >= specs.size()) {
      raise_status(invalid_argument_error("there is no " + std::string(what) + " " + std::to_string(index) +
                                          ": the model has " + std::to_string(specs.size())));
    }
    return static_cast<size_t>(index);
  }
  const auto name = nb::cast<std::string>(which);
  for (size_t i = 0; i < specs.size(); ++i) {
    if (specs[i].name == name) return i;
  }
  std::string names;
  for (const IoSpec& spec : specs) names += (names.empty() ? "" : ", ") + spec.name;
  raise_status(
      invalid_argument_error("the model has no " + std::string(what) + " '" + name + "'").with_hint("it has: " + names));
}

void PythonBinding::bind_input(nb::handle which, nb::handle array) {
  const Use use(*this);
  const size_t index = index_of(which, session_.inputs(), "input");
  const IoSpec& spec = session_.inputs()[index];
  Converted converted = to_tensor(array, spec.dtype, spec.name);
  if (converted.copied) {
    raise_status(invalid_argument_error("input '" + spec.name + "' is strided, misaligned or byte-swapped: it cannot be bound")
                     .with_hint("np.ascontiguousarray(x)"));
  }
  check(binding_.bind_input(index, keeping(std::move(converted))));
}

void PythonBinding::bind_output(nb::handle which, nb::handle array) {
  const Use use(*this);
  const size_t index = index_of(which, session_.outputs(), "output");
  const IoSpec& spec = session_.outputs()[index];
  check(binding_.bind_output(index, keeping(to_writable_tensor(array, spec.dtype, spec.name))));
  outputs_[index] = nb::borrow(array);
}

void PythonBinding::run(const CancelToken* cancel, int64_t timeout_ns) {
  const Use use(*this);
  RunOptions options;
  options.timeout_ns = timeout_ns;
  if (cancel != nullptr) options.cancel = *cancel;
  Status status;
  {
    const nb::gil_scoped_release released;
    status = cancel == nullptr && timeout_ns <= 0 ? binding_.run() : binding_.run(options);
  }
  check(status);
}

nb::object PythonBinding::output(nb::handle which) {
  const Use use(*this);
  const size_t index = index_of(which, session_.outputs(), "output");
  if (outputs_[index].is_valid()) return outputs_[index];
  return copy_to_numpy(take(binding_.output(index)));
}

void bind_binding(nb::module_& module) {
  nb::class_<PythonBinding>(module, "Binding",
                            "Inputs and outputs bound once, run many times: no lookups, no allocations. One thread at a time.")
      .def("bind_input", &PythonBinding::bind_input, nb::arg("which"), nb::arg("array"),
           nb::sig("def bind_input(self, which: str | int, array: object) -> None"),
           "Bind an array by the input's name or index; it is read at each run and kept until bound anew.\n\n"
           "InvalidArgumentError: wrong dtype, rank or size, or an array that would have to be copied.")
      .def("bind_output", &PythonBinding::bind_output, nb::arg("which"), nb::arg("array"),
           nb::sig("def bind_output(self, which: str | int, array: object) -> None"),
           "Have the engine write into `array`: exact shape of the result, contiguous, writable, host memory.")
      .def("run", &PythonBinding::run, nb::arg("cancel").none() = nb::none(), nb::arg("timeout_ns") = 0,
           "Run on what is bound. The GIL is released. Ctrl-C is answered when the run ends: pass a CancelToken, or use\n"
           "Session.run, for runs that must be interruptible. FailedPreconditionError: another thread is using the binding.")
      .def("output", &PythonBinding::output, nb::arg("which"), nb::sig("def output(self, which: str | int) -> object"),
           "The array that was bound; else a fresh numpy array with what the engine allocated.");
}

}  // namespace axle::python
