// DeviceRuntime: the same application over a GPU, an NPU or a PIM device.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "axle/export.h"
#include "axle/policy.h"
#include "axle/session.h"
#include "axle/status.h"
#include "rm_abstract/resource.hpp"

namespace rm_abstract {

// What an application needs of a device. Derive from it to add one.
class AXLE_API DeviceRuntime {
 public:
  virtual ~DeviceRuntime();
  virtual axle::Status load_model(const std::string& model_path) = 0;
  // Continues a text.
  virtual axle::Result<std::string> generate(const std::string& prompt, int32_t max_tokens) = 0;
  virtual void cleanup() = 0;
};

struct DeviceRuntimeOptions {
  std::string device;  // axle's selector; "" = any of the runtime's kind
  std::string engine;  // this one and no other; "" = axle's choice
  axle::Policy policy;
  std::shared_ptr<axle::Runtime> runtime;  // null = the process's own
};

// A model on one kind of device through axle. Making one touches no device.
class AXLE_API AxleRuntime : public DeviceRuntime {
 public:
  explicit AxleRuntime(ResourceType type, DeviceRuntimeOptions options = {});
  ~AxleRuntime() override;
  // Plans, compiles or fetches, and loads. FAILED_PRECONDITION: there is no such device, or nothing runs the model on it; nothing stands in.
  axle::Status load_model(const std::string& model_path) override;
  // UNIMPLEMENTED in this version: no engine runs a language model with its tokenizer and cache.
  axle::Result<std::string> generate(const std::string& prompt, int32_t max_tokens) override;
  void cleanup() override;
  // FAILED_PRECONDITION before load_model.
  axle::Result<std::vector<axle::NamedTensor>> run(std::span<const axle::NamedTensor> inputs) const;
  const axle::Session* session() const noexcept { return session_ ? &*session_ : nullptr; }

 private:
  ResourceType type_;
  DeviceRuntimeOptions options_;
  std::optional<axle::Session> session_;
};

class CpuRuntime final : public AxleRuntime {
 public:
  explicit CpuRuntime(DeviceRuntimeOptions options = {}) : AxleRuntime(ResourceType::CPU, std::move(options)) {}
};
class GpuRuntime final : public AxleRuntime {
 public:
  explicit GpuRuntime(DeviceRuntimeOptions options = {}) : AxleRuntime(ResourceType::GPU, std::move(options)) {}
};
class NpuRuntime final : public AxleRuntime {
 public:
  explicit NpuRuntime(DeviceRuntimeOptions options = {}) : AxleRuntime(ResourceType::NPU, std::move(options)) {}
};
class PimRuntime final : public AxleRuntime {
 public:
  explicit PimRuntime(DeviceRuntimeOptions options = {}) : AxleRuntime(ResourceType::PIM, std::move(options)) {}
};

}  // namespace rm_abstract
