#include "model/inspect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "model/format.h"

namespace axle {
namespace {

using testing::IsOk;
using testing::StatusIs;

Bytes bytes_of(const std::string& text) { return {reinterpret_cast<const std::byte*>(text.data()), text.size()}; }

const ModelLimits kLimits;

template <typename T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}
void put_text(std::string& out, const std::string& text) {
  put<uint64_t>(out, text.size());
  out += text;
}

std::string small_gguf() {
  std::string out = "GGUF";
  put<uint32_t>(out, 3);
  put<uint64_t>(out, 1);  // tensors
  put<uint64_t>(out, 2);  // pairs
  put_text(out, "general.architecture");
  put<uint32_t>(out, 8);
  put_text(out, "llama");
  put_text(out, "tokens");
  put<uint32_t>(out, 9);
  put<uint32_t>(out, 8);
  put<uint64_t>(out, 2);
  put_text(out, "a");
  put_text(out, "b");
  put_text(out, "w");
  put<uint32_t>(out, 2);
  put<uint64_t>(out, 32);
  put<uint64_t>(out, 2);
  put<uint32_t>(out, 8);  // Q8_0
  put<uint64_t>(out, 0);
  out.resize((out.size() + 31) / 32 * 32 + 68, '\0');
  return out;
}

TEST(InspectGguf, ReadsKeysAndTensors) {
  const std::string file = small_gguf();
  AXLE_ASSERT_OK_AND_ASSIGN(const Inspection found, inspect_gguf(bytes_of(file), "f", kLimits));
  EXPECT_EQ(found.metadata.at("general.architecture"), "llama");
  EXPECT_EQ(found.metadata.at("tokens"), "[2 values]");
  EXPECT_EQ(found.parameter_count, 64u);
  EXPECT_EQ(found.weight_bytes, 68u);
}

TEST(InspectGguf, EveryTruncationIsRefused) {
  const std::string file = small_gguf();
  for (size_t size = 0; size < file.size(); ++size)
    EXPECT_FALSE(inspect_gguf(bytes_of(file.substr(0, size)), "f", kLimits).ok()) << size;
}

TEST(InspectGguf, ClaimsAreNotBelieved) {
  std::string file = small_gguf();
  const uint64_t many = 1ull << 40;
  std::memcpy(file.data() + 8, &many, 8);
  EXPECT_THAT(inspect_gguf(bytes_of(file), "f", kLimits), StatusIs(StatusCode::kResourceExhausted, "limit"));
  EXPECT_THAT(inspect_gguf(bytes_of("GGML1234"), "f", kLimits), StatusIs(StatusCode::kInvalidArgument, "magic"));
  // What overflows stays impossible, whatever it is multiplied with afterwards.
  std::string wraps = small_gguf();
  const size_t sizes = wraps.find("w", wraps.find("tokens") + 6) + 5;  // after the name and the rank
  const uint64_t half = 1ull << 63;
  uint32_t rank = 3;
  std::memcpy(wraps.data() + sizes - 4, &rank, 4);
  std::memcpy(wraps.data() + sizes, &half, 8);
  wraps.insert(sizes + 16, std::string("\2\0\0\0\0\0\0\0", 8));
  EXPECT_THAT(inspect_gguf(bytes_of(wraps), "f", kLimits), StatusIs(StatusCode::kInvalidArgument, "impossible shape"));
}

std::string safetensors(const std::string& header, size_t data) {
  std::string out;
  put<uint64_t>(out, header.size());
  return out + header + std::string(data, '\0');
}

TEST(InspectSafetensors, ReadsAndChecksRanges) {
  const std::string good =
      safetensors(R"({"w":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]},"__metadata__":{"format":"pt"}})", 12);
  AXLE_ASSERT_OK_AND_ASSIGN(const Inspection found, inspect_safetensors(bytes_of(good), "f", kLimits));
  EXPECT_EQ(found.parameter_count, 6u);
  EXPECT_EQ(found.weight_bytes, 12u);
  EXPECT_EQ(found.metadata.at("format"), "pt");
  EXPECT_THAT(inspect_safetensors(bytes_of(good.substr(0, good.size() - 1)), "f", kLimits),
              StatusIs(StatusCode::kDataLoss, "tensor 'w'"));
  EXPECT_THAT(inspect_safetensors(bytes_of(good.substr(0, 40)), "f", kLimits), StatusIs(StatusCode::kDataLoss, "claims"));
  const std::string wrong = safetensors(R"({"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,12]}})", 12);
  EXPECT_THAT(inspect_safetensors(bytes_of(wrong), "f", kLimits),
              StatusIs(StatusCode::kInvalidArgument, "does not fit its shape"));
  const std::string huge = safetensors(R"({"w":{"dtype":"F32","shape":[9223372036854775807,9],"data_offsets":[0,12]}})", 12);
  EXPECT_THAT(inspect_safetensors(bytes_of(huge), "f", kLimits), StatusIs(StatusCode::kInvalidArgument, "impossible shape"));
  const std::string wraps = safetensors(R"({"w":{"dtype":"F32","shape":[9223372036854775807,9,2],"data_offsets":[0,0]}})", 0);
  EXPECT_THAT(inspect_safetensors(bytes_of(wraps), "f", kLimits), StatusIs(StatusCode::kInvalidArgument, "impossible shape"));
}

