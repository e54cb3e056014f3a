#include "rm_abstract/device_runtime.hpp"

#include <utility>

namespace rm_abstract {

DeviceRuntime::~DeviceRuntime() = default;

AxleRuntime::AxleRuntime(ResourceType type, DeviceRuntimeOptions options) : type_(type), options_(std::move(options)) {}
AxleRuntime::~AxleRuntime() = default;

axle::Status AxleRuntime::load_model(const std::string& model_path) {
  axle::SessionOptions options;
  options.policy = options_.policy;
  options.runtime = options_.runtime;
  const std::string device = options_.device.empty() ? std::string(resource_type_name(type_)) : options_.device;
  AXLE_RETURN_IF_ERROR(axle::apply_policy_flag(options.policy, "device", device));
  if (!options_.engine.empty()) AXLE_RETURN_IF_ERROR(axle::apply_policy_flag(options.policy, "engine", options_.engine));
  AXLE_ASSIGN_OR_RETURN(session_, axle::Session::create(model_path, std::move(options)));
  return axle::ok_status();
}

axle::Result<std::string> AxleRuntime::generate(const std::string&, int32_t) {
  return axle::unimplemented_error("the " + std::string(resource_type_name(type_)) +
                                   " runtime cannot generate: there is no language model engine yet")
      .with_hint("run() takes tensors; derive from DeviceRuntime to generate with an engine of your own");
}

void AxleRuntime::cleanup() { session_.reset(); }

axle::Result<std::vector<axle::NamedTensor>> AxleRuntime::run(std::span<const axle::NamedTensor> inputs) const {
  if (!session_) return axle::failed_precondition_error("no model is loaded").with_hint("call load_model first");
  return session_->run(inputs);
}

}  // namespace rm_abstract
