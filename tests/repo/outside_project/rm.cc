// The front door of resources and builds, seen from outside: the example of the orchestrator, as far as this machine goes. What is
// installed runs the session; the build and the binary runtime want a vendor, which the FAKE one of axle's tests is.
//   outside_rm FOLDER [FAKENPU]     a folder to write into, and where the FAKE vendor is installed
#include <sys/stat.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "rm_abstract/binary_adapter.hpp"
#include "rm_abstract/device_runtime.hpp"
#include "rm_abstract/resource_manager.hpp"

namespace {

// y = Relu(x) on four f32 values, as ONNX.
constexpr unsigned char kRelu[] = {0x08, 0x08, 0x3a, 0x36, 0x0a, 0x0c, 0x0a, 0x01, 0x78, 0x12, 0x01, 0x79, 0x22,
                                   0x04, 0x52, 0x65, 0x6c, 0x75, 0x12, 0x04, 0x74, 0x69, 0x6e, 0x79, 0x5a, 0x0f,
                                   0x0a, 0x01, 0x78, 0x12, 0x0a, 0x0a, 0x08, 0x08, 0x01, 0x12, 0x04, 0x0a, 0x02,
                                   0x08, 0x04, 0x62, 0x0f, 0x0a, 0x01, 0x79, 0x12, 0x0a, 0x0a, 0x08, 0x08, 0x01,
                                   0x12, 0x04, 0x0a, 0x02, 0x08, 0x04, 0x42, 0x04, 0x0a, 0x00, 0x10, 0x11};

int wrong = 0;

bool check(bool right, const std::string& what) {
  if (!right) {
    std::fprintf(stderr, "wrong: %s\n", what.c_str());
    ++wrong;
  }
  return right;
}

std::vector<axle::NamedTensor> inputs() {
  auto tensor = axle::Tensor::allocate(axle::DataType::kFloat32, {4});
  if (!tensor.ok()) return {};
  const auto values = tensor->mutable_as<float>();
  const float given[] = {-1, 2, -3, 4};
  for (size_t i = 0; i < 4; ++i) values[i] = given[i];
  return {{"x", *std::move(tensor)}};
}

void check_relu(const axle::Result<std::vector<axle::NamedTensor>>& outputs, const char* who) {
  if (!check(outputs.ok() && outputs->size() == 1, std::string(who) + ": " + outputs.status().to_string())) return;
  const auto values = outputs->front().tensor.as<float>();
  check(values[0] == 0 && values[1] == 2 && values[2] == 0 && values[3] == 4, std::string(who) + ": the output of Relu");
}

void resources() {
  rm_abstract::ResourcePool pool;
  const rm_abstract::Resource npu{"npu-rbln-0",
                                  rm_abstract::ResourceType::NPU,
                                  {{"vendor", "Rebellions"}, {"memory_gb", "32"}},
                                  {"low-latency", "fp16-optimized"}};
  check(pool.add(npu).ok(), "a resource is added");
  check(pool.select(rm_abstract::ResourceType::NPU, {"low-latency"}).size() == 1, "a resource is selected by its tag");
  const rm_abstract::Capability capability{8, 4096, {"fp16", "int8"}, true, {"latency"}, {}};
  check(capability.supports("fp16", 8, 4096) && !capability.supports("fp16", 9), "what a capability supports");
}

void build_and_run(const std::string& model, const std::string& folder, const std::string& vendor) {
  const std::string compiler_path = folder + "/npu_compile";
  std::ofstream(compiler_path) << "#!/bin/sh\nwhile [ $# -gt 0 ]; do\n  case $1 in\n    --input) input=$2 ;;\n"
                                  "    --output) output=$2 ;;\n    --optimization-level | --precision) ;;\n"
                                  "    *) echo \"unknown argument $1\" >&2; exit 2 ;;\n  esac\n  shift 2\ndone\nexec '"
                               << vendor << "/bin/fakenpu-compile' --model \"$input\" --output \"$output\"\n";
  ::chmod(compiler_path.c_str(), 0755);
  const rm_abstract::BuildProfile profile{rm_abstract::ResourceType::NPU,
                                          "vendor_npu_compiler",
                                          "2.0",
                                          {{"precision", "fp16"}, {"optimization_level", "3"}},
                                          "cli"};
  rm_abstract::CompilerOptions options;
  options.search_paths = {folder};
  options.cache_folder = folder + "/cache";
  rm_abstract::CLICompilerAdapter compiler(profile, "npu_compile", options);
  const auto artifact = compiler.compile(model, folder + "/engine.bin", "llama-7b");
  if (!check(artifact.ok(), artifact.status().to_string())) return;
  rm_abstract::BinaryRuntimeOptions runtime_options;
  runtime_options.cache_folder = options.cache_folder;
  rm_abstract::BinaryRuntimeAdapter runtime(*artifact, vendor + "/lib/libfakenpu.so", runtime_options);
  const axle::Status loaded = runtime.load();
  if (!check(loaded.ok(), loaded.to_string())) return;
  check_relu(runtime.run(inputs()), "the FAKE NPU");
  std::printf("built by %s, run by %s\n", profile.compiler.c_str(),
              runtime.session()->plan().partitions.front().candidate.format().c_str());
}

void manage(const std::string& model, const std::string& folder) {
  axle::RuntimeOptions options;
  options.cache_folder = folder + "/cache";
  options.engines = {"null"};  // installed with axle, needs no vendor library
  const auto runtime = axle::Runtime::create(options);
  if (!check(runtime.ok(), runtime.status().to_string())) return;
  auto manager = rm_abstract::ResourceManager::create(*runtime);
  if (!check(manager.ok(), manager.status().to_string())) return;
  const rm_abstract::Resource cpu = (*manager)->pool().select(rm_abstract::ResourceType::CPU).front();
  rm_abstract::BackendConfig config;
  config.model = model;
  const auto session = (*manager)->create_session(cpu, config);
  if (check(session.ok(), session.status().to_string())) check_relu(session->execute(inputs()), "the plugin of this machine");
  const auto none = (*manager)->choose({"pim:9", rm_abstract::ResourceType::PIM, {}, {}});
  check(none.status().code() == axle::StatusCode::kFailedPrecondition, "a resource that nothing serves");
  rm_abstract::DeviceRuntimeOptions absent;
  absent.device = "npu:77";
  absent.runtime = *runtime;
  rm_abstract::NpuRuntime npu(absent);
  check(npu.load_model(model).code() == axle::StatusCode::kFailedPrecondition, "a device that is not here");
}

}  // namespace

int main(int argc, char** argv) {
  const std::string folder = argc > 1 ? argv[1] : ".";
  const std::string model = folder + "/relu.onnx";
  std::ofstream(model, std::ios::binary).write(reinterpret_cast<const char*>(kRelu), sizeof kRelu);
  resources();
  manage(model, folder);
  if (argc > 2)
    build_and_run(model, folder, argv[2]);
  else
    std::printf("skipped: no vendor to build with\n");
  return wrong == 0 ? 0 : 1;
}