constexpr const char* kIr = R"(<?xml version="1.0"?>
<net name="tiny" version="11"><layers>
<layer id="0" name="in" type="Parameter" version="opset1"><data shape="?,3,4" element_type="f32"/>
  <output><port id="0" precision="FP32" names="x,alias"><dim>-1</dim><dim>3</dim><dim>4</dim></port></output></layer>
<layer id="1" name="k" type="Const" version="opset1"><data element_type="f16" shape="3,4" offset="0" size="24"/>
  <output><port id="0" precision="FP16"><dim>3</dim><dim>4</dim></port></output></layer>
<layer id="2" name="add" type="Add" version="opset1"><input><port id="0"/><port id="1"/></input>
  <output><port id="2" precision="FP32" names="y"><dim>-1</dim><dim>3</dim><dim>4</dim></port></output></layer>
<layer id="3" name="out" type="Result" version="opset1"><input><port id="0"/></input></layer>
</layers><edges><edge from-layer="0" from-port="0" to-layer="2" to-port="0"/><edge from-layer="1" from-port="0" to-layer="2" to-port="1"/>
<edge from-layer="2" from-port="2" to-layer="3" to-port="0"/></edges></net>)";

TEST(InspectOpenvino, ReadsInterfaceOperatorsAndWeights) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Inspection found, inspect_openvino_xml(bytes_of(kIr), "f", kLimits));
  EXPECT_EQ(found.name, "tiny");
  ASSERT_EQ(found.inputs.size(), 1u);
  EXPECT_EQ(found.inputs[0].name, "x");
  EXPECT_EQ(format_shape(found.inputs[0].shape), "[?, 3, 4]");
  ASSERT_EQ(found.outputs.size(), 1u);
  EXPECT_EQ(found.outputs[0].name, "y");
  EXPECT_EQ(found.outputs[0].dtype, DataType::kFloat32);
  EXPECT_EQ(found.op_counts.at("Add"), 1u);
  EXPECT_EQ(found.weight_bytes, 24u);
  EXPECT_EQ(found.parameter_count, 12u);
}

TEST(InspectOpenvino, AShapeThatNothingHoldsIsRefused) {
  std::string ir = kIr;
  const std::string fits = R"(shape="3,4" offset)";
  ir.replace(ir.find(fits), fits.size(), R"(shape="9223372036854775807,9,2" offset)");
  EXPECT_THAT(inspect_openvino_xml(bytes_of(ir), "f", kLimits), StatusIs(StatusCode::kInvalidArgument, "impossible shape"));
}

TEST(InspectOpenvino, RefusesDamageAndBombs) {
  const std::string whole = kIr;
  EXPECT_THAT(inspect_openvino_xml(bytes_of(whole.substr(0, whole.size() / 2)), "f", kLimits),
              StatusIs(StatusCode::kDataLoss, "line"));
  EXPECT_FALSE(inspect_openvino_xml(bytes_of(""), "f", kLimits).ok());
  EXPECT_THAT(inspect_openvino_xml(bytes_of("<?xml version=\"1.0\"?><a/>"), "f", kLimits),
              StatusIs(StatusCode::kInvalidArgument, "not an OpenVINO IR"));
  EXPECT_THAT(inspect_openvino_xml(bytes_of(R"(<!DOCTYPE a [<!ENTITY b "cc">]><net>&b;</net>)"), "f", kLimits),
              StatusIs(StatusCode::kInvalidArgument, "entities"));
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += "<net>";
  EXPECT_THAT(inspect_openvino_xml(bytes_of(deep), "f", kLimits), StatusIs(StatusCode::kInvalidArgument, "too deep"));
}

