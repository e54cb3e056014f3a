// The plain types of ai_vmm, the C++ front door: what hardware, models and constraints are called here, tensors, and errors.
// All are values. This front door reports failures as exceptions (Error and its three families), each with axle's own message
// and hint; nothing below it throws.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "axle/device.h"
#include "axle/export.h"
#include "axle/status.h"
#include "axle/tensor.h"

namespace ai_vmm {

// ---- errors --------------------------------------------------------------------------------------------------------

// COMPILATION: the model cannot be read, is not supported, or does not compile. RUNTIME: memory ran out, a device or an
// engine failed. PERFORMANCE: a constraint on latency, throughput, power or memory is not met, or a deadline passed.
enum class ErrorCategory : uint8_t { COMPILATION, RUNTIME, PERFORMANCE };

AXLE_API const char* error_category_name(ErrorCategory category) noexcept;  // "compilation", ...

// what() is axle's message, followed by its hint in brackets where there is one.
class AXLE_API Error : public std::runtime_error {
 public:
  Error(ErrorCategory category, axle::Status status);
  ~Error() override;
  ErrorCategory category() const noexcept { return category_; }
  axle::StatusCode code() const noexcept { return status_.code(); }
  const std::string& message() const noexcept { return status_.message(); }
  const std::string& hint() const noexcept { return status_.hint(); }  // what to do next; may be empty
  const axle::Status& status() const noexcept { return status_; }

 private:
  ErrorCategory category_;
  axle::Status status_;
};

class AXLE_API CompilationError : public Error {
 public:
  explicit CompilationError(axle::Status status);
  ~CompilationError() override;
};

class AXLE_API RuntimeError : public Error {
 public:
  explicit RuntimeError(axle::Status status);
  ~RuntimeError() override;
};

class AXLE_API PerformanceError : public Error {
 public:
  explicit PerformanceError(axle::Status status);
  ~PerformanceError() override;
};

// Throws the exception of the status's family; `otherwise` is the family of a status that names none and whose code says
// nothing of it.
[[noreturn]] AXLE_API void throw_error(axle::Status status, ErrorCategory otherwise);

// ---- models and hardware -------------------------------------------------------------------------------------------

// What kind of model it is, found from its structure.
enum class ModelCategory : uint8_t {
  LLM_TRANSFORMER,        // GPT, BERT, LLaMA variants
  VISION_CNN,             // ResNet, EfficientNet, YOLO
  VISION_TRANSFORMER,     // ViT, SWIN
  SPEECH_RNN,             // Whisper, Wav2Vec2, recurrent models
  RECOMMENDATION_SYSTEM,  // DLRM, embedding-heavy models
  SCIENTIFIC_ML,          // physics-informed networks, graph networks
  OTHER,                  // none of these can be told from the structure
};

AXLE_API const char* model_category_name(ModelCategory category) noexcept;  // "VISION_CNN", ...
AXLE_API ModelCategory parse_model_category(const std::string& name) noexcept;  // OTHER for an unknown name

enum class HardwareType : uint8_t { CPU, GPU, NPU, PIM, REMOTE, HYBRID };

AXLE_API const char* hardware_type_name(HardwareType type) noexcept;  // "CPU", ...

// A piece of hardware and what can be done on it. VMM::hardware() fills it in for this machine; a ComputeBackend does so for
// its own.
struct HardwareCapabilities {
  std::string id;      // axle's selector of it ("cpu:0"); left empty by a ComputeBackend
  std::string name;    // as the vendor writes it
  std::string vendor;  // "intel", "nvidia", "amd", ... lower case
  HardwareType type = HardwareType::CPU;
  uint64_t memory_bytes = 0;                     // 0 = not known
  std::vector<std::string> precisions = {"f32"}; // "f32", "bf16", "f16", "int8", ...; the first is what it prefers
  std::vector<std::string> formats = {"onnx"};   // model formats, in axle's words
  std::vector<std::string> tags;                 // "integrated", "discrete", ...
  std::string pci_address;                       // "0000:c4:00.0": joins a backend's device with what axle discovered
  std::string uuid;                              // the same for devices that have one
  bool simulated = false;                        // not real hardware: a candidate only when named or allowed
  bool dynamic_shapes = true;                    // false: fixed input sizes only
  bool multiple_tensors = false;                 // a ComputeBackend that overrides execute_all
  std::string version;                           // of a ComputeBackend's own settings: measurements hold per version
  std::vector<std::string> backends;             // that reach it; filled in by VMM::hardware()
};

// ---- constraints ---------------------------------------------------------------------------------------------------

// How the work is spread. What this version does not execute is refused by name when a model is deployed, never ignored.
enum class SchedulingStrategy : uint8_t {
  AUTO,               // axle's choice
  SINGLE_DEVICE,      // the whole model on one device
  MODEL_PARALLEL,     // layers split over devices: a request goes from one to the next, each holds its layers only
  PIPELINE_PARALLEL,  // stages on several devices
  HYBRID,             // engines and devices may share the model
};

// Prepared goals: what to be good at where the constraints leave a choice.
enum class HardwareProfile : uint8_t { BALANCED, LOW_LATENCY, HIGH_THROUGHPUT, LOW_MEMORY, LOW_POWER };

// What a deployment must keep to. A bound that is 0 is absent. A bound that was not measured is not believed: the deployment
// measures first, within measure_for_s.
struct DeploymentConstraints {
  double max_latency_ms = 0;              // of one execution, at latency_percentile
  int latency_percentile = 95;            // 50 (wants 20 measured runs), 95 (200) or 99 (1,000)
  double min_throughput = 0;              // executions per second, one at a time
  double max_power_watts = 0;  // decided by the declared model of the hardware; watched by its counters where it has any
  uint64_t max_memory_bytes = 0;  // measured where it was, else estimated
  std::vector<std::string> preferred_hardware;  // selectors ("npu", "gpu@nvidia"), any of them first; other hardware stands in
  // when none of them can run the model, and Model::substitutions() says so
  std::vector<std::string> required_hardware;  // selectors; nothing stands in
  std::vector<std::string> excluded_hardware;  // selectors
  std::vector<std::string> precisions;  // one = forced, several = in order, each gated by max_relative_error
  double max_relative_error = 0;  // admits other precisions than the model's own within this error; 0 = none
  SchedulingStrategy strategy = SchedulingStrategy::AUTO;
  HardwareProfile profile = HardwareProfile::BALANCED;
  int threads = 0;  // compute threads; 0 = axle's choice
  double measure_for_s = 5;  // at most, and only for what was not measured here before; 0 = never measure
};

// ---- tensors -------------------------------------------------------------------------------------------------------

using DataType = axle::DataType;

namespace detail {
template <typename T>
constexpr DataType data_type_of() {
  if constexpr (std::is_same_v<T, float>) return DataType::kFloat32;
  if constexpr (std::is_same_v<T, double>) return DataType::kFloat64;
  if constexpr (std::is_same_v<T, bool>) return DataType::kBool;
  if constexpr (std::is_same_v<T, int8_t>) return DataType::kInt8;
  if constexpr (std::is_same_v<T, int16_t>) return DataType::kInt16;
  if constexpr (std::is_same_v<T, int32_t>) return DataType::kInt32;
  if constexpr (std::is_same_v<T, int64_t>) return DataType::kInt64;
  if constexpr (std::is_same_v<T, uint8_t>) return DataType::kUint8;
  if constexpr (std::is_same_v<T, uint16_t>) return DataType::kUint16;
  if constexpr (std::is_same_v<T, uint32_t>) return DataType::kUint32;
  if constexpr (std::is_same_v<T, uint64_t>) return DataType::kUint64;
  return DataType::kUndefined;
}
}  // namespace detail

// Dense, row-major values in host memory. A value: copies share the bytes, clone() does not. Throws RuntimeError.
class AXLE_API Tensor {
 public:
  Tensor() noexcept = default;
  // Zero-filled.
  explicit Tensor(std::vector<int64_t> shape, DataType dtype = DataType::kFloat32);
  // The same tensor in axle's type; nothing is copied.
  explicit Tensor(axle::Tensor tensor) noexcept : tensor_(std::move(tensor)) {}
  const axle::Tensor& to_axle() const noexcept { return tensor_; }

