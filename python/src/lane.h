// Lane: what one call of Session.run uses. A binding whose outputs are bound in advance, and what was bound to it last, so that
// a call with the same shapes and addresses touches nothing but the arrays.
#pragma once

#include <nanobind/nanobind.h>

#include <string>
#include <vector>

#include "axle/session.h"
#include "numpy_api.h"

namespace axle::python {

// One input of the model, as run() looks it up.
struct InputSlot {
  IoSpec spec;
  nanobind::object key;  // the interned name
  nanobind::object alias;  // an equal key that callers used
  int type_number = -1;  // numpy's, when arrays of it are borrowed as they are; -1 = always converted
};

// Where an output's axis has its size from: fixed, or an axis of an input with the same symbol.
struct OutputAxis {
  int64_t size = -1;
  int32_t input = -1;
  int32_t axis = -1;
};

struct OutputSlot {
  IoSpec spec;
  nanobind::object key;
  nanobind::object dtype;  // numpy's; empty for text, packed and unknown types
  bool predictable = false;  // the shape follows from the inputs
  std::vector<OutputAxis> axes;
  bool engine_allocates = false;  // predicted once and proved wrong
};

struct IoTable {
  std::vector<InputSlot> inputs;
  std::vector<OutputSlot> outputs;
  static IoTable of(const Session& session);
  // Index of the input that `key` names, -1 if none; `expected` is tried first.
  int find_input(PyObject* key, int expected);
};

class Lane {
 public:
  // `shapes`: those it was made for, as SessionCore::shapes_of tells them.
  Lane(Binding binding, const IoTable& table, std::string shapes);

  const std::string& shapes() const noexcept { return shapes_; }

  // GIL held. True when the array had to be copied. `value` is held until let_go.
  bool set_input(const InputSlot& slot, size_t index, PyObject* value);
  bool is_set(size_t index) const noexcept { return inputs_[index].held.is_valid(); }
  // True once after any input had another shape than in the call before.
  bool shapes_changed() noexcept { return std::exchange(reshaped_, false); }

  // GIL held. Binds what the engine can write into directly. False when something is bound that this call must not use (an
  // optional input is left out now, a predicted shape proved wrong): then the call needs a new lane.
  bool prepare(IoTable& table);
  // GIL not needed.
  Status run() { return binding_.run(); }
  Status run(const RunOptions& options) { return binding_.run(options); }
  // GIL held. {name: fresh array}
  nanobind::object results(const IoTable& table);
  // GIL held. Drops the arrays of this call.
  void let_go() noexcept;

 private:
  struct Input {
    bool bound = false;  // to `data` with `shape`
    bool touched = false;  // the binding was ever given something
    const void* data = nullptr;
    Shape shape;
    nanobind::object held;
    Tensor converted;  // owns bytes that `held` does not
  };
  struct Output {
    bool bound = false;
    bool staged = false;  // small: written to `stage`, then copied
    Shape shape;
    Tensor stage;
    nanobind::object array;  // large: written in place
  };
  bool same_array(const Input& input, const InputSlot& slot, PyArrayObject* array) const noexcept;
  void bind(Input& input, size_t index, const Tensor& tensor);
  bool predict(const OutputSlot& slot, Shape& shape) const;
  Status bind_stage(Output& output, const OutputSlot& slot, size_t index);
  Status bind_array(Output& output, const OutputSlot& slot, size_t index, size_t size_bytes);
  Status prepare_output(const OutputSlot& slot, size_t index);
  nanobind::object result(const OutputSlot& slot, size_t index);

  Binding binding_;
  std::string shapes_;
  std::vector<Input> inputs_;
  std::vector<Output> outputs_;
  Shape predicted_;
  bool reshaped_ = true;
};

}  // namespace axle::python
