// The C++ front door, seen from outside: a model is deployed and executed, and one that is not there is an error with a family.
#include <cstdio>
#include <fstream>
#include <string>

#include "ai_vmm/vmm.hpp"

namespace {

// y = Relu(x) on four f32 values, as ONNX.
constexpr unsigned char kRelu[] = {0x08, 0x08, 0x3a, 0x36, 0x0a, 0x0c, 0x0a, 0x01, 0x78, 0x12, 0x01, 0x79, 0x22,
                                   0x04, 0x52, 0x65, 0x6c, 0x75, 0x12, 0x04, 0x74, 0x69, 0x6e, 0x79, 0x5a, 0x0f,
                                   0x0a, 0x01, 0x78, 0x12, 0x0a, 0x0a, 0x08, 0x08, 0x01, 0x12, 0x04, 0x0a, 0x02,
                                   0x08, 0x04, 0x62, 0x0f, 0x0a, 0x01, 0x79, 0x12, 0x0a, 0x0a, 0x08, 0x08, 0x01,
                                   0x12, 0x04, 0x0a, 0x02, 0x08, 0x04, 0x42, 0x04, 0x0a, 0x00, 0x10, 0x11};

int check(bool right, const char* what) {
  if (!right) std::fprintf(stderr, "wrong: %s\n", what);
  return right ? 0 : 1;
}

}  // namespace

// outside_vmm FOLDER: a folder to write into.
int main(int argc, char** argv) {
  const std::string folder = argc > 1 ? argv[1] : ".";
  const std::string path = folder + "/relu.onnx";
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(kRelu), sizeof kRelu);
  axle::RuntimeOptions runtime_options;
  runtime_options.cache_folder = folder + "/cache";
  runtime_options.engines = {"null"};  // installed with axle, needs no vendor library
  const auto runtime = axle::Runtime::create(runtime_options);
  if (!runtime.ok()) return check(false, runtime.status().to_string().c_str());

  ai_vmm::VMM vmm({*runtime, nullptr});
  int wrong = 0;
  try {
    auto model = vmm.deploy(path);
    auto out = model.execute(ai_vmm::Tensor::from<float>({4}, {-1, 2, -3, 4}));
    const auto values = out.values<float>();
    wrong += check(values[0] == 0 && values[1] == 2 && values[2] == 0 && values[3] == 4, "the output of Relu");
    std::printf("deployed as %s\n", model.candidate().c_str());
  } catch (const ai_vmm::Error& error) {
    wrong += check(false, error.what());
  }
  try {
    vmm.deploy("/nonexistent/model.onnx");
    wrong += check(false, "a missing model was deployed");
  } catch (const ai_vmm::CompilationError& error) {
    std::printf("%s\n", error.what());
    wrong += check(error.code() == axle::StatusCode::kNotFound, "the code of a missing model");
  }
  return wrong == 0 ? 0 : 1;
}
