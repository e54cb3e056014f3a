#include "spec/engine_answers.h"

#include <gtest/gtest.h>

#include "axle/engine_kit.h"
#include "base/testing/status_matchers.h"

namespace axle {
namespace {

using testing::IsOk;
using testing::StatusIs;

kit::Capability kit_capability() {
  kit::Capability capability;
  capability.formats = {"onnx"};
  capability.precisions = {{"f32", "f32", true}, {"bf16", "f32", false}};
  capability.dtypes = {"f32", "i64", "i4"};
  capability.ops = {{"", "Add", 7, 21, {"f32"}}};
  kit::Option level;
  level.name = "level";
  level.type = kit::OptionType::kChoice;
  level.choices = {"low", "high"};
  level.default_value = "low";
  level.affects_numerics = true;
  kit::Option streams;
  streams.name = "streams";
  streams.type = kit::OptionType::kInteger;
  streams.default_value = "1";
  streams.minimum = 1;
  streams.maximum = 8;
  capability.options = {level, streams};
  capability.presets = {{"fast", {{"level", "high"}}, "faster"}};
  capability.limits = {{"rank_max", 8}};
  return capability;
}

TEST(EngineAnswers, ReadWhatTheKitWrites) {
  kit::EngineInfo info;
  info.name = "toy";
  info.vendor = "a \"vendor\"\n\xff";
  info.opened = true;
  info.library = {"/lib/libtoy.so", "1.2", "", {"/other/libtoy.so"}};
  info.cancel_latency = kit::CancelLatency::kNode;
  info.toolchain = {{"tool.compiler", "1.2"}};
  AXLE_ASSERT_OK_AND_ASSIGN(const EngineInfo read, parse_engine_info(kit::to_json(info), AnswerKeys::kStrict));
  EXPECT_EQ(read.name, "toy");
  EXPECT_EQ(read.vendor, "a \"vendor\"\n\xEF\xBF\xBD");
  EXPECT_EQ(read.library->copies.at(0), "/other/libtoy.so");
  EXPECT_EQ(read.cancel_latency, CancelLatency::kNode);
  EXPECT_EQ(read.toolchain.at("tool.compiler"), "1.2");
  EXPECT_EQ(engine_info_from_json(engine_info_to_json(read), AnswerKeys::kStrict)->toolchain, read.toolchain);
  EXPECT_EQ(read.abi_version, AXLE_ENGINE_ABI_VERSION);

  AXLE_ASSERT_OK_AND_ASSIGN(const Capability capability, parse_capability(kit::to_json(kit_capability()), AnswerKeys::kStrict));
  EXPECT_EQ(capability.precisions.at(1), (PrecisionSpec{"bf16", "f32", false}));
  EXPECT_EQ(capability.dtypes.at(2), DataType::kInt4);
  EXPECT_EQ(capability.presets.at(0).name, "default");
  EXPECT_EQ(capability.ops.at(0).max_opset, 21);

  kit::Io io;
  io.inputs.resize(2);
  io.inputs[0].name = "x";
  io.inputs[0].dtype = 1;
  io.inputs[0].shape = {{-1, "batch"}, {3, ""}, {-1, ""}};
  io.inputs[1].name = "any";
  io.inputs[1].dtype = 7;
  io.inputs[1].rank_known = false;
  io.outputs = {io.inputs[0]};
  io.outputs[0].mode = kit::OutputMode::kEngine;
  io.outputs.push_back(io.inputs[1]);
  io.outputs[1].exact = true;
  AXLE_ASSERT_OK_AND_ASSIGN(const EngineIo read_io, parse_engine_io(kit::to_json(io), AnswerKeys::kStrict));
  EXPECT_EQ(read_io.inputs.at(0).shape.at(0), (Dim{-1, "batch"}));
  EXPECT_EQ(read_io.inputs.at(0).shape.at(2), (Dim{-1, ""}));
  EXPECT_FALSE(read_io.inputs.at(1).rank_known);
  EXPECT_EQ(read_io.output_modes.at(0), OutputMode::kEngine);
  EXPECT_EQ(read_io.exact_outputs, (std::vector<bool>{false, true}));
}

TEST(EngineAnswers, WrittenDocumentsReadBackEqual) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Capability capability, parse_capability(kit::to_json(kit_capability())));
  AXLE_ASSERT_OK_AND_ASSIGN(const Capability again, capability_from_json(capability_to_json(capability), AnswerKeys::kStrict));
  EXPECT_EQ(again, capability);

  kit::Support support;
  support.graph.kind = kit::VerdictKind::kNo;
  support.graph.code = "MADE_UP";
  support.otherwise.kind = kit::VerdictKind::kYes;
  support.nodes = {{4, {kit::VerdictKind::kNeedsGroup, "", "", 2}}, {1, {kit::VerdictKind::kNo, "DTYPE", "f64", -1}}};
  AXLE_ASSERT_OK_AND_ASSIGN(const GraphVerdict verdict, parse_graph_verdict(kit::to_json(support), 5, AnswerKeys::kStrict));
  EXPECT_EQ(verdict.graph.code, "OTHER");
  EXPECT_EQ(verdict.of_node(0).kind, VerdictKind::kYes);
  EXPECT_EQ(verdict.of_node(1).code, "DTYPE");
  EXPECT_EQ(verdict.of_node(4).group, 2);
  AXLE_ASSERT_OK_AND_ASSIGN(const GraphVerdict verdict_again,
                            graph_verdict_from_json(graph_verdict_to_json(verdict), 5, AnswerKeys::kStrict));
  EXPECT_EQ(verdict_again, verdict);

