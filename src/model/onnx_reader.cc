#include "model/onnx_reader.h"

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <limits>

#include "base/text.h"
#include "base/utf8.h"
#include "model/onnx_graph.h"
#include "model/onnx_lift.h"
#include "model/onnx_validate.h"
#include "onnx/onnx_pb.h"

namespace axle {
namespace {

// Levels of protobuf messages; a nested graph takes three.
constexpr int kMaxMessageDepth = 100;

Status parse_structure(const std::string& structure, onnx::ModelProto& model) {
  if (structure.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
    return resource_exhausted_error("the model's structure is over protobuf's limit of 2 GiB")
        .with_hint("keep weights as external data");
  }
  google::protobuf::io::ArrayInputStream bytes(structure.data(), static_cast<int>(structure.size()));
  google::protobuf::io::CodedInputStream stream(&bytes);
  stream.SetTotalBytesLimit(std::numeric_limits<int>::max());
  stream.SetRecursionLimit(kMaxMessageDepth);
  if (model.ParseFromCodedStream(&stream) && stream.ConsumedEntireMessage()) return ok_status();
  return invalid_argument_error("not a valid ONNX model: its protobuf messages are malformed or nested deeper than 100 levels")
      .with_hint("check that the file is an ONNX model and arrived whole");
}

void read_producer(const onnx::ModelProto& model, OnnxRead& out) {
  out.producer = model.producer_name();
  if (!model.producer_version().empty()) out.producer += " " + model.producer_version();
  out.producer = is_valid_utf8(out.producer) ? printable(out.producer, 200) : "";
  for (const auto& entry : model.metadata_props()) {
    if (is_valid_utf8(entry.key()) && is_valid_utf8(entry.value())) out.metadata[entry.key()] = entry.value();
  }
}

Result<OnnxRead> read_checked(const ModelBytes& bytes, const std::string& folder, const ModelOptions& options) {
  AXLE_ASSIGN_OR_RETURN(LiftedModel lifted, lift_weights(bytes.bytes, options.limits));
  onnx::ModelProto model;
  AXLE_RETURN_IF_ERROR(parse_structure(lifted.structure, model));
  lifted.structure = std::string();
  AXLE_RETURN_IF_ERROR(check_versions(model));

  ExternalData external(folder, options);
  const TensorContext context{bytes, external, options.limits};
  AXLE_RETURN_IF_ERROR(check_structure(model, lifted, context));
  if (model.functions_size() > 0) {
    AXLE_RETURN_IF_ERROR(inline_functions(model, options.limits));
    AXLE_RETURN_IF_ERROR(check_structure(model, lifted, context));
  }
  OnnxRead read;
  read_producer(model, read);
  AXLE_ASSIGN_OR_RETURN(read.graph, build_graph(std::move(model), &lifted, context));
  read.external_files = external.files();
  return read;
}

}  // namespace

Result<OnnxRead> read_onnx(const ModelBytes& model, const std::string& folder, const ModelOptions& options) {
  try {
    return read_checked(model, folder, options);
  } catch (const std::bad_alloc&) {
    return resource_exhausted_error("out of memory while reading the model");
  } catch (const std::exception& error) {
    return internal_error(fmt::format("reading the model failed: {}", error.what()));
  }
}

}  // namespace axle
