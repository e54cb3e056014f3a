// Finds and opens libopenvino_c: explicit path, AXLE_OPENVINO_LIBRARY, the search folders (Python environments first), the system.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <openvino/c/openvino.h>

#include "axle/engine_kit.h"
#include "vendor_functions.h"

namespace axle::openvino {

inline constexpr const char* kInstallCommand = "pip install openvino==2026.4.1";
inline constexpr const char* kLibraryVariable = "AXLE_OPENVINO_LIBRARY";

struct Api {
#define AXLE_OPENVINO_SLOT(name) decltype(&::name) name = nullptr;
  AXLE_OPENVINO_FUNCTIONS(AXLE_OPENVINO_SLOT)
#undef AXLE_OPENVINO_SLOT
  std::string path;  // as the dynamic linker resolved it
  std::string version;  // "2026.4.1"
  std::string build;  // the full build number
};

// The number that `text` starts with; 0 without one.
int leading_number(std::string_view text);

// Throws the vendor's text after `what`.
void check(const Api& api, ov_status_e status, const std::string& what);

// A vendor object with the function that frees it.
template <typename T>
using Handle = kit::VendorHandle<T>;

template <typename T, typename F>
Handle<T> make(const Api& api, void (*release)(T*), const std::string& what, F&& create) {
  T* made = nullptr;
  check(api, create(&made), what);
  return Handle<T>(made, release);
}

// Never closed again. Throws UNAVAILABLE naming what was wrong with each file tried; an explicit path or the variable is
// never replaced by another library.
std::shared_ptr<const Api> open_vendor_library(const kit::CreateArgs& args);

// Places that open_vendor_library looks at when nothing is explicit, in order.
std::vector<std::string> library_candidates(const std::vector<std::string>& search_folders);

// Other copies of the library mapped into this process now.
std::vector<std::string> other_copies(const std::string& path);

}  // namespace axle::openvino
