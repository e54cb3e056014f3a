#include "ai_vmm/vmm.hpp"

#include <algorithm>
#include <utility>

#include "axle/convert.h"
#include "axle/engine.h"
#include "axle/tune.h"
#include "backend_engine.h"
#include "constraints.h"
#include "measured_for.h"
#include "model_impl.h"

namespace ai_vmm {
namespace {

HardwareType type_of(axle::ResourceKind kind) {
  switch (kind) {
    case axle::ResourceKind::kCpu: return HardwareType::CPU;
    case axle::ResourceKind::kGpu: return HardwareType::GPU;
    case axle::ResourceKind::kNpu: return HardwareType::NPU;
    case axle::ResourceKind::kPim: return HardwareType::PIM;
    case axle::ResourceKind::kRemote: return HardwareType::REMOTE;
    case axle::ResourceKind::kHybrid: break;
  }
  return HardwareType::HYBRID;
}

void add_once(std::vector<std::string>& words, const std::string& word) {
  if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(word);
}

// A refusal that lists decisions is the planner's: nothing here compiles the model, whether what lacks is an engine or the policy's
// leave. Bounds that were not met by measurement, or could not be judged, are failures of performance.
axle::Status with_reason(axle::Status status) {
  if (status.family() != axle::ErrorFamily::kNone) return status;
  for (const auto& [key, text] : status.details()) {
    if (key != "decisions") continue;
    for (const char* code : {R"("code":"CONSTRAINT")", R"("code":"NOT_ENOUGH_EVIDENCE")"}) {
      if (text.find(code) != std::string::npos) return std::move(status).with_family(axle::ErrorFamily::kPerformance);
    }
    return std::move(status).with_family(axle::ErrorFamily::kCompilation);
  }
  return status;
}

// A kind that is asked for means the simulated devices of backends that this program registered, too; any other simulator must be
// named itself ("pim:0#sim").
void name_own_simulators(std::vector<std::string>& targets) {
  std::vector<std::string> named;
  for (const std::string& target : targets) {
    named.push_back(target);
    for (const std::string& id : simulated_devices()) {
      const std::string selector = id + "#sim";
      const bool meant = target == id || target == id.substr(0, id.find(':'));
      if (meant && std::find(named.begin(), named.end(), selector) == named.end()) named.push_back(selector);
    }
  }
  targets = std::move(named);
}

// One deployment: reads, judges, measures where nothing is known, loads.
class Deployment {
 public:
  Deployment(const VMMOptions& options, const DeploymentConstraints& constraints)
      : options_(options), constraints_(constraints) {}

  axle::Status run(const std::string& path, const TensorMap& samples, Model::Impl& out) {
    AXLE_ASSIGN_OR_RETURN(out.policy, policy_of(constraints_));
    name_own_simulators(out.policy.execution.targets);
    out.runtime = options_.runtime;
    if (!out.runtime) {
      AXLE_ASSIGN_OR_RETURN(out.runtime, axle::default_runtime());
    }
    say("reading the model");
    AXLE_ASSIGN_OR_RETURN(out.model, axle::open_model(*out.runtime, path));
    if (axle::needs_conversion(out.model->format())) {
      axle::ConvertOptions convert;
      convert.progress = options_.progress;
      for (const auto& [name, tensor] : samples) convert.samples.push_back({name, tensor.to_axle()});
      AXLE_ASSIGN_OR_RETURN(out.model, axle::convert_model(*out.runtime, *out.model, convert));
    }
    AXLE_RETURN_IF_ERROR(analyse(out));
    AXLE_RETURN_IF_ERROR(take_samples(out, samples));
    AXLE_ASSIGN_OR_RETURN(const axle::Plan plan, decide(out));
    axle::SessionOptions session_options;
    session_options.policy = out.policy;
    session_options.samples = samples_;
    session_options.runtime = out.runtime;
    session_options.progress = options_.progress;
    session_options.on_violation = options_.on_violation;
    AXLE_ASSIGN_OR_RETURN(out.session, axle::Session::load(*out.model, plan, std::move(session_options)));
    watch(out);
    return axle::ok_status();
  }

 private:
  void say(const std::string& what, double fraction = -1) const {
    if (options_.progress) options_.progress(what, fraction);
  }

  // What executions are counted against, and what each of them copies.
  void watch(Model::Impl& out) const {
    out.limit_ms = constraints_.max_latency_ms;
    for (const axle::Transfer& transfer : out.session->plan().transfers) {
      if (transfer.from_space == transfer.to_space) continue;
      if (transfer.from_partition < 0) {
        out.staged_inputs.insert(transfer.tensor);
      } else {
        out.staged_bytes += transfer.bytes;
      }
    }
  }

  axle::Status analyse(Model::Impl& out) const {
    AXLE_ASSIGN_OR_RETURN(const axle::ModelSummary summary, out.model->summary());
    out.category = parse_model_category(summary.category);
    out.category_reason = summary.category_reason;
    note_category(out.model->digest(), out.category);
    return axle::ok_status();
  }

  // Plans and measurements are judged on the same shapes: the samples', else those of generated inputs.
  axle::Status take_samples(const Model::Impl& out, const TensorMap& samples) {
    for (const auto& [name, tensor] : samples) {
      // Numbers that a PyTorch model takes are constants of what it was converted to.
      if (!out.model->metadata().contains("axle.fixed." + name)) samples_.push_back({name, tensor.to_axle()});
    }
    if (!samples_.empty()) return axle::ok_status();
    axle::SampleOptions options;
    options.policy = out.policy;
    auto generated = axle::generate_samples(*out.runtime, *out.model, options);
    if (generated) {
      samples_ = std::move(generated->tensors);
    } else if (generated.error().code() != axle::StatusCode::kUnimplemented) {
      return std::move(generated).error();
    }
    return axle::ok_status();
  }

