// What an engine computes: results, shapes, output modes, wrong inputs, threads.
#include <sched.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <future>
#include <limits>
#include <set>
#include <thread>

#include "base/file.h"
#include "subject.h"

namespace axle::conformance {
namespace {

// Runs dynamic_graph's executable once with engine-allocated output.
Result<std::vector<float>> run_once(Context& context, FloatTensor& x) {
  AXLE_RETURN_IF_ERROR(context.bind_input(0, x.abi()));
  AXLE_RETURN_IF_ERROR(context.run());
  AXLE_ASSIGN_OR_RETURN(const OutputView y, context.output(0));
  return axle::testing::floats(y);
}

void runs_and_agrees(const Subject& subject) {
  AXLE_ASSERT_OK_AND_ASSIGN(const auto executable, subject.load(dynamic_graph(subject.rows(3))));
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  FloatTensor x{{3, 4}, ramp(12)};
  AXLE_ASSERT_OK_AND_ASSIGN(const auto y, run_once(context, x));
  EXPECT_EQ(y, expected_dynamic(x.values));
}

void two_outputs(const Subject& subject) {
  AXLE_ASSERT_OK_AND_ASSIGN(const auto executable, subject.load(two_output_graph(subject.rows(1))));
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  FloatTensor x{{1, 4}, {-1, 1, -2, 8}};
  ASSERT_THAT(context.bind_input(0, x.abi()), IsOk());
  ASSERT_THAT(context.run(), IsOk());
  EXPECT_EQ(axle::testing::floats(*context.output(0)), (std::vector<float>{0, -1, 1, 4}));
  EXPECT_EQ(axle::testing::floats(*context.output(1)), (std::vector<float>{0, 1, 0, 8}));
  EXPECT_FALSE(context.output(2).ok());
}

void nan_and_infinity_pass(const Subject& subject) {
  AXLE_ASSERT_OK_AND_ASSIGN(const auto executable, subject.load(static_graph()));
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  FloatTensor x{{2, 3}, {kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN(), 0, 1, -1}};
  AXLE_ASSERT_OK_AND_ASSIGN(const auto y, run_once(context, x));
  EXPECT_EQ(y[0], kInfinity);
  EXPECT_EQ(y[1], -kInfinity);
  EXPECT_NE(y[2], y[2]);
}

void dynamic_batch(const Subject& subject) {
  if (subject.capability().dynamic_shapes == DynamicShapes::kNo) GTEST_SKIP() << "no dynamic shapes";
  AXLE_ASSERT_OK_AND_ASSIGN(const auto executable, subject.load(dynamic_graph(subject.rows(1))));
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  for (const int64_t batch : {1, 5, 2, 64, 1}) {
    FloatTensor x{{batch, 4}, ramp(static_cast<size_t>(batch) * 4)};
    ASSERT_THAT(context.bind_input(0, x.abi()), IsOk());
    ASSERT_THAT(context.run(), IsOk());
    AXLE_ASSERT_OK_AND_ASSIGN(const OutputView y, context.output(0));
    ASSERT_EQ(y.shape.size(), 2u);
    EXPECT_EQ(y.shape[0], batch);
    EXPECT_EQ(axle::testing::floats(y), expected_dynamic(x.values));
  }
}

void zero_size_tensors(const Subject& subject) {
  if (subject.capability().dynamic_shapes == DynamicShapes::kNo) GTEST_SKIP() << "no dynamic shapes";
  AXLE_ASSERT_OK_AND_ASSIGN(const auto executable, subject.load(dynamic_graph(subject.rows(1))));
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  FloatTensor x{{0, 4}, {}};
  ASSERT_THAT(context.bind_input(0, x.abi()), IsOk());
  ASSERT_THAT(context.run(), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const OutputView y, context.output(0));
  EXPECT_EQ(y.size_bytes, 0u);
  EXPECT_EQ(y.shape[0], 0);
}

void scalar_io(const Subject& subject) {
  AXLE_ASSERT_OK_AND_ASSIGN(const auto executable, subject.load(scalar_graph()));
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  FloatTensor x{{}, {21}};
  AXLE_ASSERT_OK_AND_ASSIGN(const auto y, run_once(context, x));
  EXPECT_EQ(y, std::vector<float>{42});
  EXPECT_EQ(context.output(0)->shape.size(), 0u);
}

void output_modes_agree(const Subject& subject) {
  AXLE_ASSERT_OK_AND_ASSIGN(const auto executable, subject.load(dynamic_graph(subject.rows(2))));
  if (executable->io().output_modes[0] != OutputMode::kEither) GTEST_SKIP() << "one output mode only";
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  FloatTensor x{{2, 4}, ramp(8)}, bound{{2, 4}, std::vector<float>(8, -99)};
  AXLE_ASSERT_OK_AND_ASSIGN(const auto own, run_once(context, x));
  ASSERT_THAT(context.bind_output(0, bound.abi()), IsOk());
  ASSERT_THAT(context.run(), IsOk());
  EXPECT_EQ(bound.values, own);
  EXPECT_EQ(context.output(0)->data, bound.values.data());
  ASSERT_THAT(context.unbind_output(0), IsOk());
  bound.values.assign(8, -99);
  ASSERT_THAT(context.run(), IsOk());
  EXPECT_EQ(bound.values, std::vector<float>(8, -99)) << "unbound memory was written";
  EXPECT_EQ(axle::testing::floats(*context.output(0)), own);
}

void inputs_are_read_at_each_run(const Subject& subject) {
  AXLE_ASSERT_OK_AND_ASSIGN(const auto executable, subject.load(dynamic_graph(subject.rows(1))));
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  FloatTensor x{{1, 4}, {1, 2, 3, 4}};
  AXLE_ASSERT_OK_AND_ASSIGN(const auto first, run_once(context, x));
  x.values = {5, 6, 7, 8};
  ASSERT_THAT(context.run(), IsOk());
  EXPECT_EQ(axle::testing::floats(*context.output(0)), expected_dynamic(x.values));
  EXPECT_EQ(x.values, (std::vector<float>{5, 6, 7, 8})) << "an input was written";
}

void wrong_inputs_are_refused(const Subject& subject) {
  AXLE_ASSERT_OK_AND_ASSIGN(const auto executable, subject.load(dynamic_graph(subject.rows(1))));
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  const auto refused = [&](const axle_tensor_t& tensor) {
    const Status status = context.bind_input(0, tensor);
    return !status.ok() && (status.code() == StatusCode::kInvalidArgument || status.code() == StatusCode::kOutOfRange);
  };
  FloatTensor good{{1, 4}, {1, 2, 3, 4}}, rank{{4}, {1, 2, 3, 4}}, axis{{1, 3}, {1, 2, 3}}, small{{2, 4}, {1, 2, 3}};
  axle_tensor_t dtype = good.abi();
  dtype.dtype = static_cast<int32_t>(DataType::kInt64);
  axle_tensor_t negative = good.abi();
  const int64_t negative_shape[] = {-1, 4};
  negative.shape = negative_shape;
  axle_tensor_t huge = good.abi();
  const int64_t huge_shape[] = {std::numeric_limits<int64_t>::max(), 4};
  huge.shape = huge_shape;
  axle_tensor_t nowhere = good.abi();
  nowhere.data = nullptr;
  EXPECT_TRUE(refused(dtype)) << "wrong dtype";
  EXPECT_TRUE(refused(rank.abi())) << "wrong rank";
  EXPECT_TRUE(refused(axis.abi())) << "wrong static axis";
  EXPECT_TRUE(refused(small.abi())) << "too few bytes";
  EXPECT_TRUE(refused(negative)) << "negative axis";
  EXPECT_TRUE(refused(huge)) << "size overflows";
  EXPECT_TRUE(refused(nowhere)) << "no data";
  EXPECT_FALSE(context.bind_input(1, good.abi()).ok()) << "no such input";
  EXPECT_FALSE(context.bind_output(1, good.abi()).ok()) << "no such output";
  AXLE_ASSERT_OK_AND_ASSIGN(const auto y, run_once(context, good));  // and it still works
  EXPECT_EQ(y, expected_dynamic(good.values));
}

void unbound_input_is_refused(const Subject& subject) {
  AXLE_ASSERT_OK_AND_ASSIGN(const auto executable, subject.load(dynamic_graph(subject.rows(1))));
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  EXPECT_FALSE(context.run().ok());
  FloatTensor x{{1, 4}, {1, 2, 3, 4}};
  ASSERT_THAT(context.bind_input(0, x.abi()), IsOk());
  ASSERT_THAT(context.run(), IsOk());
  ASSERT_THAT(context.unbind_input(0), IsOk());
  EXPECT_FALSE(context.run().ok());
}

void output_before_the_first_run_is_refused(const Subject& subject) {
  AXLE_ASSERT_OK_AND_ASSIGN(const auto executable, subject.load(dynamic_graph(subject.rows(1))));
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  EXPECT_FALSE(context.output(0).ok());
}

void too_small_output_says_what_it_needs(const Subject& subject) {
  AXLE_ASSERT_OK_AND_ASSIGN(const auto executable, subject.load(dynamic_graph(subject.rows(4))));
  if (executable->io().output_modes[0] == OutputMode::kEngine) GTEST_SKIP() << "outputs cannot be bound";
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  FloatTensor x{{4, 4}, ramp(16)};
  FloatTensor y{{4, 4}, std::vector<float>(2)};
  ASSERT_THAT(context.bind_input(0, x.abi()), IsOk());
  Status status = context.bind_output(0, y.abi());
  if (status.ok()) status = context.run();
  ASSERT_THAT(status, StatusIs(StatusCode::kOutOfRange));
  const auto detail =
      std::find_if(status.details().begin(), status.details().end(), [](const auto& d) { return d.first == "required_bytes"; });
  ASSERT_NE(detail, status.details().end());
  EXPECT_EQ(detail->second, "64");
}

void repeated_runs_are_equal(const Subject& subject) {
  AXLE_ASSERT_OK_AND_ASSIGN(const auto executable, subject.load(long_graph(20, subject.rows(2))));
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  FloatTensor x{{2, 1024}, std::vector<float>(2048, 0.9f)};
  AXLE_ASSERT_OK_AND_ASSIGN(const auto first, run_once(context, x));
  for (int i = 0; i < 20; ++i) {
    ASSERT_THAT(context.run(), IsOk());
    const auto again = axle::testing::floats(*context.output(0));
    if (subject.engine().info().deterministic) {
      ASSERT_EQ(again, first);
    } else {
      for (size_t k = 0; k < first.size(); ++k) ASSERT_NEAR(again[k], first[k], 1e-4f * (1 + std::abs(first[k])));
    }
  }
}

void contexts_run_in_parallel(const Subject& subject) {
  AXLE_ASSERT_OK_AND_ASSIGN(const auto executable, subject.load(dynamic_graph(subject.rows(1))));
  const int64_t fixed = subject.rows(1);
  std::vector<std::future<bool>> workers;
  for (int worker = 0; worker < 4; ++worker) {
    workers.push_back(std::async(std::launch::async, [&executable, worker, fixed] {
      auto context = executable->make_context();
      if (!context.ok()) return false;
      for (int i = 0; i < 25; ++i) {
        const int64_t batch = fixed > 0 ? fixed : 1 + (worker + i) % 3;
        FloatTensor x{{batch, 4}, ramp(static_cast<size_t>(batch) * 4)};
        for (float& value : x.values) value += static_cast<float>(worker);
        const auto y = run_once(*context, x);
        if (!y.ok() || *y != expected_dynamic(x.values)) return false;
      }
      return true;
    }));
  }
  for (auto& worker : workers) EXPECT_TRUE(worker.get());
}

void asynchronous_run_completes(const Subject& subject) {
  AXLE_ASSERT_OK_AND_ASSIGN(const auto executable, subject.load(dynamic_graph(subject.rows(2))));
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  if (!context.runs_async()) GTEST_SKIP() << "no asynchronous run";
  FloatTensor x{{2, 4}, ramp(8)};
  ASSERT_THAT(context.bind_input(0, x.abi()), IsOk());
  for (int i = 0; i < 5; ++i) {
    std::promise<Status> done;
    const CancelToken none = CancelToken::none();
    ASSERT_THAT(context.run_async(none, [&](Status status) { done.set_value(std::move(status)); }), IsOk());
    ASSERT_THAT(done.get_future().get(), IsOk());
    EXPECT_EQ(axle::testing::floats(*context.output(0)), expected_dynamic(x.values));
  }
}

// Threads of this process and the CPUs each may use.
std::map<std::string, std::set<int>> threads_and_cpus() {
  std::map<std::string, std::set<int>> threads;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task", error)) {
    cpu_set_t mask;
    CPU_ZERO(&mask);
    const std::string id = entry.path().filename().string();
    if (::sched_getaffinity(std::stoi(id), sizeof(mask), &mask) != 0) continue;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &mask)) threads[id].insert(cpu);
    }
  }
  return threads;
}