  // A copy of `values`, whose number must be that of `shape`.
  template <typename T>
  static Tensor from(std::vector<int64_t> shape, std::span<const T> values) {
    static_assert(detail::data_type_of<T>() != DataType::kUndefined, "no tensor holds elements of this type");
    Tensor tensor(std::move(shape), detail::data_type_of<T>());
    tensor.check_count(values.size());
    if (!values.empty()) std::memcpy(tensor.tensor_.mutable_data(), values.data(), values.size_bytes());
    return tensor;
  }
  template <typename T>
  static Tensor from(std::vector<int64_t> shape, std::initializer_list<T> values) {
    return from<T>(std::move(shape), std::span<const T>(values.begin(), values.size()));
  }
  template <typename T>
  static Tensor from(std::vector<int64_t> shape, const std::vector<T>& values) {
    return from<T>(std::move(shape), std::span<const T>(values));
  }
  // A view of the caller's values, which must outlive every copy of the tensor.
  template <typename T>
  static Tensor view(std::vector<int64_t> shape, std::span<T> values) {
    return borrow(detail::data_type_of<std::remove_const_t<T>>(), std::move(shape),
                  const_cast<std::remove_const_t<T>*>(values.data()), values.size_bytes(), std::is_const_v<T>);
  }

  const std::vector<int64_t>& shape() const noexcept { return tensor_.shape(); }
  DataType dtype() const noexcept { return tensor_.dtype(); }
  int64_t size() const noexcept { return tensor_.element_count(); }  // elements
  size_t size_bytes() const noexcept { return tensor_.size_bytes(); }
  bool defined() const noexcept { return tensor_.defined(); }

  // The elements; refused for another type than the tensor's.
  template <typename T>
  std::span<const T> values() const {
    check_type(detail::data_type_of<T>());
    return tensor_.as<T>();
  }
  // Writes through to every copy; refused for a view of constant values.
  template <typename T>
  std::span<T> mutable_values() {
    check_type(detail::data_type_of<T>());
    check_writable();
    return tensor_.mutable_as<T>();
  }
  // A deep copy.
  Tensor clone() const;

 private:
  static Tensor borrow(DataType dtype, std::vector<int64_t> shape, void* data, size_t size_bytes, bool read_only);
  void check_count(size_t count) const;
  void check_type(DataType dtype) const;
  void check_writable() const;
  axle::Tensor tensor_;
};

// Tensors by the names of a model's inputs or outputs.
using TensorMap = std::map<std::string, Tensor>;

// Declaration of one input or output of a model.
struct TensorSpec {
  std::string name;
  DataType dtype = DataType::kUndefined;
  std::vector<int64_t> shape;  // -1 = known only at the call
  bool optional = false;  // inputs: may be left out
};

}  // namespace ai_vmm
