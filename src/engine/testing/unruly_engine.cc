// A plugin for tests of isolation: y = x + x, unless x[0] names a misdeed. Only ever loaded into an axle-worker.
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "axle/engine_kit.h"

namespace axle::testing {
namespace {

// x[0] of the misdeeds; tests name them too.
constexpr float kAbort = -1, kExit = -2, kHang = -3, kHoard = -4, kHangUntilCancelled = -5, kLeave = -6;

kit::IoSpec vector_of_four(const char* name) {
  kit::IoSpec spec;
  spec.name = name;
  spec.dtype = 1;
  spec.shape = {{4, ""}};
  return spec;
}

void misbehave(float what, const kit::RunArgs& args) {
  if (what == kAbort) {
    std::fprintf(stderr, "unruly: assertion 'good_mood' failed\n");
    std::abort();
  }
  if (what == kExit) std::_Exit(7);
  if (what == kHoard) {
    constexpr size_t kBytes = size_t{512} << 20;
    void* memory = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw kit::Error(AXLE_RESOURCE_EXHAUSTED, "no 512 MiB to be had");
    ::munmap(memory, kBytes);
  }
  if (what == kLeave) throw kit::Error(AXLE_ABORTED, ::unshare(CLONE_NEWUSER) == 0 ? "let through" : std::strerror(errno));
  while (what == kHang || what == kHangUntilCancelled) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (what == kHangUntilCancelled) args.cancel.check();
  }
}

class Context final : public kit::Context {
 public:
  void bind_input(uint32_t index, const axle_tensor_t* tensor) override {
    if (index != 0) throw kit::invalid_argument("there is one input");
    if (tensor != nullptr) kit::check_tensor(vector_of_four("x"), *tensor);
    input_ = tensor == nullptr ? nullptr : static_cast<const float*>(tensor->data);
  }
  void bind_output(uint32_t index, const axle_tensor_t* tensor) override {
    if (index != 0) throw kit::invalid_argument("there is one output");
    if (tensor != nullptr) kit::check_tensor(vector_of_four("y"), *tensor);
    output_ = tensor == nullptr ? nullptr : static_cast<float*>(tensor->data);
  }
  void run(const kit::RunArgs& args) override {
    if (input_ == nullptr) throw kit::failed_precondition("x is not bound");
    misbehave(input_[0], args);
    for (int i = 0; i < 4; ++i) own_[i] = input_[i] + input_[i];
    if (output_ != nullptr) std::memcpy(output_, own_, sizeof(own_));
  }
  axle_tensor_t output(uint32_t) override {
    axle_tensor_t tensor{};
    tensor.struct_size = sizeof(tensor);
    tensor.dtype = 1;
    tensor.rank = 1;
    tensor.shape = &shape_;
    tensor.data = output_ != nullptr ? output_ : own_;
    tensor.size_bytes = sizeof(own_);
    return tensor;
  }

 private:
  const float* input_ = nullptr;
  float* output_ = nullptr;
  float own_[4] = {};
  int64_t shape_ = 4;
};

class Executable final : public kit::Executable {
 public:
  kit::Io io() override { return {{vector_of_four("x")}, {vector_of_four("y")}}; }
  std::unique_ptr<kit::Context> make_context() override { return std::make_unique<Context>(); }
};

class UnrulyEngine final : public kit::Engine {
 public:
  static constexpr bool kCompiles = false;
  static constexpr bool kCounts = false;

  static kit::EngineInfo facts() {
    kit::EngineInfo info;
    info.name = "unruly";
    info.vendor = "axle";
    info.plugin_version = "1";
    info.description = "misbehaves on demand, for tests";
    info.honours_cpu_set = false;
    info.install_command = "none";
    return info;
  }
  static std::unique_ptr<kit::Engine> create(kit::Host, const kit::CreateArgs&) { return std::make_unique<UnrulyEngine>(); }
  kit::EngineInfo describe() override {
    kit::EngineInfo info = facts();
    info.opened = true;
    info.library.version = "1";
    return info;
  }
  std::vector<kit::ResourceInfo> resources() override {
    kit::ResourceInfo cpu;
    cpu.id = "cpu:0";
    cpu.kind = "cpu";
    return {cpu};
  }
  kit::Capability capability(std::string_view) override {
    kit::Capability capability;
    capability.formats = {"onnx"};
    capability.precisions = {{"f32", "f32", true}};
    capability.dtypes = {"f32"};
    capability.presets = {{"default", {}, ""}};
    return capability;
  }
  kit::Support support(const kit::SupportArgs&) override {
    kit::Support support;
    support.graph.kind = support.otherwise.kind = kit::VerdictKind::kYes;
    return support;
  }
  kit::Loaded load(const kit::LoadArgs& args) override {
    // Where nothing can be bound yet the size of the graph names the misdeed.
    if (args.graph && args.graph->node_count() > 8) std::abort();
    kit::Loaded loaded;
    loaded.executable = std::make_unique<Executable>();
    loaded.effective.precision = "f32";
    loaded.effective.precision_read_back = true;
    loaded.effective.threads = 1;
    return loaded;
  }
};

}  // namespace
}  // namespace axle::testing

AXLE_ENGINE_PLUGIN(axle::testing::UnrulyEngine)
