// A host whose engine's side answers anything at all.
#include "engine/flat_client.h"

#include <cstring>
#include <random>

#include "base/file.h"
#include "engine/flat_message.h"
#include "engine/flat_server.h"
#include "engine/testing/engine_fixture.h"

namespace axle {
namespace {

using testing::FakeEngine;
using testing::FloatTensor;
using testing::IsOk;
using testing::StatusIs;

using Change = std::function<void(FlatVerb verb, std::string& reply)>;

// A server in this process whose replies are changed on their way.
class ChangingChannel final : public FlatChannel {
 public:
  ChangingChannel(std::shared_ptr<const Plugin> plugin, Change change)
      : server_(std::move(plugin), [](const std::string&) {}), change_(std::move(change)) {}
  Result<std::string> call(const std::string& request, std::span<const FlatAttachment> attachments,
                           const std::function<void()>&) override {
    AXLE_RETURN_IF_ERROR(server_.attach(attachments));
    std::string reply = server_.serve(request);
    change_(FlatReader(request).verb(), reply);
    return reply;
  }
  void on_notice(std::function<void(const std::string&)>) override {}

 private:
  FlatServer server_;
  Change change_;
};

class Remote final : public RemoteEngine {
 public:
  explicit Remote(std::shared_ptr<FlatClient> client) : client_(std::move(client)) {}
  axle_error_t* create(const axle_create_args_t* args, axle_engine_t** out) override {
    return client_->create_engine(args, out);
  }
  axle_error_t* describe(axle_engine_t* engine, axle_buffer_t* out) override { return client_->describe_engine(engine, out); }
  Status amend(EffectiveValues&) const override { return ok_status(); }
  void amend(std::map<std::string, double>&) const override {}

