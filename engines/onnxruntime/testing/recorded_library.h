// An ONNX Runtime that computes nothing: it is of the version, and has the execution providers, that a test says, and writes down
// what is asked of its session options. The library is opened as any other (AXLE_ORT_RECORDED_LIBRARY is its path).
#pragma once

#include <dlfcn.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <onnxruntime_c_api.h>

namespace axle::ort::testing {

struct RecordedDevice {
  std::string provider;  // "QNNExecutionProvider"
  OrtHardwareDeviceType type = OrtHardwareDeviceType_NPU;
  std::string library;  // of a plugin provider; "" = part of ONNX Runtime
};

struct Recording {
  std::string version = "1.31.1";
  std::vector<std::string> compiled_in = {"CPUExecutionProvider"};
  std::vector<RecordedDevice> devices;
  std::string cannot_start;  // of compiled_in: appending it fails
  std::vector<std::string> nodes = {"first", "second"};  // of every model
  std::vector<std::string> left_to_cpu;  // of the nodes: the provider appended last does not take them
  std::vector<uint32_t> asked_for;  // API versions
  std::vector<std::string>
      appended;  // "CUDAExecutionProvider use_tf32=0", in order; devices as "QNNExecutionProvider on npu ..."
  std::map<std::string, std::string> entries;  // of the session options made last
  int graph_optimization_level = -1;
  int live_options = 0;  // session options and provider options that were not released
  int live_sessions = 0;  // that were not released
  int beyond = 0;  // calls of functions that this version does not have
};

// What the library at `path` writes to, made empty. Null when it cannot be opened.
inline Recording* new_recording(const char* path) {
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  void* symbol = library == nullptr ? nullptr : dlsym(library, "axle_recording");
  if (symbol == nullptr) return nullptr;
  Recording* recording = reinterpret_cast<Recording* (*)()>(symbol)();
  *recording = Recording();
  return recording;
}

}  // namespace axle::ort::testing
