// Finds and opens Qualcomm's execution provider and the ONNX Runtime that it plugs into: explicit path, AXLE_QNN_LIBRARY, the
// search folders (`onnxruntime_qnn` of a Python environment), nothing of the system.
#pragma once

#include <compare>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime.h"

namespace axle::qnn {

inline constexpr const char* kInstallCommand = "axle engines install qnn";
inline constexpr const char* kLibraryVariable = "AXLE_QNN_LIBRARY";
// The provider takes whatever name it is registered under, and writes it into what it compiles: always this one.
inline constexpr const char* kProvider = "QNNExecutionProvider";

struct Version {
  uint32_t major = 0, minor = 0, patch = 0;
  auto operator<=>(const Version&) const = default;
  std::string text() const;
};
// "2.51.0"; nullopt for anything else.
std::optional<Version> parse_version(std::string_view text);

struct Library {
  std::shared_ptr<const ort::Runtime> runtime;
  const OrtEpDevice* device = nullptr;  // the vendor's, for the life of the process
  std::string path;                     // of the provider's file
  std::string version;                  // the provider's, and that of the ONNX Runtime under it
  bool emulated = true;                 // no such processor here: the vendor's emulator on this CPU
};

// Never closed again. Throws UNAVAILABLE naming what was tried and what was wrong with it.
Library open_library(kit::Host host, const kit::CreateArgs& args, OrtLoggingLevel level);

// Places that open_library looks at when nothing is explicit, in order.
std::vector<std::string> library_candidates(const std::vector<std::string>& search_folders);

// The version of the backend beside the provider, which writes and reads compiled graphs. nullopt: it does not tell.
std::optional<Version> backend_version(const Library& library);

}  // namespace axle::qnn
