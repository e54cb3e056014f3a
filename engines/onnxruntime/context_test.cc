// The plugin's contexts through the C ABI: tensors in and out, shapes, memory, recording, cancellation, several at once.
#include <cstring>

#include "engine/testing/engine_case.h"

namespace axle::testing {
namespace {

// About 10 s if nobody stops it.
constexpr const char* kLongLoop = R"(<ir_version: 8, opset_import: ["": 17]>
  g (float[64, 64] x) => (float[64, 64] y)
  <int64 trips = {200000}, bool go = {1}>
  { y = Loop(trips, go, x) <body = b (int64 i, bool c, float[64, 64] s) => (bool d, float[64, 64] t) { d = Identity(c)  p = MatMul(s, s)  t = Tanh(p) }> })";

class OnnxRuntimeContext : public EngineCase {
 protected:
  OnnxRuntimeContext() : EngineCase("onnxruntime") {}
};

TEST_F(OnnxRuntimeContext, RunsWithItsOwnOutputsAndWithTheCallers) {
  const auto executable = load(request(graph_of_text(kMlp)));
  ASSERT_NE(executable, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  const Tensor x = float_tensor({1, 4}, {1, 1, 1, 1});
  ASSERT_THAT(context.bind_input(0, x), IsOk());
  ASSERT_THAT(context.run(), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const OutputView own, context.output(0));
  EXPECT_EQ(static_cast<const float*>(own.data)[0], 16.5f);
  EXPECT_EQ(static_cast<const float*>(own.data)[1], 19.5f);

  Tensor y = float_tensor({1, 2}, {0, 0});
  ASSERT_THAT(context.bind_output(0, y), IsOk());
  for (int repeat = 0; repeat < 3; ++repeat) {  // the third goes through the vendor's binding
    static_cast<float*>(y.mutable_data())[0] = 0;
    ASSERT_THAT(context.run(), IsOk());
    EXPECT_EQ(y.as<float>()[0], 16.5f);
  }
  AXLE_ASSERT_OK_AND_ASSIGN(const OutputView bound, context.output(0));
  EXPECT_EQ(bound.data, y.data());
  ASSERT_THAT(context.unbind_output(0), IsOk());
  ASSERT_THAT(context.run(), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const OutputView again, context.output(0));
  EXPECT_NE(again.data, y.data());
}

TEST_F(OnnxRuntimeContext, SeesNewBytesBehindABoundInput) {
  const auto executable = load(request(graph_of_text(kMlp)));
  ASSERT_NE(executable, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  Tensor x = float_tensor({1, 4}, {0, 0, 0, 0});
  Tensor y = float_tensor({1, 2}, {9, 9});
  ASSERT_THAT(context.bind_input(0, x), IsOk());
  ASSERT_THAT(context.bind_output(0, y), IsOk());
  for (int repeat = 0; repeat < 4; ++repeat) {
    x.mutable_as<float>()[0] = static_cast<float>(repeat);
    ASSERT_THAT(context.run(), IsOk());
    EXPECT_EQ(y.as<float>()[0], static_cast<float>(repeat) + 0.5f);
  }
}

TEST_F(OnnxRuntimeContext, RunsOneContextWithChangingShapes) {
  const auto executable = load(request(graph_of_text(kMlp)));
  ASSERT_NE(executable, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  for (const int64_t rows : {1, 3, 0, 2}) {
    const Tensor x = float_tensor({rows, 4}, std::vector<float>(static_cast<size_t>(rows) * 4, 1.0f));
    Tensor y = float_tensor({rows, 2}, std::vector<float>(static_cast<size_t>(rows) * 2, 0.0f));
    ASSERT_THAT(context.bind_input(0, x), IsOk());
    ASSERT_THAT(context.bind_output(0, y), IsOk());
    ASSERT_THAT(context.run(), IsOk());
    for (int64_t row = 0; row < rows; ++row) EXPECT_EQ(y.as<float>()[static_cast<size_t>(row) * 2], 16.5f);
  }
}

TEST_F(OnnxRuntimeContext, RefusesARunWhoseResultHasAnotherShapeThanWhatIsBound) {
  const auto executable = load(request(graph_of_text(kNonZero)));
  ASSERT_NE(executable, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  const Tensor x = float_tensor({4}, {1, 0, 0, 1});
  AXLE_ASSERT_OK_AND_ASSIGN(Tensor y, Tensor::allocate(DataType::kInt64, {1, 4}));
  ASSERT_THAT(context.bind_input(0, x), IsOk());
  ASSERT_THAT(context.bind_output(0, y), IsOk());
  EXPECT_TRUE(executable->io().exact_outputs.at(0)) << "the host asks for no shapes then";
  for (int repeat = 0; repeat < 2; ++repeat) {
    EXPECT_THAT(context.run(), StatusIs(StatusCode::kOutOfRange, "output 'y' of this run is [1, 2], and [1, 4] is bound"));
    EXPECT_THAT(context.output(0), StatusIs(StatusCode::kFailedPrecondition)) << "more would be stated than was written";
  }
  AXLE_ASSERT_OK_AND_ASSIGN(Tensor fits, Tensor::allocate(DataType::kInt64, {1, 2}));
  ASSERT_THAT(context.bind_output(0, fits), IsOk());
  ASSERT_THAT(context.run(), IsOk());
  EXPECT_EQ(fits.as<int64_t>()[1], 3);
}

TEST_F(OnnxRuntimeContext, SaysHowManyBytesAnOutputNeeds) {
  const auto executable = load(request(graph_of_text(kNonZero)));
  ASSERT_NE(executable, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  const Tensor x = float_tensor({4}, {1, 1, 1, 1});
  AXLE_ASSERT_OK_AND_ASSIGN(Tensor y, Tensor::allocate(DataType::kInt64, {1, 2}));
  ASSERT_THAT(context.bind_input(0, x), IsOk());
  ASSERT_THAT(context.bind_output(0, y), IsOk());
  const Status failed = context.run();
  EXPECT_THAT(failed, StatusIs(StatusCode::kOutOfRange, "needs 32 bytes"));
  EXPECT_THAT(failed.details(), ::testing::Contains(std::pair<std::string, std::string>("required_bytes", "32")));
  AXLE_ASSERT_OK_AND_ASSIGN(Tensor large, Tensor::allocate(DataType::kInt64, {1, 4}));
  ASSERT_THAT(context.bind_output(0, large), IsOk());
  EXPECT_THAT(context.run(), IsOk());
  EXPECT_EQ(large.as<int64_t>()[3], 3);
}

TEST_F(OnnxRuntimeContext, StaysWithTheCallersMemoryAfterAFailedRun) {
  const auto executable = load(request(graph_of_text(R"(<ir_version: 8, opset_import: ["": 17]>
      g (float[n] x, int64[k] i) => (float[k] y) { y = Gather(x, i) })")));
  ASSERT_NE(executable, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  const Tensor x = float_tensor({2}, {5, 6});
  AXLE_ASSERT_OK_AND_ASSIGN(Tensor i, Tensor::allocate(DataType::kInt64, {1}));
  Tensor y = float_tensor({1}, {0});
  i.mutable_as<int64_t>()[0] = 99;
  ASSERT_THAT(context.bind_input(0, x), IsOk());
  ASSERT_THAT(context.bind_input(1, i), IsOk());
  ASSERT_THAT(context.bind_output(0, y), IsOk());
  const Status failed = context.run();
  EXPECT_FALSE(failed.ok());
  EXPECT_THAT(failed.message(), ::testing::HasSubstr("Gather"));
  i.mutable_as<int64_t>()[0] = 1;
  for (int repeat = 0; repeat < 3; ++repeat) {
    y.mutable_as<float>()[0] = 0;
    ASSERT_THAT(context.run(), IsOk());
    EXPECT_EQ(y.as<float>()[0], 6.0f);
  }
}

TEST_F(OnnxRuntimeContext, RecordsTheNodesOfOneRun) {
  const auto executable = load(request(graph_of_text(kMlp), {{"graph_optimization_level", "none"}}));
  ASSERT_NE(executable, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  const Tensor x = float_tensor({1, 4}, {1, 1, 1, 1});
  ASSERT_THAT(context.bind_input(0, x), IsOk());
  EventList events;
  RunProfile profile;
  profile.sink = &events;
  const int64_t before = trace_now_ns();
  ASSERT_THAT(context.run(CancelToken::none(), &profile), IsOk());
  const int64_t after = trace_now_ns();
  ASSERT_FALSE(events.all.empty());
  for (const TraceEvent& event : events.all) {
    EXPECT_EQ(event.category, TraceCategory::kKernel);
    EXPECT_GE(event.start_ns, before);
    EXPECT_LE(event.start_ns, after + 1000000);  // the vendor's clock has whole microseconds
  }
  const size_t recorded = events.all.size();
  ASSERT_THAT(context.run(), IsOk());
  EXPECT_EQ(events.all.size(), recorded) << "recording must end with its run";
}

TEST_F(OnnxRuntimeContext, RefusesTensorsThatDoNotFit) {
  const auto executable = load(request(graph_of_text(kMlp)));
  ASSERT_NE(executable, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  EXPECT_THAT(context.run(), StatusIs(StatusCode::kFailedPrecondition, "'x'"));
  EXPECT_THAT(context.bind_input(0, float_tensor({4}, {1, 1, 1, 1})), StatusIs(StatusCode::kInvalidArgument, "rank"));
  EXPECT_THAT(context.bind_input(0, float_tensor({1, 5}, {1, 1, 1, 1, 1})), StatusIs(StatusCode::kInvalidArgument, "axis 1"));
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor integers, Tensor::allocate(DataType::kInt32, {1, 4}));
  EXPECT_THAT(context.bind_input(0, integers), StatusIs(StatusCode::kInvalidArgument, "i32"));
  EXPECT_THAT(context.bind_input(7, float_tensor({1, 4}, {1, 1, 1, 1})), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(context.output(0), StatusIs(StatusCode::kFailedPrecondition));
  axle_tensor_t small{};
  float two[2] = {};
  const int64_t shape[2] = {1, 4};
  small.struct_size = sizeof(small);
  small.dtype = 1;
  small.rank = 2;
  small.shape = shape;
  small.data = two;
  small.size_bytes = sizeof(two);
  EXPECT_THAT(context.bind_input(0, small), StatusIs(StatusCode::kOutOfRange));
}

TEST_F(OnnxRuntimeContext, PassesStringsBothWays) {
  const auto executable = load(request(graph_of_text(R"(<ir_version: 9, opset_import: ["": 20]>
      g (string[n] a, string[n] b) => (string[n] c) { c = StringConcat(a, b) })")));
  ASSERT_NE(executable, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor a, Tensor::from_strings({3}, {"x", "", std::string("n\0l", 3)}));
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor b, Tensor::from_strings({3}, {"1", "2", ""}));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, run_once(*executable, {{"a", a}, {"b", b}}));
  const auto c = outputs.at("c").strings();
  ASSERT_EQ(c.size(), 3u);
  EXPECT_EQ(c[0], "x1");
  EXPECT_EQ(c[1], "2");
}

TEST_F(OnnxRuntimeContext, CarriesNarrowTypes) {
  struct Case {
    const char* name;
    DataType dtype;
  };
  for (const Case& narrow :
       {Case{"float16", DataType::kFloat16}, Case{"bfloat16", DataType::kBfloat16}, Case{"double", DataType::kFloat64},
        Case{"bool", DataType::kBool}, Case{"uint8", DataType::kUint8}, Case{"int16", DataType::kInt16}}) {
    const std::string text = std::string(R"(<ir_version: 9, opset_import: ["": 19]> g ()") + narrow.name + "[4] x) => (" +
                             narrow.name + "[4] y) { y = Identity(x) }";
    const auto executable = load(request(graph_of_text(text)));
    ASSERT_NE(executable, nullptr) << narrow.name;
    EXPECT_EQ(executable->io().inputs[0].dtype, narrow.dtype);
    AXLE_ASSERT_OK_AND_ASSIGN(Tensor x, Tensor::allocate(narrow.dtype, {4}));
    static_cast<unsigned char*>(x.mutable_data())[1] = 1;
    AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, run_once(*executable, {{"x", x}}));
    EXPECT_EQ(std::memcmp(outputs.at("y").data(), x.data(), x.size_bytes()), 0) << narrow.name;
  }
}

TEST_F(OnnxRuntimeContext, StopsALongRunSoonAfterCancel) {
  const auto executable = load(request(graph_of_text(kLongLoop)));
  ASSERT_NE(executable, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  const Tensor x = float_tensor({64, 64}, std::vector<float>(64 * 64, 0.01f));
  Tensor y = float_tensor({64, 64}, std::vector<float>(64 * 64, 0.0f));
  ASSERT_THAT(context.bind_input(0, x), IsOk());
  ASSERT_THAT(context.bind_output(0, y), IsOk());
  expect_cancel_stops(context);
}

TEST_F(OnnxRuntimeContext, RunsAgainAfterACancelledRun) {
  const auto executable = load(request(graph_of_text(kMlp)));
  ASSERT_NE(executable, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  const Tensor x = float_tensor({1, 4}, {1, 1, 1, 1});
  ASSERT_THAT(context.bind_input(0, x), IsOk());
  CancelToken cancelled;
  cancelled.cancel();
  EXPECT_THAT(context.run(cancelled), StatusIs(StatusCode::kCancelled));
  EXPECT_THAT(context.run(CancelToken()), IsOk());
  EXPECT_THAT(context.run(), IsOk());
}

TEST_F(OnnxRuntimeContext, ServesSeveralContextsAtOnce) { expect_contexts_at_once(200); }

}  // namespace
}  // namespace axle::testing
