#include "model/category.h"

#include <gtest/gtest.h>

#include "base/testing/status_matchers.h"
#include "model/text.h"

namespace axle {
namespace {

struct Case {
  const char* name;
  const char* category;
  const char* text;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

class CategoryTest : public ::testing::TestWithParam<Case> {};

TEST_P(CategoryTest, IsFoundByStructure) {
  AXLE_ASSERT_OK_AND_ASSIGN(const auto graph, parse_graph_text(GetParam().text));
  std::map<std::string, uint64_t> counts;
  for (const Node& node : graph->nodes) ++counts[node.op_type];
  const Category found = classify(*graph, counts);
  EXPECT_EQ(found.name, GetParam().category) << found.reason;
  EXPECT_FALSE(found.reason.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Models, CategoryTest,
    ::testing::Values(
        Case{"language_model", "LLM_TRANSFORMER", R"(g (int64[batch,sequence] ids) => (float[batch,sequence,16] y)
          <float[100,16] table = ["fill": "zero"], float[16,16] wq = ["fill": "zero"], float[16,16] wk = ["fill": "zero"]> {
            e = Gather(table, ids)  q = MatMul(e, wq)  k0 = MatMul(e, wk)  k = Transpose <perm = [0, 2, 1]> (k0)
            s = MatMul(q, k)  p = Softmax(s)  y = MatMul(p, e) })"},
        Case{"vision_transformer", "VISION_TRANSFORMER", R"(g (float[batch,3,32,32] image) => (float[batch,16,8] y)
          <float[8,3,8,8] patch = ["fill": "zero"], int64[3] shape = {0, 8, 16}> {
            c = Conv <strides = [8, 8]> (image, patch)  f = Reshape(c, shape)  t = Transpose <perm = [0, 2, 1]> (f)
            s = MatMul(t, f)  p = Softmax(s)  y = MatMul(p, t) })"},
        Case{"speech_attention", "SPEECH_RNN", R"(g (float[batch,80,frames] mel) => (float[batch,frames,8] y)
          <float[8,80,3] kernel = ["fill": "zero"]> {
            c = Conv <pads = [1, 1]> (mel, kernel)  t = Transpose <perm = [0, 2, 1]> (c)
            s = MatMul(t, c)  p = Softmax(s)  y = MatMul(p, t) })"},
        Case{"lstm_over_frames", "SPEECH_RNN", R"(g (float[frames,batch,40] mel) => (float[frames,batch,29] y)
          <float[1,64,40] w = ["fill": "zero"], float[1,64,16] r = ["fill": "zero"],
           float[16,29] letters = ["fill": "zero"]> {
            h = LSTM <hidden_size = 16> (mel, w, r)  s = Squeeze(h)  l = MatMul(s, letters)  y = LogSoftmax(l) })"},
        Case{"gru_behind_a_convolution", "SPEECH_RNN", R"(g (float[batch,1,16000] wave) => (float[200,1,batch,16] y)
          <float[8,1,80] kernel = ["fill": "zero"], float[1,48,8] w = ["fill": "zero"], float[1,48,16] r = ["fill": "zero"]> {
            c = Conv <strides = [80]> (wave, kernel)  t = Transpose <perm = [2, 0, 1]> (c)
            y = GRU <hidden_size = 16> (t, w, r) })"},
        // Recurrent layers alone make no speech: a text's tokens, and a few readings of a sensor.
        Case{"lstm_over_tokens", "OTHER", R"(g (int64[batch,sequence] ids) => (float[sequence,1,batch,16] y)
          <float[100,40] table = ["fill": "zero"], float[1,64,40] w = ["fill": "zero"], float[1,64,16] r = ["fill": "zero"]> {
            e = Gather(table, ids)  t = Transpose <perm = [1, 0, 2]> (e)  y = LSTM <hidden_size = 16> (t, w, r) })"},
        Case{"gru_over_few_readings", "OTHER", R"(g (float[12,1,6] x) => (float[12,1,1,16] y)
          <float[1,48,6] w = ["fill": "zero"], float[1,48,16] r = ["fill": "zero"]> { y = GRU <hidden_size = 16> (x, w, r) })"},
        Case{"detector_with_classifier_softmax", "VISION_CNN", R"(g (float[1,3,32,32] image) => (float[1,10] y)
          <float[8,3,3,3] a = ["fill": "zero"], float[8,8,3,3] b = ["fill": "zero"], float[8,10] w = ["fill": "zero"], int64[2] shape = {0, 8}> {
            c = Conv(image, a)  d = Conv(c, b)  p = GlobalAveragePool(d)  f = Reshape(p, shape)  l = MatMul(f, w)  y = Softmax(l) })"},
        Case{
            "graph_network", "SCIENTIFIC_ML",
            R"(g (float[nodes,16] x, int64[2,edges] edge_index, int64[edges,16] target, float[nodes,16] zeros) => (float[nodes,16] y)
          <int64 zero = {0}, float[16,16] w = ["fill": "zero"]> {
            source = Gather(edge_index, zero)  m = Gather(x, source)  h = MatMul(m, w)  y = ScatterElements <axis = 0, reduction = "add"> (zeros, target, h) })"},
        Case{"physics_informed", "SCIENTIFIC_ML", R"(g (float[points,2] xt) => (float[points,1] u)
          <float[2,32] a = ["fill": "zero"], float[32,32] b = ["fill": "zero"], float[32,1] c = ["fill": "zero"]> {
            h0 = MatMul(xt, a)  h1 = Tanh(h0)  h2 = MatMul(h1, b)  h3 = Tanh(h2)  u = MatMul(h3, c) })"},
        Case{"recommender", "RECOMMENDATION_SYSTEM", R"(g (int64[batch] user, int64[batch] item) => (float[batch,1] y)
          <float[50,8] users = ["fill": "zero"], float[60,8] items = ["fill": "zero"], float[16,1] w = ["fill": "zero"]> {
            u = Gather(users, user)  i = Gather(items, item)  c = Concat <axis = 1> (u, i)  y = MatMul(c, w) })"},
        Case{"plain_layers", "OTHER", R"(g (float[batch,30] x) => (float[batch,2] y)
          <float[30,2] w = ["fill": "zero"]> { h = MatMul(x, w)  y = Softmax(h) })"}),
    [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace axle
