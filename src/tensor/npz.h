// .npz archives from memory; load_npz and save_npz of axle/tensor.h are the same for files.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "axle/tensor.h"

namespace axle {

// Arrays in the order of the archive. Errors as of list_zip, read_zip_member and parse_npy, with the member's name.
Result<std::vector<NamedTensor>> parse_npz(std::span<const std::byte> archive);

}  // namespace axle
