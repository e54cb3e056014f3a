// What plugins' files, engines and their environment variables are called.
#pragma once

#include <string>
#include <string_view>

namespace axle {

// [a-z][a-z0-9_]*, at most 32.
bool is_engine_name(std::string_view name);

// "onnxruntime" for "libaxle_engine_onnxruntime.so"; "" for another file.
std::string engine_of_file(const std::string& file);

// AXLE_ONNXRUNTIME_LIBRARY
std::string library_variable(const std::string& engine);

}  // namespace axle
