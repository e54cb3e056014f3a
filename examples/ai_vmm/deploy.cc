// Deploys a model under a bound on its latency and runs it once: deploy MODEL [MILLISECONDS]
#include <cstdio>
#include <cstdlib>

#include "ai_vmm/vmm.hpp"

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: deploy MODEL [MILLISECONDS]\n");
    return 2;
  }
  try {
    ai_vmm::VMM vmm;
    ai_vmm::DeploymentConstraints constraints;
    if (argc > 2) constraints.max_latency_ms = std::strtod(argv[2], nullptr);
    const auto model = vmm.deploy(argv[1], constraints);
    std::printf("%s: %s (%s)\n", argv[1], ai_vmm::model_category_name(model.category()), model.category_reason().c_str());
    std::printf("runs as %s\n", model.candidate().c_str());

    ai_vmm::TensorMap inputs;  // zeros; axes that are open get the size 1
    for (const ai_vmm::TensorSpec& spec : model.inputs()) {
      std::vector<int64_t> shape = spec.shape;
      for (int64_t& size : shape) size = size < 0 ? 1 : size;
      inputs.emplace(spec.name, ai_vmm::Tensor(shape, spec.dtype));
    }
    for (const auto& [name, tensor] : model.execute(inputs)) {
      std::printf("  %s %s\n", name.c_str(), axle::format_shape(std::span<const int64_t>(tensor.shape())).c_str());
    }
    const ai_vmm::QosReport qos = model.qos();
    if (qos.limit_ms > 0)
      std::printf("%lld of %lld executions were over %g ms\n", static_cast<long long>(qos.violations),
                  static_cast<long long>(qos.executions), qos.limit_ms);
  } catch (const ai_vmm::Error& error) {
    std::fprintf(stderr, "%s error: %s\n", ai_vmm::error_category_name(error.category()), error.what());
    return 1;
  }
  return 0;
}
