// The engine's side of the flat form, fed with any bytes, after a conversation that leaves an engine, an executable and a context.
#include <cstdint>

#include "engine/flat_server.h"
#include "engine/testing/fake_engine.h"
#include "engine/testing/graph_builder.h"

namespace {

std::string load_request() {
  using namespace axle;
  const auto graph = testing::GraphBuilder()
                         .input("x", {{-1, "n"}, {4, ""}})
                         .node("Relu", {"x"}, "y", SymbolicShape{{-1, "n"}, {4, ""}})
                         .output("y")
                         .build();
  const GraphView view(*GraphIndex::create(graph));
  FlatWriter load(FlatVerb::kLoad);
  load.u64(1).text("cpu:0").text("f32").options(nullptr, 0).text("/nowhere").i32(1).i32(0).numbers<int32_t>({}).u64(0);
  write_place(load, {});
  load.u64(0).u32(1);
  (void)write_graph(load, view,
                    [](const Graph& g) -> Result<std::vector<FlatPlace>> { return std::vector<FlatPlace>(g.weights.size()); });
  return load.take();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace axle;
  static testing::FakeEngine* const fake = new testing::FakeEngine;
  static const auto plugin = *Plugin::from_query(fake->query(), "fake");
  static const std::string create = FlatWriter(FlatVerb::kCreate).text("").u64(0).options(nullptr, 0).text("/nowhere").take();
  static const std::string load = load_request();
  static const std::string context = FlatWriter(FlatVerb::kContextCreate).u64(1).take();
  FlatServer server(plugin, [](const std::string&) {});
  for (const std::string* request : {&create, &load, &context}) (void)server.serve(*request);
  std::string message(reinterpret_cast<const char*>(data), size);
  // Most inputs should get past the header.
  FlatWriter header(FlatVerb::kRun);
  if (size > 4 && data[0] != 'A') message = header.take().substr(0, 8) + message;
  FlatReader reply(server.serve(message));
  return 0;
}
