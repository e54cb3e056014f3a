// Which ONNX this build knows. Does not register operator schemas.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace axle {

int64_t newest_ir_version() noexcept;
// 0 for a domain that ONNX does not define.
int64_t newest_opset(const std::string& domain);
// "ai.onnx" is written "".
inline std::string normal_domain(std::string_view domain) { return domain == "ai.onnx" ? std::string() : std::string(domain); }

}  // namespace axle
