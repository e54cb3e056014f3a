// Tensors of random numbers of every element type, within what is asked of them.
#pragma once

#include <random>

#include "axle/tensor.h"
#include "runtime/inputs/input_demands.h"

namespace axle {

// Without a demand: floats in [-1, 1), whole numbers 0 or 1, true, "axle". Whole numbers that the type cannot hold become the nearest that it
// can. UNIMPLEMENTED for types without such values (complex).
Result<Tensor> generate_values(DataType dtype, Shape shape, const InputDemand& demand, std::mt19937_64& random);

}  // namespace axle
