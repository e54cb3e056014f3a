#include "ai_vmm/model.hpp"

#include <chrono>
#include <utility>

#include "axle/explain.h"
#include "model_impl.h"

namespace ai_vmm {
namespace {

std::string names_of(const std::vector<axle::IoSpec>& specs) {
  std::string names;
  for (const axle::IoSpec& spec : specs) names += (names.empty() ? "" : ", ") + spec.name;
  return names;
}

void check_single(const std::vector<axle::IoSpec>& specs, const char* what) {
  if (specs.size() == 1) return;
  throw RuntimeError(axle::invalid_argument_error("execute(tensor) is for one " + std::string(what) + ", and the model has " +
                                                  std::to_string(specs.size()) + ": " + names_of(specs))
                         .with_hint("give a TensorMap: execute takes and gives tensors by name then"));
}

// Counts an execution against the bound on latency, where there is one.
class QosTimer {
 public:
  explicit QosTimer(const Model::Impl& impl) : impl_(impl) {
    if (impl.limit_ms > 0) start_ = std::chrono::steady_clock::now();
  }
  void finish() const {
    if (impl_.limit_ms <= 0) return;
    const int64_t took = std::chrono::nanoseconds(std::chrono::steady_clock::now() - start_).count();
    impl_.executions.fetch_add(1, std::memory_order_relaxed);
    if (static_cast<double>(took) > impl_.limit_ms * 1e6) impl_.violations.fetch_add(1, std::memory_order_relaxed);
    int64_t worst = impl_.worst_ns.load(std::memory_order_relaxed);
    while (took > worst && !impl_.worst_ns.compare_exchange_weak(worst, took, std::memory_order_relaxed)) {
    }
  }

 private:
  const Model::Impl& impl_;
  std::chrono::steady_clock::time_point start_;
};

std::vector<axle::NamedTensor> run(const Model::Impl& impl, const std::vector<axle::NamedTensor>& feeds) {
  const QosTimer timer(impl);
  auto outputs = impl.session->run(feeds);
  if (!outputs) throw_error(std::move(outputs).error(), ErrorCategory::RUNTIME);
  timer.finish();
  impl.runs.fetch_add(1, std::memory_order_relaxed);
  uint64_t zero_copy = 0, copied = impl.staged_bytes;
  for (const axle::NamedTensor& feed : feeds) {
    const bool staged = !impl.staged_inputs.empty() && impl.staged_inputs.contains(feed.name);
    (staged ? copied : zero_copy) += feed.tensor.size_bytes();
  }
  impl.zero_copy_bytes.fetch_add(zero_copy, std::memory_order_relaxed);
  if (copied > 0) impl.copied_bytes.fetch_add(copied, std::memory_order_relaxed);
  return std::move(*outputs);
}

}  // namespace

std::vector<TensorSpec> specs_of(const std::vector<axle::IoSpec>& declared) {
  std::vector<TensorSpec> specs;
  for (const axle::IoSpec& io : declared) {
    TensorSpec spec{io.name, io.dtype, {}, io.optional};
    for (const axle::Dim& dim : io.shape) spec.shape.push_back(dim.size);
    specs.push_back(std::move(spec));
  }
  return specs;
}

Model::Model(std::any compiled) : impl_(std::make_shared<Impl>()) { impl_->compiled = std::move(compiled); }
Model::Model(std::shared_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Model::~Model() = default;

const std::any& Model::compiled() const noexcept {
  static const std::any nothing;
  return impl_ ? impl_->compiled : nothing;
}

Model::Impl& Model::deployed() const {
  if (impl_ && impl_->session) return *impl_;
  throw RuntimeError(axle::failed_precondition_error("this model was not deployed").with_hint("use what VMM::deploy returns"));
}

Tensor Model::execute(const Tensor& input) const {
  const Impl& impl = deployed();
  check_single(impl.session->inputs(), "input");
  check_single(impl.session->outputs(), "output");
  return Tensor(std::move(run(impl, {{impl.session->inputs().front().name, input.to_axle()}}).front().tensor));
}

TensorMap Model::execute(const TensorMap& inputs) const {
  const Impl& impl = deployed();
  std::vector<axle::NamedTensor> feeds;
  for (const auto& [name, tensor] : inputs) feeds.push_back({name, tensor.to_axle()});
  TensorMap outputs;
  for (axle::NamedTensor& output : run(impl, feeds)) outputs.emplace(output.name, Tensor(std::move(output.tensor)));
  return outputs;
}

std::future<Tensor> Model::execute_async(Tensor input) const {
  return std::async(std::launch::async, [model = *this, input = std::move(input)] { return model.execute(input); });
}

std::future<TensorMap> Model::execute_async(TensorMap inputs) const {
  return std::async(std::launch::async, [model = *this, inputs = std::move(inputs)] { return model.execute(inputs); });
}

std::vector<TensorSpec> Model::inputs() const { return specs_of(deployed().session->inputs()); }
std::vector<TensorSpec> Model::outputs() const { return specs_of(deployed().session->outputs()); }
ModelCategory Model::category() const { return deployed().category; }
std::string Model::category_reason() const { return deployed().category_reason; }

std::string Model::candidate() const {
  std::string text;
  for (const axle::Partition& part : deployed().session->plan().partitions) {
    text += (text.empty() ? "" : " + ") + part.candidate.format();
  }
  return text;
}

std::string Model::explain() const {
  const Impl& impl = deployed();
  axle::RunDocument document;
  document.model = &*impl.model;
  document.policy = &impl.policy;
  document.plan = &impl.session->plan();
  return axle::render_plan_text(document, {});
}

const std::vector<axle::Substitution>& Model::substitutions() const { return deployed().session->substitutions(); }

QosReport Model::qos() const {
  const Impl& impl = deployed();
  return {impl.limit_ms, impl.executions.load(), impl.violations.load(), static_cast<double>(impl.worst_ns.load()) / 1e6,
          impl.session->qos().bounds};
}

MemoryReport Model::memory() const {
  const Impl& impl = deployed();
  MemoryReport report{impl.runs.load(), impl.zero_copy_bytes.load(), impl.copied_bytes.load(), 0};
  for (const auto& counters : impl.session->counters()) {
    const auto copied = counters.find("worker_copied_bytes");
    if (copied != counters.end()) report.process_bytes += static_cast<uint64_t>(copied->second);
  }
  return report;
}

const axle::Session& Model::session() const { return *deployed().session; }

}  // namespace ai_vmm
