// The plugin's contexts through the C ABI: tensors in and out, shapes, memory, recording, cancellation, several at once.
#include <array>
#include <cstring>

#include "engine/testing/engine_case.h"

namespace axle::testing {
namespace {

// Many seconds if nobody stops it.
std::string long_chain() {
  std::string text =
      R"(<ir_version: 8, opset_import: ["": 17]> g (float[1500, 1500] x) => (float[1500, 1500] y) { a0 = Identity(x) )";
  for (int i = 0; i < 100; ++i) {
    text += "p" + std::to_string(i) + " = MatMul(a" + std::to_string(i) + ", x) a" + std::to_string(i + 1) + " = Tanh(p" +
            std::to_string(i) + ") ";
  }
  return text + "y = Identity(a100) }";
}

class OpenVinoContext : public EngineCase {
 protected:
  OpenVinoContext() : EngineCase("openvino") {}
};

TEST_F(OpenVinoContext, RunsChangingShapesIntoItsOwnAndTheCallersMemory) {
  const auto executable = load(request(graph_of_text(kMlp)));
  ASSERT_NE(executable, nullptr);
  EXPECT_EQ(executable->effective().precision, "f32");
  EXPECT_TRUE(executable->effective().precision_read_back);
  EXPECT_EQ(executable->effective().threads, 1);
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  for (const int64_t rows : {1, 3, 0, 2}) {
    const Tensor x = float_tensor({rows, 4}, std::vector<float>(static_cast<size_t>(rows) * 4, 1.0f));
    Tensor y = float_tensor({rows, 2}, std::vector<float>(static_cast<size_t>(rows) * 2, 0.0f));
    ASSERT_THAT(context.bind_input(0, x), IsOk());
    ASSERT_THAT(context.bind_output(0, y), IsOk());
    ASSERT_THAT(context.run(), IsOk());
    for (int64_t row = 0; row < rows; ++row) EXPECT_EQ(y.as<float>()[static_cast<size_t>(row) * 2], 16.5f);
    ASSERT_THAT(context.unbind_output(0), IsOk());
    ASSERT_THAT(context.run(), IsOk());
    AXLE_ASSERT_OK_AND_ASSIGN(const OutputView own, context.output(0));
    EXPECT_EQ(own.shape[0], rows);
    EXPECT_NE(own.data, y.data());
    if (rows > 0) {
      EXPECT_EQ(static_cast<const float*>(own.data)[1], 19.5f);
    }
  }
}

// Guards: OpenVINO leaves an input out that nothing reads, and the whole model was refused for it.
TEST_F(OpenVinoContext, KeepsAnInputThatNothingReads) {
  const auto executable = load(request(graph_of_text(
      R"(<ir_version: 8, opset_import: ["": 17]> g (float[2] unread, float[2] x) => (float[2] y) { y = Neg(x) })")));
  ASSERT_NE(executable, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  const Tensor unread = float_tensor({2}, {5, 6}), x = float_tensor({2}, {1, 2});
  ASSERT_THAT(context.bind_input(0, unread), IsOk());
  ASSERT_THAT(context.bind_input(1, x), IsOk());
  ASSERT_THAT(context.run(), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const OutputView own, context.output(0));
  EXPECT_EQ(static_cast<const float*>(own.data)[1], -2.0f);
  EXPECT_THAT(context.bind_input(0, float_tensor({3}, {1, 2, 3})), StatusIs(StatusCode::kInvalidArgument));
}

TEST_F(OpenVinoContext, FillsALargerOutputAndSaysWhatATooSmallOneNeeds) {
  const auto executable = load(request(graph_of_text(kNonZero)));
  ASSERT_NE(executable, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  AXLE_ASSERT_OK_AND_ASSIGN(Tensor large, Tensor::allocate(DataType::kInt64, {1, 4}));
  AXLE_ASSERT_OK_AND_ASSIGN(Tensor small, Tensor::allocate(DataType::kInt64, {1, 1}));
  const Tensor x = float_tensor({4}, {1, 0, 0, 1});
  ASSERT_THAT(context.bind_input(0, x), IsOk());
  ASSERT_THAT(context.bind_output(0, large), IsOk());
  ASSERT_THAT(context.run(), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const OutputView view, context.output(0));
  EXPECT_EQ(Shape(view.shape.begin(), view.shape.end()), (Shape{1, 2}));
  EXPECT_EQ(large.as<int64_t>()[1], 3);
  ASSERT_THAT(context.bind_output(0, small), IsOk());
  EXPECT_THAT(context.run(), StatusIs(StatusCode::kOutOfRange, "needs 16 bytes"));
  ASSERT_THAT(context.bind_output(0, large), IsOk());
  EXPECT_THAT(context.run(), IsOk());
}

// Guards: a convolution wider than its input gave no error: empty outputs first, and after a good run that run's numbers.
TEST_F(OpenVinoContext, RefusesOutputsThatAreEmptyAgainstTheModel) {
  const auto executable = load(request(graph_of_text(
      R"(<ir_version: 8, opset_import: ["": 17]> g (float[B, 1, N] x) => (float[B, 1] y)
         <float[1, 1, 64] w = {)" +
      std::string([] {
        std::string ones = "1";
        for (int i = 1; i < 64; ++i) ones += ", 1";
        return ones;
      }()) +
      R"(}> { c = Conv <strides = [64]> (x, w) y = ReduceMean <axes = [2], keepdims = 0> (c) })")));
  ASSERT_NE(executable, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  for (const int64_t length : {16, 16, 128, 16, 192, 16}) {
    const Tensor x = float_tensor({1, 1, length}, std::vector<float>(static_cast<size_t>(length), 1.0f));
    ASSERT_THAT(context.bind_input(0, x), IsOk());
    const Status done = context.run();
    EXPECT_EQ(done.ok(), length >= 64) << length << ": " << done.to_string();
    if (!done.ok()) continue;
    AXLE_ASSERT_OK_AND_ASSIGN(const OutputView own, context.output(0));
    EXPECT_EQ(*static_cast<const float*>(own.data), 64.0f);
  }
}

// Guards: an output of fixed shape behind a convolution wider than its input held the last run's numbers, or none.
TEST_F(OpenVinoContext, RefusesOutputsOfFixedShapeThatNothingWrote) {
  std::string ones = "1";
  for (int i = 1; i < 64; ++i) ones += ", 1";
  const auto asked = request(
      graph_of_text(R"(<ir_version: 8, opset_import: ["": 17]> g (float[1, 1, N] x) => (float[1] y) <float[1, 1, 64] w = {)" +
                    ones + R"(}> { c = Conv <strides = [64]> (x, w) y = ReduceMean <axes = [1, 2], keepdims = 0> (c) })"));
  for (const auto& executable : {load(asked), load_artefact(asked)}) {
    ASSERT_NE(executable, nullptr);
    for (const bool bind : {false, true}) {
      AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
      Tensor y = float_tensor({1}, {7});
      if (bind) {
        ASSERT_THAT(context.bind_output(0, y), IsOk());
      }
      for (const int64_t length : {16, 128, 16, 16, 192, 128, 16}) {
        const Tensor x = float_tensor({1, 1, length}, std::vector<float>(static_cast<size_t>(length), 1.0f));
        ASSERT_THAT(context.bind_input(0, x), IsOk());
        const Status done = context.run();
        EXPECT_EQ(done.ok(), length >= 64) << length << ": " << done.to_string();
        if (!done.ok()) {
          EXPECT_THAT(done, StatusIs(StatusCode::kUnknown, "did not write output 'y'"));
          continue;
        }
        AXLE_ASSERT_OK_AND_ASSIGN(const OutputView view, context.output(0));
        EXPECT_EQ(*static_cast<const float*>(view.data), 64.0f);
      }
    }
  }
}

// Guards: the largest of no elements was the least finite number, where ONNX says minus infinity.
TEST_F(OpenVinoContext, RefusesToReduceNothingWhereItMakesSomethingUp) {
  const auto asked = request(graph_of_text(R"(<ir_version: 8, opset_import: ["": 18]>
      g (float[B, N, 3] x, float[K] k) => (float[B, 3] y, float[K] z) <int64[1] axis = {1}>
      { r = Relu(x) y = ReduceMax <keepdims = 0> (r, axis) z = Neg(k) })"));
  for (const auto& executable : {load(asked), load_artefact(asked)}) {
    ASSERT_NE(executable, nullptr);
    AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
    // Elsewhere nothing is by right: no rows to reduce, nothing to negate.
    for (const auto& [rows, length, others] :
         std::vector<std::array<int64_t, 3>>{{2, 4, 1}, {2, 0, 1}, {0, 4, 1}, {2, 4, 0}, {2, 0, 0}, {1, 1, 1}}) {
      const Tensor x = float_tensor({rows, length, 3}, std::vector<float>(static_cast<size_t>(rows * length) * 3, 5.0f));
      const Tensor k = float_tensor({others}, std::vector<float>(static_cast<size_t>(others), 1.0f));
      ASSERT_THAT(context.bind_input(0, x), IsOk());
      ASSERT_THAT(context.bind_input(1, k), IsOk());
      const Status done = context.run();
      if (length == 0) {
        EXPECT_THAT(done,
                    StatusIs(StatusCode::kUnimplemented, "(ReduceMax) would reduce nothing, since 'N' of input 'x' is 0"));
        continue;
      }
      ASSERT_THAT(done, IsOk()) << rows << " " << length << " " << others;
      AXLE_ASSERT_OK_AND_ASSIGN(const OutputView y, context.output(0));
      EXPECT_EQ(Shape(y.shape.begin(), y.shape.end()), (Shape{rows, 3}));
      if (rows > 0) {
        EXPECT_EQ(*static_cast<const float*>(y.data), 5.0f);
      }
    }
  }
}

// Nothing to reduce, no turn of a loop: that is computed, and outputs that hang on no open shape are what they are in every run.
TEST_F(OpenVinoContext, WritesOutputsOfFixedShapeWhateverThereIsToCompute) {
  const auto executable = load(request(graph_of_text(
      R"(<ir_version: 8, opset_import: ["": 17]>
         g (float[4] x, float[2] p, int64 m) => (float[1] sum, int64[1] found, float[2] constant, float[2] passed, float[2] turned, bool any)
         <float zero = {0}, int64[1] first = {0}, int64[1] second = {1}, float[2] w = {3, 4}, bool on = {1}> {
           b = Greater(x, zero) c = Compress <axis = 0> (x, b) sum = ReduceSum <keepdims = 1> (c, first)
           n = NonZero(x) found = ReduceSum <keepdims = 0> (n, second)
           constant = Identity(w) passed = Identity(p)
           turned = Loop(m, on, p) <body = body (int64 i, bool go, float[2] a) => (bool more, float[2] e) { more = Identity(go) e = Add(a, a) }>
           s = ReduceSum <keepdims = 0> (c, first) any = Greater(s, zero) })")));
  ASSERT_NE(executable, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  const Tensor p = float_tensor({2}, {5, 6});
  AXLE_ASSERT_OK_AND_ASSIGN(Tensor m, Tensor::allocate(DataType::kInt64, {}));
  ASSERT_THAT(context.bind_input(1, p), IsOk());
  ASSERT_THAT(context.bind_input(2, m), IsOk());
  for (const int64_t turns : {2, 0, 1, 0}) {
    m.mutable_as<int64_t>()[0] = turns;
    const bool some = turns > 0;
    const Tensor x = float_tensor({4}, some ? std::vector<float>{1, 0, 2, 3} : std::vector<float>(4, 0.0f));
    ASSERT_THAT(context.bind_input(0, x), IsOk());
    ASSERT_THAT(context.run(), IsOk()) << turns;
    const auto number = [&](uint32_t index, size_t at = 0) {
      const auto view = context.output(index);
      return view ? static_cast<const float*>(view->data)[at] : -1.0f;
    };
    EXPECT_EQ(number(0), some ? 6 : 0);
    AXLE_ASSERT_OK_AND_ASSIGN(const OutputView found, context.output(1));
    EXPECT_EQ(*static_cast<const int64_t*>(found.data), some ? 5 : 0);
    EXPECT_EQ(number(2), 3);
    EXPECT_EQ(number(2, 1), 4);
    EXPECT_EQ(number(3, 1), 6);
    EXPECT_EQ(number(4), static_cast<float>(5 << turns));
    AXLE_ASSERT_OK_AND_ASSIGN(const OutputView any, context.output(5));
    EXPECT_EQ(*static_cast<const bool*>(any.data), some);
  }
  EXPECT_EQ(p.as<float>()[0], 5);
}

TEST_F(OpenVinoContext, RefusesTensorsThatDoNotFit) {
  const auto executable = load(request(graph_of_text(kMlp)));
  ASSERT_NE(executable, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  EXPECT_THAT(context.run(), StatusIs(StatusCode::kFailedPrecondition, "'x'"));
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor integers, Tensor::allocate(DataType::kInt32, {1, 4}));
  EXPECT_THAT(context.bind_input(0, integers), StatusIs(StatusCode::kInvalidArgument, "i32"));
  EXPECT_THAT(context.bind_input(0, float_tensor({1, 5}, {1, 1, 1, 1, 1})), StatusIs(StatusCode::kInvalidArgument, "axis 1"));
  EXPECT_THAT(context.output(0), StatusIs(StatusCode::kFailedPrecondition));
}

TEST_F(OpenVinoContext, CarriesNarrowTypes) {
  for (const auto& [name, dtype] : {std::pair("float16", DataType::kFloat16), std::pair("bfloat16", DataType::kBfloat16),
                                    std::pair("int64", DataType::kInt64), std::pair("int32", DataType::kInt32),
                                    std::pair("uint8", DataType::kUint8), std::pair("bool", DataType::kBool)}) {
    const auto executable =
        load(request(graph_of_text(std::string(R"(<ir_version: 9, opset_import: ["": 19]> g ()") + name + "[2, 2] x) => (" +
                                   name + "[2, 2] y) { y = Transpose <perm = [1, 0]> (x) }")));
    ASSERT_NE(executable, nullptr) << name;
    AXLE_ASSERT_OK_AND_ASSIGN(Tensor x, Tensor::allocate(dtype, {2, 2}));
    const size_t size = x.size_bytes() / 4;
    std::memset(x.mutable_data(), 0, x.size_bytes());
    static_cast<unsigned char*>(x.mutable_data())[size] = 1;  // element (0, 1)
    AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, run_once(*executable, {{"x", x}}));
    const auto* y = static_cast<const unsigned char*>(outputs.at("y").data());
    EXPECT_EQ(y[size], 0) << name;
    if (dtype != DataType::kFloat16 && dtype != DataType::kBfloat16) {
      EXPECT_EQ(y[2 * size], 1) << name;
    }
  }
}

TEST_F(OpenVinoContext, RecordsTheNodesOfARunOnlyWithItsOptionOn) {
  for (const bool on : {false, true}) {
    const auto executable = load(request(graph_of_text(kMlp), {{"profiling", on ? "true" : "false"}}));
    ASSERT_NE(executable, nullptr);
    AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
    ASSERT_THAT(context.bind_input(0, float_tensor({1, 4}, {1, 1, 1, 1})), IsOk());
    EventList events;
    RunProfile profile;
    profile.sink = &events;
    ASSERT_THAT(context.run(CancelToken::none(), &profile), IsOk());
    EXPECT_EQ(events.all.empty(), !on);
    for (const TraceEvent& event : events.all) EXPECT_EQ(event.category, TraceCategory::kKernel);
  }
}

TEST_F(OpenVinoContext, StopsALongRun) {
  const auto executable = load(request(graph_of_text(long_chain())));
  ASSERT_NE(executable, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  ASSERT_THAT(context.bind_input(0, float_tensor({1500, 1500}, std::vector<float>(1500 * 1500, 0.001f))), IsOk());
  expect_cancel_stops(context);
}

TEST_F(OpenVinoContext, ServesSeveralContextsAtOnce) { expect_contexts_at_once(100); }

}  // namespace
}  // namespace axle::testing
