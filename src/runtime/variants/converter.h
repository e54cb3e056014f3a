// The converter: a Python program of ours over onnxruntime's own tools, run in a process of its own. Nothing of it is trusted: it
// has a time limit and a scratch folder, and what it leaves is read and checked like any model.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "axle/cancel.h"
#include "axle/runtime.h"
#include "axle/status.h"

namespace axle {

inline constexpr int64_t kConverterTimeoutNs = int64_t{900} * 1'000'000'000;  // unless RuntimeOptions says otherwise

struct Converter {
  std::string python;  // absolute
  std::string script;
  std::string version;  // "onnxruntime 1.31.1, onnx 1.23.2, axle-convert 1"
};

// The first Python that can import what is needed: AXLE_PYTHON (then no other), the one this library is installed in, VIRTUAL_ENV,
// CONDA_PREFIX, python3 in PATH. What it answered is remembered while its surroundings are as they were. UNAVAILABLE says what
// was tried and what to install; NOT_FOUND: axle-convert.py is not beside the library.
Result<Converter> find_converter(Runtime& runtime);

struct Conversion {
  std::string kind;  // "qdq", "f16"
  std::string model;  // path
  std::string output;  // path, in a folder of the caller's
  std::map<std::string, std::string> options;  // complete
  std::vector<std::string> calibration;  // .npz files, one set of inputs each
};

// Blocks until it is done. INTERNAL with its last words: it failed, was killed, or wrote no file. DEADLINE_EXCEEDED, CANCELLED.
Status convert(Runtime& runtime, const Converter& converter, const Conversion& conversion, const CancelToken& cancel);

}  // namespace axle
