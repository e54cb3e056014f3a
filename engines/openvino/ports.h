// The inputs and outputs of a compiled model: which of the vendor's ports is which of the host's.
#pragma once

#include <vector>

#include "settings.h"

namespace axle::openvino {

using Port = Handle<ov_output_const_port_t>;

// In the order of `known` and under its names. `may_differ`: the host knows only what a file says of itself; where that are other
// inputs or outputs than were compiled, what was compiled counts, in the vendor's order and under its names. Appends to `specs`.
std::vector<Port> read_inputs(const Api& api, const ov_compiled_model_t* model, const std::vector<kit::IoSpec>& known,
                              bool may_differ, std::vector<kit::IoSpec>& specs);
std::vector<Port> read_outputs(const Api& api, const ov_compiled_model_t* model, const std::vector<kit::IoSpec>& known,
                               bool may_differ, std::vector<kit::IoSpec>& specs);

}  // namespace axle::openvino
