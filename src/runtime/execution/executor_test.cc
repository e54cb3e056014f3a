// Executions serve one caller after the other: nothing of the first is left for the second.
#include "runtime/execution/executor.h"

#include <gtest/gtest.h>

#include "base/testing/status_matchers.h"
#include "engine/engine.h"
#include "model/model_graph.h"
#include "runtime/runtime_state.h"
#include "runtime/testing/fake_engines.h"
#include "runtime/testing/rows.h"

namespace axle {
namespace {

using testing::IsOk;
using testing::StatusIs;

TEST(Execution, WhatIsUnboundIsNotReadAgain) {
  testing::reset_fake("adder");
  RuntimeOptions options;
  options.use_cache = false;
  options.engines = {"adder"};
  AXLE_ASSERT_OK_AND_ASSIGN(const auto runtime, Runtime::create(options));
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, testing::two_step_model());
  AXLE_ASSERT_OK_AND_ASSIGN(const auto graph, graph_of(model));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto engine, runtime->state().engine("adder", *runtime));
  EngineLoadRequest request;
  AXLE_ASSERT_OK_AND_ASSIGN(request.graph, GraphIndex::create(graph));
  request.resource = "cpu:0";
  AXLE_ASSERT_OK_AND_ASSIGN(const Capability capability, engine->capability("cpu:0"));
  AXLE_ASSERT_OK_AND_ASSIGN(request.options, resolve_options(capability, "default", {}));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto executable, engine->load(request));
  Plan plan;
  plan.partitions.emplace_back();
  AXLE_ASSERT_OK_AND_ASSIGN(LoadedPlan loaded, LoadedPlan::wire(plan, {executable}, model.inputs(), model.outputs()));
  AXLE_ASSERT_OK_AND_ASSIGN(Execution execution, Execution::create(std::make_shared<const LoadedPlan>(std::move(loaded))));
  ASSERT_THAT(execution.unbind_input(0), IsOk());  // nothing was bound
  ASSERT_THAT(execution.bind_input(0, testing::row_of(1).tensor), IsOk());
  ASSERT_THAT(execution.run(), IsOk());
  ASSERT_THAT(execution.unbind_input(0), IsOk());
  // The fake engine leaves nothing out: it says what is missing.
  EXPECT_THAT(execution.run(), StatusIs(StatusCode::kFailedPrecondition, "'x' is not bound"));
  testing::reset_fake("adder");
}

}  // namespace
}  // namespace axle
