#include "runtime/measuring/bind_outputs.h"

#include <vector>

namespace axle {

Status bind_fresh_outputs(const Session& session, Binding& binding) {
  std::vector<Tensor> tensors(session.outputs().size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    AXLE_ASSIGN_OR_RETURN(const Tensor made, binding.output(i));
    if (made.dtype() == DataType::kString) continue;
    AXLE_ASSIGN_OR_RETURN(tensors[i], Tensor::allocate(made.dtype(), made.shape()));
  }
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (!tensors[i].defined()) continue;
    const Status bound = binding.bind_output(i, tensors[i]);
    // An output that is an input of the model cannot be bound; it costs nothing either.
    if (!bound.ok() && bound.code() != StatusCode::kFailedPrecondition) return bound;
  }
  return ok_status();
}

}  // namespace axle
