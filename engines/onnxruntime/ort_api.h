// The vendor's C table and thin ownership over it. Everything that touches a slot newer than kMinimumApi asks has() first:
// the table of an older library simply ends earlier.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <onnxruntime_c_api.h>

#include "axle/engine_kit.h"

namespace axle::ort {

// Oldest library that is accepted (1.18: external initialisers from memory).
inline constexpr uint32_t kMinimumApi = 18;
static_assert(ORT_API_VERSION >= 21, "the ONNX Runtime headers must be 1.21 or newer");

// API version N belongs to release 1.N. `version` = the smaller of what headers and library know.
struct Api {
  const OrtApi* table = nullptr;
  uint32_t version = 0;
  const OrtApi* operator->() const noexcept { return table; }
  bool has(uint32_t wanted) const noexcept { return version >= wanted; }
};

// An owned vendor object: Handle<OrtSession> session(raw, api->ReleaseSession).
template <typename T>
using Handle = kit::VendorHandle<T>;

// Calls `create(&raw)` and owns what it made. Throws like check().
template <typename T, typename Create>
Handle<T> make(const Api& api, void (*release)(T*), std::string_view what, Create&& create);

// Takes the status. Throws kit::Error with the vendor's code and text, "what: " in front.
void check(const Api& api, OrtStatus* status, std::string_view what);

// The code of axle that fits a vendor failure; the text matters because the vendor reports out-of-memory as a run-time exception.
axle_code_t code_of(OrtErrorCode code, std::string_view message) noexcept;

// ONNX TensorProto.DataType number <-> the vendor's; the two part after INT4. 0 (UNDEFINED) for what has no counterpart.
ONNXTensorElementDataType to_vendor_type(int32_t onnx_type) noexcept;
int32_t from_vendor_type(ONNXTensorElementDataType type) noexcept;

// While alive, vendor log lines of this thread count as details of an error that is returned anyway: they are logged at debug level.
class QuietScope {
 public:
  QuietScope() noexcept;
  ~QuietScope();
  QuietScope(const QuietScope&) = delete;
  QuietScope& operator=(const QuietScope&) = delete;
  static bool active() noexcept;
};

template <typename T, typename Create>
Handle<T> make(const Api& api, void (*release)(T*), std::string_view what, Create&& create) {
  T* raw = nullptr;
  check(api, create(&raw), what);
  return Handle<T>(raw, release);
}

}  // namespace axle::ort
