// Real models, when they are there: what axle says of each.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "axle/model.h"
#include "base/testing/status_matchers.h"
#include "model/extract.h"
#include "model/model_graph.h"
#include "model/testing/shared_models.h"

namespace axle {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::IsOk;

struct Expected {
  const char* path;
  const char* format;
  const char* category;
  uint64_t parameters;  // 0 = the format does not say
  const char* inputs;
  const char* outputs;
};

void PrintTo(const Expected& expected, std::ostream* out) { *out << expected.path; }

std::string describe(const std::vector<IoSpec>& specs) {
  std::string text;
  for (const IoSpec& spec : specs) {
    text += (text.empty() ? "" : ", ") + spec.name + " " + std::string(data_type_name(spec.dtype)) +
            (spec.rank_known ? format_shape(spec.shape) : "?");
  }
  return text;
}

class SharedModelTest : public ::testing::TestWithParam<Expected> {};

TEST_P(SharedModelTest, IsReadAndUnderstood) {
  AXLE_SHARED_MODEL_OR_SKIP(path, GetParam().path);
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, Model::load(path));
  EXPECT_EQ(model.format_name(), GetParam().format);
  AXLE_ASSERT_OK_AND_ASSIGN(const ModelSummary summary, model.summary());
  EXPECT_EQ(summary.category, GetParam().category) << summary.category_reason;
  EXPECT_FALSE(summary.category_reason.empty());
  if (GetParam().parameters > 0) {
    EXPECT_EQ(summary.parameter_count, GetParam().parameters);
  }
  EXPECT_EQ(describe(model.inputs()), GetParam().inputs);
  EXPECT_EQ(describe(model.outputs()), GetParam().outputs);
  EXPECT_THAT(summary.issues, ElementsAre());
  EXPECT_THAT(model.check_unchanged(), IsOk());
}

INSTANTIATE_TEST_SUITE_P(
    Models, SharedModelTest,
    ::testing::Values(
        Expected{"efficientnet-lite0/model.onnx", "onnx", "VISION_CNN", 0, "input f32[batch, 3, 224, 224]",
                 "logits f32[batch, 1000]"},
        Expected{"efficientnet-lite0/model.qdq.onnx", "onnx", "VISION_CNN", 0, "input f32[batch, 3, 224, 224]",
                 "logits f32[batch, 1000]"},
        Expected{"ultraface-rfb-320/model.onnx", "onnx", "VISION_CNN", 0, "input f32[1, 3, 240, 320]",
                 "scores f32[1, 4420, 2], boxes f32[1, 4420, 4]"},
        Expected{"all-minilm-l6-v2/model.onnx", "onnx", "LLM_TRANSFORMER", 0,
                 "input_ids i64[batch, sequence], attention_mask i64[batch, sequence], token_type_ids i64[batch, sequence]",
                 "last_hidden_state f32[batch, sequence, 384]"},
        Expected{"silero-vad/silero_vad_op18_ifless.onnx", "onnx", "SPEECH_RNN", 0,
                 "input f32[batch, sequence], sr i64[], state f32[2, batch, 128]",
                 "output f32[batch, 1], stateN f32[2, batch, 128]"},
        Expected{"ncf-recommender/model.onnx", "onnx", "RECOMMENDATION_SYSTEM", 0, "user i64[batch], item i64[batch]",
                 "score f32[batch]"},
        Expected{"breast-cancer-mlp/model.onnx", "onnx", "OTHER", 4190, "features f32[batch, 30]",
                 "probabilities f32[batch, 2]"},
        Expected{"magika/model.onnx", "onnx", "OTHER", 784519, "bytes i32[unk__214, 2048]", "target_label f32[unk__215, 214]"},
        Expected{"basic-pitch/model.onnx", "onnx", "OTHER", 36037, "serving_default_input_2:0 f32[unk__749, 43844, 1]",
                 "StatefulPartitionedCall:2 f32[unk__750, 172, 88], StatefulPartitionedCall:1 f32[unk__751, 172, 88], "
                 "StatefulPartitionedCall:0 f32[unk__752, 172, 264]"},
        Expected{"basic-pitch/model.tflite", "tflite", "OTHER", 0, "serving_default_input_2:0 f32[?, 43844, 1]",
                 "StatefulPartitionedCall:2 f32[?, 172, 88], StatefulPartitionedCall:1 f32[?, 172, 88], "
                 "StatefulPartitionedCall:0 f32[?, 172, 264]"},
        Expected{"basic-pitch/saved_model", "tf-saved-model", "OTHER", 0, "input_2 f32[?, 43844, 1]",
                 "contour f32[?, 172, 264], note f32[?, 172, 88], onset f32[?, 172, 88]"},
        Expected{"ultraface-rfb-320-ir/model.xml", "openvino-ir", "OTHER", 0, "input f32[1, 3, 240, 320]",
                 "scores f32[1, 4420, 2], boxes f32[1, 4420, 4]"},
        Expected{"crepe-tiny/model.pt2", "torch-exported-program", "OTHER", 0, "", ""},
        Expected{"crepe-tiny/model.ts.pt", "torchscript", "OTHER", 0, "", ""},
        Expected{"silero-vad/silero_vad.jit", "torchscript", "OTHER", 0, "", ""},
        Expected{"llm/stories260k/stories260K.Q8_0.gguf", "gguf", "LLM_TRANSFORMER", 0, "", ""},
        Expected{"llm/tiny-llama/model.safetensors", "safetensors", "OTHER", 0, "", ""},
        Expected{"llm/tiny-qwen2", "hf-folder", "LLM_TRANSFORMER", 0, "", ""},
        Expected{"partition/zero_batch.onnx", "onnx", "OTHER", 0, "x f32[n, 7]", "y f32[n, 2]"},
        Expected{"partition/scalar_io.onnx", "onnx", "OTHER", 0, "x f32[]", "y f32[]"}));