void cpu_set_is_honoured_or_declared(const Subject& subject) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  ASSERT_EQ(::sched_getaffinity(0, sizeof(allowed), &allowed), 0);
  int last = -1;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) last = CPU_ISSET(cpu, &allowed) ? cpu : last;
  const auto before = threads_and_cpus();
  EngineLoadRequest request = subject.request(long_graph(8, subject.rows(64)));
  request.cpu_set = {last};
  request.threads = 2;
  AXLE_ASSERT_OK_AND_ASSIGN(const auto executable, subject.engine().load(request));
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  FloatTensor x{{64, 1024}, std::vector<float>(64 * 1024, 0.5f)};
  ASSERT_THAT(run_once(context, x), IsOk());
  EXPECT_EQ(executable->effective().cpu_set_honoured, subject.engine().info().honours_cpu_set);
  if (!executable->effective().cpu_set_honoured) GTEST_SKIP() << "declared: does not honour cpu_set";
  for (const auto& [id, cpus] : threads_and_cpus()) {
    if (before.count(id) == 0) {
      EXPECT_EQ(cpus, std::set<int>{last}) << "thread " << id << " may leave the cpu set";
    }
  }
}

}  // namespace

std::vector<Check> run_checks() {
  return {{"RunsAndAgrees", runs_and_agrees},
          {"TwoOutputs", two_outputs},
          {"NanAndInfinityPass", nan_and_infinity_pass},
          {"DynamicBatch", dynamic_batch},
          {"ZeroSizeTensors", zero_size_tensors},
          {"ScalarIo", scalar_io},
          {"OutputModesAgree", output_modes_agree},
          {"InputsAreReadAtEachRun", inputs_are_read_at_each_run},
          {"WrongInputsAreRefused", wrong_inputs_are_refused},
          {"UnboundInputIsRefused", unbound_input_is_refused},
          {"OutputBeforeTheFirstRunIsRefused", output_before_the_first_run_is_refused},
          {"TooSmallOutputSaysWhatItNeeds", too_small_output_says_what_it_needs},
          {"RepeatedRunsAreEqual", repeated_runs_are_equal},
          {"ContextsRunInParallel", contexts_run_in_parallel},
          {"AsynchronousRunCompletes", asynchronous_run_completes},
          {"CpuSetIsHonouredOrDeclared", cpu_set_is_honoured_or_declared}};
}

}  // namespace axle::conformance
