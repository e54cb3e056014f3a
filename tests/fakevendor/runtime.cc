// libfakenpu.so: the FAKE vendor's runtime, C functions only. See README.md for its contract and its faults.
#include <signal.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <thread>

#include "program.h"

#define FAKENPU_API extern "C" __attribute__((visibility("default")))

namespace {

thread_local std::string last_error;

struct Handle {
  fakenpu::Program program;
};

void run_program(const Handle& handle, const void* const* inputs, const size_t* input_sizes, size_t input_count,
                 void* const* outputs, const size_t* output_sizes, size_t output_count) {
  const fakenpu::Program& program = handle.program;
  if (input_count != program.inputs.size() || output_count != program.outputs.size())
    throw std::runtime_error("FAKE error: wrong number of tensors");
  std::map<std::string, fakenpu::Array> values;
  for (size_t i = 0; i < input_count; ++i) {
    fakenpu::Array array{program.inputs[i].shape, {}};
    array.values.resize(static_cast<size_t>(array.count()));
    if (input_sizes[i] != array.values.size() * sizeof(float))
      throw std::runtime_error("FAKE error: an input has the wrong size");
    std::memcpy(array.values.data(), inputs[i], input_sizes[i]);
    values[program.inputs[i].name] = std::move(array);
  }
  fakenpu::run(program, values);
  for (size_t i = 0; i < output_count; ++i) {
    const fakenpu::Array& made = values.at(program.outputs[i].name);
    if (output_sizes[i] != made.values.size() * sizeof(float))
      throw std::runtime_error("FAKE error: an output has the wrong size");
    std::memcpy(outputs[i], made.values.data(), output_sizes[i]);
  }
}

void misbehave(const char* verb) {
  const std::string fault = fakenpu::fault();
  if (fault == std::string(verb) + "_crash") ::raise(SIGSEGV);
  if (fault == std::string(verb) + "_hang") {
    std::ofstream(std::string(std::getenv("FAKENPU_FAULT_FILE")) + ".reached") << verb;  // a test waits for it
    for (;;) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  if (fault == std::string(verb) + "_leak") {
    constexpr size_t kBytes = size_t{32} << 20;
    std::memset(new char[kBytes], 1, kBytes);  // until there is no more
  }
  if (fault == std::string(verb) + "_busy") throw std::runtime_error("FAKE error: device busy");
}

}  // namespace

FAKENPU_API void* fakenpu_load(const char* path) {
  try {
    misbehave("load");
    std::ifstream file(path, std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(file), {});
    return new Handle{fakenpu::parse(bytes)};
  } catch (const std::exception& error) {
    last_error = error.what();
    return nullptr;
  }
}

FAKENPU_API int fakenpu_run(void* handle, const void* const* inputs, const size_t* input_sizes, size_t input_count,
                            void* const* outputs, const size_t* output_sizes, size_t output_count) {
  try {
    misbehave("run");
    run_program(*static_cast<Handle*>(handle), inputs, input_sizes, input_count, outputs, output_sizes, output_count);
    return 0;
  } catch (const std::exception& error) {
    last_error = error.what();
    return 7;
  }
}

FAKENPU_API void fakenpu_unload(void* handle) { delete static_cast<Handle*>(handle); }

FAKENPU_API const char* fakenpu_last_error() { return last_error.c_str(); }

// The names that a runtime has where nobody gives others (rm_abstract).
FAKENPU_API void* npu_load(const char* path) { return fakenpu_load(path); }
FAKENPU_API int npu_run(void* handle, const void* const* inputs, const size_t* input_sizes, size_t input_count,
                        void* const* outputs, const size_t* output_sizes, size_t output_count) {
  return fakenpu_run(handle, inputs, input_sizes, input_count, outputs, output_sizes, output_count);
}
FAKENPU_API void npu_unload(void* handle) { fakenpu_unload(handle); }