TEST(SharedModels, CountWorkAsPublished) {
  AXLE_SHARED_MODEL_OR_SKIP(path, "efficientnet-lite0/model.onnx");
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, Model::load(path));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto graph, infer_shapes_for(model, {{"input", {1, 3, 224, 224}}}));
  uint64_t flops = 0;
  for (const Node& node : graph->nodes) flops += node.flops;
  // EfficientNet-Lite0 is published with 407 million multiply-adds.
  EXPECT_GT(flops, 2 * 380e6);
  EXPECT_LT(flops, 2 * 440e6);
}

TEST(SharedModels, SharedSafetensorsAreReadThroughExternalData) {
  AXLE_SHARED_MODEL_OR_SKIP(path, "all-minilm-l6-v2/model.onnx");
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, Model::load(path));
  ASSERT_EQ(model.files().size(), 2u);
  EXPECT_EQ(model.files()[1].role, "model.safetensors");
  AXLE_ASSERT_OK_AND_ASSIGN(const auto graph, graph_of(model));
  for (const auto& weight : graph->weights) {
    if (weight->bytes.size() > 4096) {
      EXPECT_THAT(weight->path, HasSubstr("model.safetensors"));
    }
  }
}

TEST(SharedModels, HalvesOfARealModelAreModels) {
  AXLE_SHARED_MODEL_OR_SKIP(path, "all-minilm-l6-v2/model.onnx");
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, Model::load(path));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto graph, graph_of(model));
  std::vector<NodeId> first, second;
  for (size_t i = 0; i < graph->nodes.size(); ++i)
    (i < graph->nodes.size() / 2 ? first : second).push_back(static_cast<NodeId>(i));
  for (const auto& nodes : {first, second}) {
    AXLE_ASSERT_OK_AND_ASSIGN(const auto part, extract_graph(*graph, nodes));
    AXLE_ASSERT_OK_AND_ASSIGN(const auto bytes, part->onnx_bytes());
    EXPECT_LT(bytes->bytes.size(), 1u << 20);  // weights stay in their file
    AXLE_ASSERT_OK_AND_ASSIGN(
        const Model again,
        Model::from_bytes({reinterpret_cast<const std::byte*>(bytes->bytes.data()), bytes->bytes.size()}, bytes->folder));
    AXLE_ASSERT_OK_AND_ASSIGN(const auto reread, graph_of(again));
    EXPECT_EQ(reread->nodes.size(), nodes.size());
  }
}

}  // namespace
}  // namespace axle
