// Registered fake engines for tests of the runtime, and a small model for them.
#pragma once

#include <map>
#include <string>

#include "axle/engine.h"
#include "axle/model.h"
#include "engine/testing/fake_engine.h"
#include "model/testing/model_builder.h"

namespace axle::testing {

// Registered on first use; lives as long as the process, as registered engines must. Its script is set anew by each call of
// reset_fake.
inline FakeEngine& registered_fake(const std::string& name) {
  static auto& engines = *new std::map<std::string, FakeEngine*>;  // never destroyed
  FakeEngine*& engine = engines[name];
  if (engine == nullptr) {
    engine = new FakeEngine(name);
    if (const Status status = register_engine(engine->query(), name); !status.ok()) std::abort();
  }
  return *engine;
}

inline FakeEngine& reset_fake(const std::string& name) {
  FakeEngine& engine = registered_fake(name);
  engine.script() = FakeEngine(name).script();
  return engine;
}

// compute for FakeScript: every output is f(first input), element by element, in f32.
template <typename F>
FakeCompute elementwise(F f) {
  return [f](const FakeLoad&, std::span<const axle_tensor_t> inputs, std::span<FakeOutput> outputs) {
    const axle_tensor_t& in = inputs[0];
    const auto* values = static_cast<const float*>(in.data);
    std::vector<float> result(in.size_bytes / sizeof(float));
    for (size_t i = 0; i < result.size(); ++i) result[i] = f(values[i]);
    for (FakeOutput& out : outputs) out.set(std::vector<int64_t>(in.shape, in.shape + in.rank), result);
  };
}

// x[n,4] -> first -> h -> second -> y[n,4]; the fake engines compute what their scripts say, not what the ops say.
inline Result<Model> two_step_model() {
  ModelBuilder builder;
  builder.input("x", kF32, {-1, 4}, {"n"}).output("y", kF32, {-1, 4}, {"n"});
  builder.node("Relu", {"x"}, {"h"}, "first");
  builder.node("Relu", {"h"}, {"y"}, "second");
  return Model::from_bytes(as_bytes(builder.serialise()));
}

}  // namespace axle::testing