 private:
  std::shared_ptr<FlatClient> client_;
};

// Every verb of a run, both ways of giving outputs. The first failure, or what the last run gave.
Result<std::vector<float>> converse(FakeEngine& fake, const Change& change) {
  AXLE_ASSIGN_OR_RETURN(auto plugin, Plugin::from_query(fake.query(), "fake"));
  AXLE_ASSIGN_OR_RETURN(auto client, FlatClient::create(std::make_shared<ChangingChannel>(plugin, change)));
  const axle_engine_api_t table = client->table();
  AXLE_ASSIGN_OR_RETURN(auto remote, Plugin::from_remote(table, std::make_shared<Remote>(client), "/fake"));
  AXLE_ASSIGN_OR_RETURN(const ScratchDir scratch, ScratchDir::create());
  EngineCreateOptions create;
  create.scratch_folder = scratch.path();
  AXLE_ASSIGN_OR_RETURN(const auto engine, Engine::create(remote, create));
  EngineLoadRequest request;
  request.graph = testing::index_of(testing::small_graph());
  request.resource = "cpu:0";
  AXLE_RETURN_IF_ERROR(engine->support(request).status());
  AXLE_ASSIGN_OR_RETURN(const auto executable, engine->load(request));
  AXLE_ASSIGN_OR_RETURN(Context context, executable->make_context());
  FloatTensor x{{2, 4}, std::vector<float>(8, 1)}, y{{2, 4}, std::vector<float>(8)};
  AXLE_RETURN_IF_ERROR(context.bind_input(0, x.abi()));
  AXLE_RETURN_IF_ERROR(context.run());
  AXLE_ASSIGN_OR_RETURN(const OutputView view, context.output(0));
  std::vector<float> values = testing::floats(view);  // read as far as the view says
  AXLE_RETURN_IF_ERROR(context.bind_output(0, y.abi()));
  AXLE_RETURN_IF_ERROR(context.run());
  return values;
}

testing::FakeCompute ones() {
  return [](const testing::FakeLoad&, std::span<const axle_tensor_t> in, std::span<testing::FakeOutput> out) {
    out[0].set<float>({in[0].shape[0], 4}, std::vector<float>(static_cast<size_t>(in[0].shape[0]) * 4, 1));
  };
}

TEST(FlatClient, UnchangedRepliesGiveTheResult) {
  FakeEngine fake;
  fake.script().compute = ones();
  AXLE_ASSERT_OK_AND_ASSIGN(const auto values, converse(fake, [](FlatVerb, std::string&) {}));
  EXPECT_EQ(values, std::vector<float>(8, 1));
}

TEST(FlatClient, ResultsOutsideTheirMemoryAreRefused) {
  FakeEngine fake;
  fake.script().compute = ones();
  const auto state = [&](uint32_t segment, uint64_t offset, uint64_t size_bytes) {
    return converse(fake, [=](FlatVerb verb, std::string& reply) {
      if (verb != FlatVerb::kRun) return;
      FlatWriter forged(FlatVerb::kRun);
      write_error(forged, {});
      forged.u64(1);
      write_error(forged, {});
      write_tensor(forged, {1, {2, 4}, {segment, offset, size_bytes}, {}});
      reply = forged.take();
    });
  };
  for (const auto& result :
       {state(99, 0, 32), state(1, 1 << 20, 32), state(1, 0, uint64_t{1} << 60), state(0, 0, ~uint64_t{0})}) {
    EXPECT_THAT(result, StatusIs(StatusCode::kInternal, "malformed reply"));
  }
}

TEST(FlatClient, TextsThatAreNotThereAreRefused) {
  FakeEngine fake;
  fake.script().compute = ones();
  const auto state = [&](std::vector<int64_t> shape, uint64_t size_bytes, size_t texts) {
    return converse(fake, [=](FlatVerb verb, std::string& reply) {
      if (verb != FlatVerb::kRun) return;
      FlatWriter forged(FlatVerb::kRun);
      write_error(forged, {});
      forged.u64(1);
      write_error(forged, {});
      const auto dtype = static_cast<int32_t>(DataType::kString);
      write_tensor(forged, {dtype, shape, {0, 0, size_bytes}, std::vector<std::string>(texts, "text")});
      reply = forged.take();
    });
  };
  constexpr uint64_t kEach = sizeof(axle_text_t);
  constexpr int64_t kHuge = int64_t{1} << 32;
  for (const auto& result : {state({2, 4}, 8 * kEach, 1), state({2, 4}, 1 << 20, 8), state({2, 4}, kEach, 1),
                             state({-1}, kEach, 1), state({kHuge, kHuge}, 0, 0), state({2, 4}, 0, 8)}) {
    EXPECT_THAT(result, StatusIs(StatusCode::kInternal, "malformed reply"));
  }
}

TEST(FlatClient, ResultsThatNobodyAskedForAreRefused) {
  FakeEngine fake;
  fake.script().compute = ones();
  EXPECT_THAT(converse(fake,
                       [](FlatVerb verb, std::string& reply) {
                         if (verb != FlatVerb::kRun) return;
                         FlatWriter forged(FlatVerb::kRun);
                         write_error(forged, {});
                         reply = forged.u64(uint64_t{1} << 40).take();
                       }),
              StatusIs(StatusCode::kInternal, "malformed reply"));
}

// An executable without inputs and outputs could never run, however often its process is started anew.
TEST(FlatClient, LoadFailsWhenItsTensorsCannotBeHad) {
  FakeEngine fake;
  fake.script().compute = ones();
  int asked = 0;
  EXPECT_THAT(converse(fake,
                       [&](FlatVerb verb, std::string& reply) {
                         if (verb != FlatVerb::kIo || asked++ > 0) return;
                         FlatWriter gone(FlatVerb::kIo);
                         write_error(gone, {AXLE_UNAVAILABLE, 0, 0, "it ended", ""});
                         reply = gone.take();
                       }),
              StatusIs(StatusCode::kUnavailable, "it ended"));
  EXPECT_EQ(asked, 1);
}

TEST(FlatClient, SurvivesManyMutations) {
  FakeEngine fake;
  fake.script().compute = ones();
  std::mt19937 random(11);
  int refused = 0;
  for (int round = 0; round < 2000; ++round) {
    uint32_t calls_before = random() % 12;
    const auto result = converse(fake, [&](FlatVerb, std::string& reply) {
      if (calls_before-- != 0 || reply.size() <= 12) return;
      if (random() % 4 == 0) reply.resize(random() % reply.size());
      for (uint32_t i = random() % 4; i > 0 && reply.size() > 12; --i) {
        reply[12 + random() % (reply.size() - 12)] = static_cast<char>(random());
      }
    });
    refused += result.ok() ? 0 : 1;
  }
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace axle
