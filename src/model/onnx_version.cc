#include "model/onnx_version.h"

#include "onnx/defs/schema.h"
#include "onnx/onnx_pb.h"

namespace axle {

int64_t newest_ir_version() noexcept { return onnx::Version::IR_VERSION; }

int64_t newest_opset(const std::string& domain) {
  const auto& ranges = onnx::OpSchemaRegistry::DomainToVersionRange::Instance().Map();
  const auto found = ranges.find(domain);
  return found == ranges.end() ? 0 : found->second.second;
}

}  // namespace axle