  axle::Result<axle::Plan> decide(const Model::Impl& out) const {
    axle::PlanRequest request;
    request.policy = out.policy;
    request.samples = samples_;
    request.progress = options_.progress;
    axle::Result<axle::PlanReport> planned = axle::make_plan(*out.runtime, *out.model, request);
    const bool may_measure = constraints_.measure_for_s > 0 && !samples_.empty();
    if (planned && (!may_measure || measured_for(*out.runtime, planned->plan, out.policy))) return std::move(planned->plan);
    if (!planned && (!may_measure || planned.error().code() != axle::StatusCode::kFailedPrecondition)) {
      return std::move(planned).error();
    }
    axle::TuneOptions tuning;
    tuning.policy = out.policy;
    tuning.samples = samples_;
    tuning.budget_ns = static_cast<int64_t>(constraints_.measure_for_s * 1e9);
    tuning.progress = [&](const axle::TuneReport& report) {
      say("measuring candidates",
          std::min(1.0, static_cast<double>(report.elapsed_ns) / static_cast<double>(tuning.budget_ns)));
    };
    AXLE_ASSIGN_OR_RETURN(axle::TuneReport report, axle::tune(*out.runtime, *out.model, tuning));
    note_measured_for(report.plan, out.policy);
    return std::move(report.plan);
  }

  const VMMOptions& options_;
  const DeploymentConstraints& constraints_;
  std::vector<axle::NamedTensor> samples_;
};

}  // namespace

VMM::VMM(VMMOptions options) : options_(std::move(options)) {}

Model VMM::deploy(const std::string& model_path, const DeploymentConstraints& constraints) {
  return deploy(model_path, constraints, {});
}

Model VMM::deploy(const std::string& model_path, const DeploymentConstraints& constraints, const TensorMap& samples) {
  auto impl = std::make_shared<Model::Impl>();
  axle::Status status = Deployment(options_, constraints).run(model_path, samples, *impl);
  if (!status.ok()) throw_error(with_reason(std::move(status)), ErrorCategory::COMPILATION);
  return Model(std::move(impl));
}

std::vector<HardwareCapabilities> VMM::hardware() {
  auto runtime = options_.runtime ? axle::Result<std::shared_ptr<axle::Runtime>>(options_.runtime) : axle::default_runtime();
  if (!runtime) throw_error(std::move(runtime).error(), ErrorCategory::RUNTIME);
  auto machine = (*runtime)->machine();
  if (!machine) throw_error(std::move(machine).error(), ErrorCategory::RUNTIME);
  const std::vector<axle::EngineState> engines = (*runtime)->engines().states();
  std::vector<HardwareCapabilities> all;
  for (const axle::Resource& resource : machine->resources) {
    HardwareCapabilities hardware;
    hardware.id = resource.id;
    hardware.name = resource.name;
    hardware.vendor = resource.vendor;
    hardware.type = type_of(resource.kind);
    hardware.memory_bytes = resource.memory_bytes;
    hardware.tags = resource.tags;
    hardware.pci_address = resource.pci_address;
    hardware.uuid = resource.uuid;
    hardware.simulated = resource.simulated;
    hardware.precisions.clear();
    hardware.formats.clear();
    for (const axle::EngineState& engine : engines) {
      const auto capability = engine.capabilities.find(resource.id);
      if (!engine.present || capability == engine.capabilities.end()) continue;
      hardware.backends.push_back(engine.name);
      for (const axle::PrecisionSpec& precision : capability->second.precisions) add_once(hardware.precisions, precision.name);
      for (const std::string& format : capability->second.formats) add_once(hardware.formats, format);
    }
    all.push_back(std::move(hardware));
  }
  return all;
}

std::vector<MemorySpace> VMM::memory_spaces() {
  std::vector<MemorySpace> spaces = {{"host", {}, 0, true}};
  for (const HardwareCapabilities& hardware : this->hardware()) {
    const auto tagged = [&](const char* tag) {
      return std::find(hardware.tags.begin(), hardware.tags.end(), tag) != hardware.tags.end();
    };
    if (hardware.type == HardwareType::CPU || tagged("integrated")) {
      spaces.front().hardware.push_back(hardware.id);
      if (hardware.type == HardwareType::CPU)
        spaces.front().total_bytes = std::max(spaces.front().total_bytes, hardware.memory_bytes);
    } else if (hardware.type != HardwareType::REMOTE) {
      spaces.push_back({hardware.id, {hardware.id}, hardware.memory_bytes, false});
    }
  }
  return spaces;
}

void VMM::register_backend(std::shared_ptr<ComputeBackend> backend, const std::string& name) {
  auto runtime = options_.runtime ? axle::Result<std::shared_ptr<axle::Runtime>>(options_.runtime) : axle::default_runtime();
  if (!runtime) throw_error(std::move(runtime).error(), ErrorCategory::RUNTIME);
  auto machine = (*runtime)->machine();
  if (!machine) throw_error(std::move(machine).error(), ErrorCategory::RUNTIME);
  axle::Status status = register_backend_engine(std::move(backend), name, *machine);
  if (!status.ok()) throw_error(std::move(status), ErrorCategory::RUNTIME);
}

}  // namespace ai_vmm
