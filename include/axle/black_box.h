// BlackBox: a vendor's compiler or runtime as a program names it (a command, flags, a library), written as the engine description that
// axle runs it by (docs/formats/engine-description.md). For front doors that are given tools rather than a file. A value.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "axle/device.h"
#include "axle/export.h"
#include "axle/status.h"

namespace axle {

struct BlackBoxFunction {
  std::string symbol;
  std::string signature;  // "handle(path)"; the words are those of the format
};

struct BlackBox {
  std::string name;  // of the engine: [a-z][a-z0-9_]*, at most 32
  std::string vendor = "unknown";
  ResourceKind kind = ResourceKind::kNpu;
  // Of the devices that the tools serve ("1e60:2864"). Without any nothing shows that a device computes: the engine is called simulated.
  std::vector<std::string> pci_ids;
  std::vector<std::string> formats = {"onnx"};
  std::string precision = "f32";

  // The compiler: a program. "" = there is none, and `engine_file` is what one made before.
  std::string program;  // its file name
  std::vector<std::string> search_paths;  // folders, before PATH
  // Words of its command line. {input}, {output}, {config} and {NAME} of a flag are replaced.
  std::vector<std::string> arguments;
  std::map<std::string, std::string> flags;
  std::string config;  // text of the file {config}, replaced likewise; "" = there is no such file
  std::vector<std::string> version_arguments;  // that make it print its version
  std::string version_pattern;  // POSIX extended, one group: the version
  std::string versions;  // accepted: ">=1.2, <2", "=2.0"; "" = any
  std::vector<std::string> log_must;  // patterns that its log must have
  int64_t timeout_ns = int64_t{600} * 1'000'000'000;

  std::string engine_file;  // absolute
  std::string engine_digest;  // "sha256:..." of its content

  std::string output = "engine.bin";  // name of the compiled file

  // The runtime: functions of a library, by "load", "run", "unload", "last_error". "" = what is compiled is not run.
  std::string runtime_library;  // a path, or a name that the system finds
  std::map<std::string, BlackBoxFunction> functions;
};

// "npu_compile" of "Npu-Compile 2": the nearest name that an engine may have.
AXLE_API std::string engine_name_of(std::string_view text);

// The flags as words: "--precision", "{precision}", "--optimization-level", "{optimization_level}".
AXLE_API std::vector<std::string> flag_arguments(const std::map<std::string, std::string>& flags);

// INVALID_ARGUMENT: neither a program nor an engine file, or a name that is none.
AXLE_API Result<std::string> describe_black_box(const BlackBox& box);

}  // namespace axle
