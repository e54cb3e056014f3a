// Finds and opens libonnxruntime: explicit path, AXLE_ONNXRUNTIME_LIBRARY, the search folders (Python environments first), the system.
#pragma once

#include <string>
#include <vector>

#include "ort_api.h"

namespace axle::ort {

inline constexpr const char* kInstallCommand = "pip install onnxruntime==1.31.1";
inline constexpr const char* kLibraryVariable = "AXLE_ONNXRUNTIME_LIBRARY";

struct VendorLibrary {
  Api api;
  std::string path;  // as the dynamic linker resolved it
  std::string version;  // "1.31.1"
  std::string build;  // build information text
};

// Never closed again. Throws UNAVAILABLE naming every place that was tried and what was wrong with it; an explicit path or
// the variable is never replaced by another library.
VendorLibrary open_vendor_library(const kit::CreateArgs& args);

// Places that open_vendor_library looks at when nothing is explicit, in order.
std::vector<std::string> library_candidates(const std::vector<std::string>& search_folders);

// Other ONNX Runtime copies mapped into this process now (libonnxruntime or the Python module, which links its own).
std::vector<std::string> other_copies(const std::string& path);

}  // namespace axle::ort
