// The C++ front door, seen from outside: a model that is not there is an error, not a crash.
#include <cstdio>
#include <exception>

#include "ai_vmm/vmm.hpp"

int main() {
  ai_vmm::VMM vmm;
  try {
    vmm.deploy("/nonexistent/model.onnx");
  } catch (const std::exception& error) {
    std::printf("%s\n", error.what());
    return 0;
  }
  return 1;
}
