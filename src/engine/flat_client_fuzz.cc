// The host's side of the flat form: one reply of a conversation is any bytes at all.
#include <cstdint>
#include <cstdlib>

#include "engine/flat_client.h"
#include "engine/flat_message.h"
#include "engine/flat_server.h"
#include "engine/graph_handle.h"
#include "engine/testing/fake_engine.h"
#include "engine/testing/graph_builder.h"

namespace {

using namespace axle;

// Answers as the engine does, but for one reply.
class ForgingChannel final : public FlatChannel {
 public:
  ForgingChannel(std::shared_ptr<const Plugin> plugin, uint32_t which, std::string forged)
      : server_(std::move(plugin), [](const std::string&) {}), which_(which), forged_(std::move(forged)) {}
  Result<std::string> call(const std::string& request, std::span<const FlatAttachment> attachments,
                           const std::function<void()>&) override {
    AXLE_RETURN_IF_ERROR(server_.attach(attachments));
    std::string reply = server_.serve(request);
    if (calls_++ != which_) return reply;
    return reply.substr(0, 12) + forged_;  // most inputs should get past the header
  }
  void on_notice(std::function<void(const std::string&)>) override {}

 private:
  FlatServer server_;
  uint32_t which_;
  uint32_t calls_ = 0;
  std::string forged_;
};

std::shared_ptr<const Graph> graph() {
  return testing::GraphBuilder().input("x", {{2, ""}}).node("Relu", {"x"}, "y", SymbolicShape{{2, ""}}).output("y").build();
}

// As a caller does: as many as the shape says, each to its end.
void read_texts(const axle_tensor_t& tensor) {
  int64_t count = 1;
  for (int32_t axis = 0; axis < tensor.rank; ++axis) count *= tensor.shape[axis];
  if (tensor.size_bytes != static_cast<size_t>(count) * sizeof(axle_text_t)) std::abort();
  const auto* texts = static_cast<const axle_text_t*>(tensor.data);
  volatile char sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    if (texts[i].size > 0) sum = static_cast<char>(sum + texts[i].data[0] + texts[i].data[texts[i].size - 1]);
  }
}

void converse(FlatClient& client) {
  const axle_engine_api_t table = client.table();
  axle_create_args_t create{};
  create.struct_size = sizeof(create);
  axle_engine_t* engine = nullptr;
  if (axle_error_t* error = client.create_engine(&create, &engine)) return table.release_error(error);
  const GraphView view(*GraphIndex::create(graph()));
  axle_load_args_t load{};
  load.struct_size = sizeof(load);
  load.graph = view.abi();
  load.resource = {"cpu:0", 5};
  load.precision = {"f32", 3};
  load.threads = 1;
  axle_executable_t* executable = nullptr;
  axle_buffer_t effective{};
  if (axle_error_t* error = table.load(engine, &load, &executable, &effective)) {
    table.release_error(error);
    return table.destroy(engine);
  }
  table.release_buffer(&effective);
  axle_context_t* context = nullptr;
  if (axle_error_t* error = table.context_create(executable, &context)) {
    table.release_error(error);
  } else {
    float values[2] = {1, 2};
    const int64_t shape = 2;
    axle_tensor_t tensor{sizeof(tensor), 1, 1, &shape, values, sizeof(values), 0, 0};
    for (axle_error_t* failed : {table.bind_input(context, 0, &tensor), table.run(context, nullptr)}) {
      if (failed != nullptr) table.release_error(failed);
    }
    axle_tensor_t out{};
    out.struct_size = sizeof(out);
    if (axle_error_t* failed = table.output(context, 0, &out)) {
      table.release_error(failed);
    } else if (out.dtype == 1 && out.data != nullptr && out.size_bytes > 0) {
      volatile char sum = 0;  // both ends of what it says is there
      sum = static_cast<char>(sum + static_cast<const char*>(out.data)[0] +
                              static_cast<const char*>(out.data)[out.size_bytes - 1]);
    } else if (out.dtype == static_cast<int32_t>(DataType::kString)) {
      read_texts(out);
    }
    table.context_destroy(context);
  }
  table.unload(executable);
  table.destroy(engine);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  static testing::FakeEngine* const fake = new testing::FakeEngine;
  static const auto plugin = *Plugin::from_query(fake->query(), "fake");
  auto channel =
      std::make_shared<ForgingChannel>(plugin, data[0] % 8, std::string(reinterpret_cast<const char*>(data + 1), size - 1));
  auto client = FlatClient::create(std::move(channel));
  if (client.ok()) converse(**client);
  return 0;
}
