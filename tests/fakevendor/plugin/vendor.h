// The vendor's two parts as C++: a compiler that is a program, and a runtime that is a library with C functions.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "axle/engine_kit.h"

namespace axle::fakenpu_plugin {

inline constexpr const char* kInstallCommand =
    "build axle's tests (target axle_fakenpu) and set FAKENPU_HOME to lib/axle/testing/fakenpu of the build folder";

// libfakenpu.so, opened once and never closed.
struct Vendor {
  std::string library, compiler;  // paths
  std::string version;            // as the compiler tells it
  void* (*load)(const char* path) = nullptr;
  int (*run)(void* handle, const void* const* inputs, const size_t* input_sizes, size_t input_count, void* const* outputs,
             const size_t* output_sizes, size_t output_count) = nullptr;
  void (*unload)(void* handle) = nullptr;
  const char* (*last_error)() = nullptr;
};

// The explicit library, else FAKENPU_HOME. Throws UNAVAILABLE: missing or broken.
std::shared_ptr<const Vendor> open_vendor(const kit::CreateArgs& args);

// Compiles model.onnx of `folder` to program.fnpu there; what the compiler printed goes to axle-log.txt, which the host keeps. Throws
// UNIMPLEMENTED where the vendor lacks an operator, CANCELLED, UNKNOWN with its last words.
void compile(const Vendor& vendor, const std::string& folder, const kit::Cancel& cancel);

void write_file(const std::string& path, std::string_view content);
std::string read_file(const std::string& path);

}  // namespace axle::fakenpu_plugin