  EffectiveValues effective;
  effective.precision = "bf16";
  effective.precision_read_back = true;
  effective.cpu_set = {0, 3};
  effective.kernels = {{"conv1", "brgconv", "bf16", "cpu:0"}};
  effective.fallbacks = {{"a", "npu", "cpu", "no kernel"}};
  effective.json = effective_to_json(effective).dump();
  AXLE_ASSERT_OK_AND_ASSIGN(const EffectiveValues effective_again, parse_effective(effective.json, AnswerKeys::kStrict));
  EXPECT_EQ(effective_again, effective);
}

TEST(EngineAnswers, RefuseHostileDocuments) {
  EXPECT_THAT(parse_engine_info("{\"abi\":1,\"name\":\"../x\"}"), StatusIs(StatusCode::kInvalidArgument, "describe.name"));
  EXPECT_THAT(parse_engine_info("[]"), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(parse_engine_info(std::string(1000, '[')), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(parse_engine_info("{\"abi\":1,\"name\":\"a\",\"wat\":1}"), IsOk());
  EXPECT_THAT(parse_engine_info("{\"abi\":1,\"name\":\"a\",\"wat\":1}", AnswerKeys::kStrict),
              StatusIs(StatusCode::kInvalidArgument, "wat"));
  EXPECT_THAT(
      parse_graph_verdict(
          "{\"graph\":{\"verdict\":\"yes\"},\"default\":{\"verdict\":\"yes\"},\"nodes\":[{\"index\":7,\"verdict\":\"no\"}]}",
          7),
      StatusIs(StatusCode::kInvalidArgument, "7 nodes"));
  EXPECT_THAT(parse_graph_verdict("{\"graph\":{\"verdict\":\"maybe\"},\"default\":{\"verdict\":\"yes\"}}", 7),
              StatusIs(StatusCode::kInvalidArgument, "maybe"));
  for (const char* path : {"../x", "/etc/passwd", "a/../b", "", "a//b", "./a"}) {
    const std::string manifest = std::string("{\"format\":\"f\",\"blobs\":[{\"name\":\"b\",\"path\":\"") + path + "\"}]}";
    EXPECT_THAT(parse_manifest(manifest), StatusIs(StatusCode::kInvalidArgument)) << path;
  }
  EXPECT_THAT(parse_engine_io("{\"inputs\":[{\"name\":\"x\",\"dtype\":\"f32\",\"shape\":[-3]}],\"outputs\":[]}"),
              StatusIs(StatusCode::kInvalidArgument, "shape[0]"));
  EXPECT_THAT(parse_engine_io("{\"inputs\":[{\"name\":\"x\",\"dtype\":\"f33\",\"shape\":[]}],\"outputs\":[]}"),
              StatusIs(StatusCode::kInvalidArgument, "f33"));
  EXPECT_THAT(parse_engine_resources("{\"resources\":[{\"id\":\"a\",\"kind\":\"cpu\"},{\"id\":\"a\",\"kind\":\"cpu\"}]}"),
              StatusIs(StatusCode::kInvalidArgument, "twice"));
}

TEST(EngineAnswers, RefusePresetThatCannotBeLoaded) {
  kit::Capability capability = kit_capability();
  capability.presets.push_back({"bad", {{"level", "middle"}}, ""});
  EXPECT_THAT(parse_capability(kit::to_json(capability)), StatusIs(StatusCode::kInvalidArgument, "middle"));
  capability = kit_capability();
  for (int i = 0; i < 20; ++i) capability.presets.push_back({"p" + std::to_string(i), {}, ""});
  EXPECT_THAT(parse_capability(kit::to_json(capability)), StatusIs(StatusCode::kInvalidArgument, "presets"));
}

TEST(Options, ResolveDefaultsPresetAndOverrides) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Capability capability, parse_capability(kit::to_json(kit_capability())));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto fast, resolve_options(capability, "fast", {{"streams", "2"}}));
  EXPECT_EQ(fast, (std::map<std::string, std::string>{{"level", "high"}, {"streams", "2"}}));
  EXPECT_THAT(resolve_options(capability, "fast", {{"streams", "9"}}), StatusIs(StatusCode::kInvalidArgument, "1 to 8"));
  EXPECT_THAT(resolve_options(capability, "fast", {{"streams", "2x"}}), StatusIs(StatusCode::kInvalidArgument, "an integer"));
  EXPECT_THAT(resolve_options(capability, "default", {{"levl", "low"}}),
              StatusIs(StatusCode::kInvalidArgument, "did you mean 'level'?"));
  EXPECT_THAT(resolve_options(capability, "slow", {}), StatusIs(StatusCode::kNotFound, "default, fast"));
}

}  // namespace
}  // namespace axle
