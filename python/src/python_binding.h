// PythonBinding: axle::Binding that keeps the arrays bound to it. One thread at a time; a second one is refused.
#pragma once

#include <nanobind/nanobind.h>

#include <vector>

#include "axle/session.h"

namespace axle::python {

class PythonBinding {
 public:
  PythonBinding(const Session& session, Binding binding);

  // GIL held.
  void bind_input(nanobind::handle which, nanobind::handle array);
  void bind_output(nanobind::handle which, nanobind::handle array);
  void run(const CancelToken* cancel, int64_t timeout_ns);
  // The bound array itself, or a fresh copy of what the engine allocated.
  nanobind::object output(nanobind::handle which);

 private:
  class Use;
  size_t index_of(nanobind::handle which, const std::vector<IoSpec>& specs, const char* what) const;

  Session session_;
  Binding binding_;
  std::vector<nanobind::object> outputs_;  // arrays that the engine writes into
  bool busy_ = false;
};

}  // namespace axle::python
