// Fault injection: each verb of an engine fails once, directly and behind the loopback. The error arrives with its code, nothing
// is left behind, and the next conversation works.
#include "base/file.h"
#include "engine/loopback.h"
#include "engine/testing/engine_fixture.h"

namespace axle {
namespace {

using testing::FakeEngine;
using testing::FloatTensor;
using testing::IsOk;
using testing::StatusIs;

const std::vector<std::string> kVerbs = {"create",      "describe", "resources", "capability",     "support",
                                         "compile",     "load",     "io",        "context_create", "bind_input",
                                         "bind_output", "run",      "output",    "counters"};

// Every verb once.
Status converse(axle_engine_query_t query) {
  EngineRegistryOptions options;
  options.default_folders = false;
  options.in_process["fake"] = query;
  AXLE_ASSIGN_OR_RETURN(const auto registry, EngineRegistry::create(options));
  AXLE_ASSIGN_OR_RETURN(const auto engine, registry->open("fake"));
  AXLE_RETURN_IF_ERROR(engine->capability("cpu:0"));
  EngineLoadRequest request;
  AXLE_ASSIGN_OR_RETURN(request.graph, GraphIndex::create(testing::small_graph()));
  request.resource = "cpu:0";
  AXLE_RETURN_IF_ERROR(engine->support(request));
  AXLE_ASSIGN_OR_RETURN(const ScratchDir scratch, ScratchDir::create());
  request.scratch_folder = scratch.path();
  AXLE_RETURN_IF_ERROR(engine->compile(request, 1));
  AXLE_ASSIGN_OR_RETURN(const auto executable, engine->load(request));
  AXLE_ASSIGN_OR_RETURN(Context context, executable->make_context());
  FloatTensor x{{2, 4}, std::vector<float>(8)}, y{{2, 4}, std::vector<float>(8)};
  AXLE_RETURN_IF_ERROR(context.bind_input(0, x.abi()));
  AXLE_RETURN_IF_ERROR(context.bind_output(0, y.abi()));
  AXLE_RETURN_IF_ERROR(context.run());
  AXLE_RETURN_IF_ERROR(context.output(0));
  return executable->counters().status();
}

TEST(EngineFaults, EveryVerbFailsOnceDirectly) {
  FakeEngine fake;
  ASSERT_THAT(converse(fake.query()), IsOk());
  for (const std::string& verb : kVerbs) {
    fake.fail(verb, 1, AXLE_ABORTED, "injected into " + verb);
    EXPECT_THAT(converse(fake.query()), StatusIs(StatusCode::kAborted, "injected into " + verb));
    EXPECT_EQ(fake.live_contexts() + fake.live_executables(), 0) << verb;
    EXPECT_THAT(converse(fake.query()), IsOk()) << verb;
  }
}

TEST(EngineFaults, EveryVerbFailsOnceBehindTheLoopback) {
  FakeEngine fake;
  AXLE_ASSERT_OK_AND_ASSIGN(const auto plugin, Plugin::from_query(fake.query(), "fake"));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto loopback, Loopback::create(plugin));
  ASSERT_THAT(converse(loopback->query()), IsOk());
  for (const std::string& verb : kVerbs) {
    if (verb == "io") continue;  // the client asks it once more by itself
    fake.fail(verb, 1, AXLE_ABORTED, "injected into " + verb);
    EXPECT_THAT(converse(loopback->query()), StatusIs(StatusCode::kAborted, "injected into " + verb)) << verb;
    EXPECT_EQ(fake.live_contexts() + fake.live_executables(), 0) << verb;
    EXPECT_THAT(converse(loopback->query()), IsOk()) << verb;
  }
}

}  // namespace
}  // namespace axle