// protobuf field of bytes.
std::string field(int number, const std::string& payload) {
  std::string out(1, static_cast<char>(number << 3 | 2));
  for (size_t size = payload.size();; size >>= 7) {
    out.push_back(static_cast<char>((size & 0x7f) | (size >= 0x80 ? 0x80 : 0)));
    if (size < 0x80) return out + payload;
  }
}
std::string varint_field(int number, char value) { return {static_cast<char>(number << 3), value}; }

std::string tf_node(const std::string& name, const std::string& op, const std::vector<std::string>& inputs,
                    const std::string& extra = "") {
  std::string out = field(1, name) + field(2, op);
  for (const auto& input : inputs) out += field(3, input);
  return field(1, out + extra);
}

TEST(InspectTensorflow, FrozenGraphFindsItsEnds) {
  const std::string dtype = field(5, field(1, "dtype") + field(2, varint_field(6, 1)));
  const std::string shape = field(5, field(1, "shape") + field(2, field(7, field(2, varint_field(1, 4)))));
  const std::string graph =
      tf_node("x", "Placeholder", {}, dtype + shape) + tf_node("c", "Const", {}) + tf_node("y", "Mul", {"x:0", "^c"});
  AXLE_ASSERT_OK_AND_ASSIGN(const ModelFormat format, detect_format(bytes_of(graph), "graph.pb"));
  EXPECT_EQ(format, ModelFormat::kTfFrozenGraph);
  AXLE_ASSERT_OK_AND_ASSIGN(const Inspection found, inspect_frozen_graph(bytes_of(graph), "f", kLimits));
  ASSERT_EQ(found.inputs.size(), 1u);
  EXPECT_EQ(found.inputs[0].dtype, DataType::kFloat32);
  EXPECT_EQ(format_shape(found.inputs[0].shape), "[4]");
  ASSERT_EQ(found.outputs.size(), 1u);
  EXPECT_EQ(found.outputs[0].name, "y");
  for (size_t size = 1; size + 1 < graph.size(); ++size)
    inspect_frozen_graph(bytes_of(graph.substr(0, size)), "f", kLimits).status().ok();
}

TEST(InspectTflite, DamagedOffsetsAreRefused) {
  std::string file(64, '\xff');
  std::memcpy(file.data() + 4, "TFL3", 4);
  EXPECT_THAT(inspect_tflite(bytes_of(file), "f", kLimits), StatusIs(StatusCode::kDataLoss, "outside the file"));
  EXPECT_THAT(inspect_tflite(bytes_of("TFL3"), "f", kLimits), StatusIs(StatusCode::kDataLoss));
}

TEST(InspectTorch, DamagedArchivesAreRefused) {
  EXPECT_THAT(inspect_torch_archive_format(bytes_of(std::string("PK\x03\x04", 4) + std::string(100, 'x')), "f"),
              StatusIs(StatusCode::kDataLoss, "zip"));
  std::string end("PK\x05\x06", 4);
  end += std::string(6, '\0') + std::string("\xff\xff", 2) + std::string(10, '\xff');
  EXPECT_THAT(inspect_torch_archive_format(bytes_of(end), "f"), StatusIs(StatusCode::kDataLoss, "zip"));
}

TEST(FormatNames, RoundTrip) {
  for (int i = 0; i <= static_cast<int>(ModelFormat::kTopMlir); ++i) {
    const auto format = static_cast<ModelFormat>(i);
    EXPECT_EQ(parse_model_format(model_format_name(format)), format);
  }
  EXPECT_EQ(parse_model_format("caffe"), std::nullopt);
}

