#include "ort_api.h"

#include <array>

namespace axle::ort {
namespace {

// Every run goes through it: four bytes of the room that the loader keeps for late libraries spare a call to find them.
[[gnu::tls_model("initial-exec")]] thread_local int quiet_depth = 0;

bool contains(std::string_view text, std::string_view part) noexcept { return text.find(part) != std::string_view::npos; }

// ONNX has f8e8m0 = 24, u2 = 25, i2 = 26; the vendor appended them in another order.
constexpr int32_t kOnnxF8e8m0 = 24, kOnnxU2 = 25, kOnnxI2 = 26;
constexpr int32_t kVendorU2 = 24, kVendorI2 = 25, kVendorF8e8m0 = 26;
constexpr int32_t kLastCommon = 23;

}  // namespace

axle_code_t code_of(OrtErrorCode code, std::string_view message) noexcept {
  if (contains(message, "bad_alloc") || contains(message, "Failed to allocate memory")) return AXLE_RESOURCE_EXHAUSTED;
  if (contains(message, "terminate flag")) return AXLE_CANCELLED;
  switch (static_cast<int>(code)) {
    case 2: return AXLE_INVALID_ARGUMENT;   // ORT_INVALID_ARGUMENT
    case 3: return AXLE_NOT_FOUND;          // ORT_NO_SUCHFILE
    case 4: return AXLE_NOT_FOUND;          // ORT_NO_MODEL
    case 7: return AXLE_INVALID_ARGUMENT;   // ORT_INVALID_PROTOBUF
    case 8: return AXLE_FAILED_PRECONDITION;  // ORT_MODEL_LOADED
    case 9: return AXLE_UNIMPLEMENTED;      // ORT_NOT_IMPLEMENTED
    case 10: return AXLE_INVALID_ARGUMENT;  // ORT_INVALID_GRAPH
    case 12: return AXLE_CANCELLED;         // ORT_MODEL_LOAD_CANCELED
    case 13: return AXLE_FAILED_PRECONDITION;  // ORT_MODEL_REQUIRES_COMPILATION
    case 14: return AXLE_NOT_FOUND;         // ORT_NOT_FOUND
    case 15: return AXLE_UNAVAILABLE;       // ORT_DEVICE_RESET
    default: return AXLE_UNKNOWN;           // ORT_FAIL, ORT_ENGINE_ERROR, ORT_RUNTIME_EXCEPTION, ORT_EP_FAIL
  }
}

void check(const Api& api, OrtStatus* status, std::string_view what) {
  if (status == nullptr) return;
  const Handle<OrtStatus> owned(status, api->ReleaseStatus);
  const OrtErrorCode code = api->GetErrorCode(status);
  const char* raw = api->GetErrorMessage(status);
  const std::string message = raw == nullptr ? "no text" : raw;
  throw kit::Error(code_of(code, message), std::string(what) + ": " + message).vendor_code(code);
}

ONNXTensorElementDataType to_vendor_type(int32_t onnx_type) noexcept {
  int32_t vendor = 0;
  if (onnx_type >= 0 && onnx_type <= kLastCommon) vendor = onnx_type;
  if (onnx_type == kOnnxF8e8m0) vendor = kVendorF8e8m0;
  if (onnx_type == kOnnxU2) vendor = kVendorU2;
  if (onnx_type == kOnnxI2) vendor = kVendorI2;
  return static_cast<ONNXTensorElementDataType>(vendor);
}

int32_t from_vendor_type(ONNXTensorElementDataType type) noexcept {
  const auto vendor = static_cast<int32_t>(type);
  if (vendor >= 0 && vendor <= kLastCommon) return vendor;
  if (vendor == kVendorF8e8m0) return kOnnxF8e8m0;
  if (vendor == kVendorU2) return kOnnxU2;
  if (vendor == kVendorI2) return kOnnxI2;
  return 0;
}

QuietScope::QuietScope() noexcept { ++quiet_depth; }
QuietScope::~QuietScope() { --quiet_depth; }
bool QuietScope::active() noexcept { return quiet_depth > 0; }

}  // namespace axle::ort
