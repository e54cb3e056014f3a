// Generations of the Hexagon processor: code for one runs on no other.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace axle::qnn {

// "68", "69", ...: those that the vendor's compiler makes code for.
const std::vector<std::string>& generations();

// Nobody says which one a machine has: who compiles has to.
inline constexpr const char* kUnknownGeneration = "unknown";

// Of a SoC by the name that Linux gives it: "73" for "X1E80100"; kUnknownGeneration.
std::string generation_of_soc(std::string_view soc);

// Of this machine's SoC.
std::string generation_here(const std::string& soc_file = "/sys/devices/soc0/machine");

}  // namespace axle::qnn