TEST(InspectTosa, ReadsTheSignature) {
  const std::string text = R"(module {
  func.func @main(%arg0: tensor<1x4x4x1xi8> {tosa.name = "a } b"}, %w: tensor<?xbf16>) -> (tensor<1x2x2x1xi8>, tensor<f32>) {
    %0 = tosa.max_pool2d %arg0 {kernel = array<i64: 2, 2>} : (tensor<1x4x4x1xi8>) -> tensor<1x2x2x1xi8>
    %1 = "tosa.const"() : () -> tensor<f32>
    return %0, %1 : tensor<1x2x2x1xi8>, tensor<f32>
  }
})";
  AXLE_ASSERT_OK_AND_ASSIGN(const Inspection found, inspect_tosa(bytes_of(text), "m.mlir", kLimits));
  EXPECT_EQ(found.name, "main");
  ASSERT_EQ(found.inputs.size(), 2u);
  EXPECT_EQ(found.inputs[0].name, "arg0");
  EXPECT_EQ(format_shape(found.inputs[0].shape), "[1, 4, 4, 1]");
  EXPECT_EQ(found.inputs[0].dtype, DataType::kInt8);
  EXPECT_EQ(found.inputs[1].shape.front().size, -1);
  ASSERT_EQ(found.outputs.size(), 2u);
  EXPECT_EQ(found.outputs[1].name, "output1");
  EXPECT_TRUE(found.outputs[1].shape.empty());
  EXPECT_EQ(found.op_counts.at("tosa.max_pool2d"), 1u);
  EXPECT_EQ(found.op_counts.at("tosa.const"), 1u);
}

TEST(InspectTop, ReadsSignatureWithPlacesAndTheWeightsFile) {
  const std::string text = R"(module @tiny attributes {module.state = "TOP_F32", module.weight_file= "w.npz"} {
  func.func @main(%arg0: tensor<1x3x8x8xf32> loc("a ) b"), %b: tensor<2xf32> {x = 1} loc(unknown)) -> tensor<1x4xf32> {
    %0 = "top.Input"(%arg0) : (tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32> loc("x")
  } loc(#loc)
})";
  AXLE_ASSERT_OK_AND_ASSIGN(const Inspection found, inspect_top(bytes_of(text), "m.mlir", kLimits));
  ASSERT_EQ(found.inputs.size(), 2u);
  EXPECT_EQ(found.inputs[1].name, "b");
  EXPECT_EQ(format_shape(found.outputs.at(0).shape), "[1, 4]");
  EXPECT_EQ(found.op_counts.at("top.Input"), 1u);
  EXPECT_EQ(found.metadata.at("weight_file"), "w.npz");
  EXPECT_EQ(*detect_format(bytes_of(text), "m.mlir"), ModelFormat::kTopMlir);
  EXPECT_EQ(*detect_format(bytes_of("module {}"), "m.mlir"), ModelFormat::kTosaMlir);
}

TEST(InspectTop, WeightsLieBesideTheModuleAndBelongToItsDigest) {
  AXLE_ASSERT_OK_AND_ASSIGN(const ScratchDir folder, ScratchDir::create());
  const std::string path = folder.file("m.mlir");
  const auto write_module = [&](const std::string& name) {
    return write_file_atomic(path, "module attributes {module.weight_file = \"" + name +
                                       "\"} {\nfunc.func @main(%a: tensor<2xf32>) -> tensor<2xf32> {\n"
                                       "%0 = \"top.Input\"(%a)\n}}");
  };
  ASSERT_THAT(write_module("w.npz"), IsOk());
  EXPECT_THAT(Model::load(path), StatusIs(StatusCode::kNotFound, "the weights file"));
  ASSERT_THAT(write_file_atomic(folder.file("w.npz"), "one"), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const Model first, Model::load(path));
  EXPECT_EQ(first.files().size(), 2u);
  ASSERT_THAT(write_file_atomic(folder.file("m.cal"), "x 3.0 -3.0 3.0\n"), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const Model second, Model::load(path));
  EXPECT_NE(first.digest(), second.digest());
  ASSERT_THAT(write_module("../w.npz"), IsOk());
  EXPECT_THAT(Model::load(path), StatusIs(StatusCode::kInvalidArgument, "names no file beside it"));
}

TEST(InspectTosa, NamesThePlaceThatItDoesNotUnderstand) {
  EXPECT_THAT(
      inspect_tosa(bytes_of("module {\n func.func @main(%a: memref<4xf32>) {"), "m.mlir", kLimits),
      StatusIs(StatusCode::kInvalidArgument, "m.mlir:2: the function's signature is not understood: a tensor is wanted"));
  EXPECT_THAT(inspect_tosa(bytes_of("module {}"), "m.mlir", kLimits),
              StatusIs(StatusCode::kInvalidArgument, "no public function"));
}

}  // namespace
}  // namespace axle
