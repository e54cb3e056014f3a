// The documents of profiles/, as they were when axle was built.
#pragma once

#include <span>
#include <string_view>

namespace axle {

struct BuiltInDocument {
  std::string_view name;  // of the file, without its ending
  std::string_view text;
};

std::span<const BuiltInDocument> built_in_device_profiles();
std::span<const BuiltInDocument> built_in_machines();

}  // namespace axle
