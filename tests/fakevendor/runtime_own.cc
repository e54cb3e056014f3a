// libfakenpu.so, the interface of vendors that compute in memory of their own, or want to be told shapes. FAKE; see README.md.
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "program.h"

#define FAKENPU_API extern "C" __attribute__((visibility("default")))

namespace {

struct Tensor {
  const char* name;
  float* data;
  size_t bytes;
  char reserved[40];
};

struct Shape {
  int rank;
  int sizes[8];
};

struct Handle {
  int device = 0;
  fakenpu::Program program;
  std::vector<std::vector<float>> memory;
  std::vector<Tensor> inputs, outputs;
  const char* names[1] = {"FAKE network"};
};

constexpr int kDevice = 41;  // what open gives and everything else wants to see again

std::vector<Tensor> tensors_of(const std::vector<fakenpu::Port>& ports, std::vector<std::vector<float>>& memory) {
  std::vector<Tensor> tensors;
  for (const fakenpu::Port& port : ports) {
    const auto count = static_cast<size_t>(fakenpu::Array{port.shape, {}}.count());
    memory.emplace_back(count);
    tensors.push_back({port.name.c_str(), memory.back().data(), count * sizeof(float), {}});
  }
  return tensors;
}

bool same(const Shape& shape, const std::vector<int64_t>& wanted) {
  if (shape.rank != static_cast<int>(wanted.size())) return false;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (shape.sizes[i] != wanted[i]) return false;
  }
  return true;
}

// From and to the handle's own memory.
int compute(Handle& handle) {
  try {
    std::map<std::string, fakenpu::Array> values;
    for (size_t i = 0; i < handle.inputs.size(); ++i) {
      const Tensor& tensor = handle.inputs[i];
      values[tensor.name] = {handle.program.inputs[i].shape, {tensor.data, tensor.data + tensor.bytes / sizeof(float)}};
    }
    fakenpu::run(handle.program, values);
    for (const Tensor& tensor : handle.outputs) std::memcpy(tensor.data, values.at(tensor.name).values.data(), tensor.bytes);
    return 0;
  } catch (const std::exception&) {
    return 7;
  }
}

}  // namespace

FAKENPU_API int fakenpu_own_open(int* device, int index) {
  *device = kDevice;
  return index == 0 ? 0 : 1;
}

FAKENPU_API void* fakenpu_own_create(int device) {
  if (device != kDevice) return nullptr;
  auto* handle = new Handle;
  handle->device = device;
  return handle;
}

FAKENPU_API bool fakenpu_own_load(void* opaque, const char* path) {
  auto& handle = *static_cast<Handle*>(opaque);
  try {
    std::ifstream file(path, std::ios::binary);
    handle.program = fakenpu::parse({std::istreambuf_iterator<char>(file), {}});
  } catch (const std::exception&) {
    return false;
  }
  handle.memory.reserve(handle.program.inputs.size() + handle.program.outputs.size());
  handle.inputs = tensors_of(handle.program.inputs, handle.memory);
  handle.outputs = tensors_of(handle.program.outputs, handle.memory);
  return true;
}

FAKENPU_API int fakenpu_own_tensors(void* opaque, Tensor** inputs, int* input_count, Tensor** outputs, int* output_count) {
  auto& handle = *static_cast<Handle*>(opaque);
  *inputs = handle.inputs.data();
  *input_count = static_cast<int>(handle.inputs.size());
  *outputs = handle.outputs.data();
  *output_count = static_cast<int>(handle.outputs.size());
  return 0;
}

FAKENPU_API void* fakenpu_own_data(Tensor* tensor) { return tensor->data; }
FAKENPU_API size_t fakenpu_own_size(Tensor* tensor) { return tensor->bytes; }
FAKENPU_API void fakenpu_own_names(void* opaque, const char*** names) { *names = static_cast<Handle*>(opaque)->names; }

FAKENPU_API int fakenpu_own_forward(void* opaque, Tensor* inputs, int input_count, Tensor* outputs, int output_count) {
  auto& handle = *static_cast<Handle*>(opaque);
  const bool own = inputs == handle.inputs.data() && outputs == handle.outputs.data() &&
                   input_count == static_cast<int>(handle.inputs.size()) &&
                   output_count == static_cast<int>(handle.outputs.size());
  return own ? compute(handle) : 9;
}

FAKENPU_API bool fakenpu_own_launch(void* opaque, const char* name, const void* const* inputs, const Shape* input_shapes,
                                    int input_count, void* const* outputs, const Shape* output_shapes, int output_count) {
  auto& handle = *static_cast<Handle*>(opaque);
  if (std::strcmp(name, handle.names[0]) != 0 || input_count != static_cast<int>(handle.inputs.size()) ||
      output_count != static_cast<int>(handle.outputs.size()))
    return false;
  for (size_t i = 0; i < handle.inputs.size(); ++i) {
    if (!same(input_shapes[i], handle.program.inputs[i].shape)) return false;
    std::memcpy(handle.inputs[i].data, inputs[i], handle.inputs[i].bytes);
  }
  if (compute(handle) != 0) return false;
  for (size_t i = 0; i < handle.outputs.size(); ++i) {
    if (!same(output_shapes[i], handle.program.outputs[i].shape)) return false;
    std::memcpy(outputs[i], handle.outputs[i].data, handle.outputs[i].bytes);
  }
  return true;
}

FAKENPU_API void fakenpu_own_destroy(void* opaque) { delete static_cast<Handle*>(opaque); }
FAKENPU_API void fakenpu_own_close(int) {}
