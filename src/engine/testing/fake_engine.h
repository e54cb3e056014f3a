// FakeEngine: a programmable in-process engine for the tests of runtime, planner and tuner. It goes through the whole ABI.
//   FakeEngine fake;                                   // takes one of 32 slots; at most 32 live at a time
//   fake.script().run_delay = 2ms;
//   fake.fail("run", 3, AXLE_INTERNAL, "boom");        // the third run
//   EngineRegistryOptions options; options.default_folders = false; options.in_process["fake"] = fake.query();
// Must outlive every engine, executable and context made from it. Change the script only while no verb runs.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "axle/engine_kit.h"

namespace axle::testing {

// What compute fills in: an output's shape and dense bytes.
struct FakeOutput {
  const kit::IoSpec* spec = nullptr;
  std::vector<int64_t> shape;
  std::vector<std::byte> bytes;
  template <typename T>
  void set(std::vector<int64_t> new_shape, const std::vector<T>& values) {
    shape = std::move(new_shape);
    const auto* from = reinterpret_cast<const std::byte*>(values.data());
    bytes.assign(from, from + values.size() * sizeof(T));
  }
};

// A node of the graph that was loaded.
struct FakeNode {
  std::string name, op_type;
  std::vector<std::string> inputs, outputs;  // "" = left out
};

// What is asked of one executable; given to compute.
struct FakeLoad {
  std::string resource, precision;
  std::map<std::string, std::string> options;
  int32_t threads = 1;
  bool spin = false;
  std::vector<int32_t> cpu_set;
  bool from_artefact = false;
  std::vector<FakeNode> nodes;       // of the graph, if there was one
  std::vector<std::string> inputs;   // its inputs, in bind order
  std::vector<std::vector<int64_t>> input_shapes;  // as declared; -1 = open
};

using FakeCompute =
    std::function<void(const FakeLoad& load, std::span<const axle_tensor_t> inputs, std::span<FakeOutput> outputs)>;

struct FakeScript {
  kit::EngineInfo info;                         // name "fake", deterministic, honours cpu sets
  std::vector<kit::ResourceInfo> resources;     // cpu:0
  kit::Capability capability;                   // onnx; f32 and bf16; option "level" (low, high: numerics), "streams" 1-8;
                                                // presets default and fast
  bool absent = false;                          // create fails with UNAVAILABLE
  kit::Support support;                         // yes to everything
  std::function<kit::Support(const kit::SupportArgs&)> answer_support;  // set: instead of `support`
  std::function<void(kit::Effective&)> change_effective;  // to differ from what was asked
  std::optional<kit::Io> io;                    // instead of the graph's; needed for self-contained artefacts
  std::string artefact = "fake artefact";       // content of the one blob compile writes
  bool self_contained = false;
  std::chrono::nanoseconds support_delay{0}, compile_delay{0}, load_delay{0}, run_delay{0};
  bool poll_cancel = true;                      // delays end early when cancelled
  FakeCompute compute;                          // default: each output copies the first input of equal size, else zeros
  // Slots that the plugin leaves empty: "compile", "counters", "run_async".
  std::vector<std::string> missing_slots = {"run_async"};
};

struct FakeState;

class FakeEngine {
 public:
  explicit FakeEngine(const std::string& name = "fake");
  ~FakeEngine();
  FakeEngine(const FakeEngine&) = delete;
  FakeEngine& operator=(const FakeEngine&) = delete;

  FakeScript& script();
  // The `nth` next call (1 = the next) of a verb fails: create describe resources capability support compile load io
  // context_create bind_input bind_output run output counters.
  void fail(const std::string& verb, int64_t nth, int32_t code, const std::string& message);
  int64_t calls(const std::string& verb) const;
  // Executables and contexts that exist now.
  int64_t live_executables() const;
  int64_t live_contexts() const;
  // Loads in order.
  std::vector<FakeLoad> loads() const;
  axle_engine_query_t query() const;

 private:
  std::unique_ptr<FakeState> state_;
  int slot_;
};

}  // namespace axle::testing
