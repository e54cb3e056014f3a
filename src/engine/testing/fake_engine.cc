#include "engine/testing/fake_engine.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace axle::testing {

struct FakeState {
  FakeScript script;
  mutable std::mutex mutex;
  std::map<std::string, int64_t> calls;
  struct Fault {
    std::string verb;
    int64_t at;
    int32_t code;
    std::string message;
  };
  std::vector<Fault> faults;
  std::vector<FakeLoad> loads;
  std::atomic<int64_t> executables{0}, contexts{0};
  axle_engine_api_t table{};

  // Counts the call, and throws when it is to fail.
  void enter(const std::string& verb) {
    const std::lock_guard lock(mutex);
    const int64_t call = ++calls[verb];
    for (const Fault& fault : faults) {
      if (fault.verb == verb && fault.at == call) throw kit::Error(fault.code, fault.message).vendor_code(-7);
    }
  }

  void wait(std::chrono::nanoseconds delay, const kit::Cancel& cancel) const {
    const auto end = std::chrono::steady_clock::now() + delay;
    while (std::chrono::steady_clock::now() < end) {
      if (script.poll_cancel) cancel.check();
      const auto left = end - std::chrono::steady_clock::now();
      std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(left, std::chrono::microseconds(200)));
    }
    if (script.poll_cancel) cancel.check();
  }
};

namespace {

// Output sizes: static ones, and symbols that an input fixes; other axes are 1.
std::vector<int64_t> default_shape(const kit::IoSpec& spec, const std::vector<kit::IoSpec>& inputs,
                                   std::span<const axle_tensor_t> given) {
  std::vector<int64_t> shape;
  for (const kit::Dim& dim : spec.shape) {
    int64_t size = dim.size >= 0 ? dim.size : 1;
    for (size_t i = 0; dim.size < 0 && i < inputs.size(); ++i) {
      for (size_t axis = 0; axis < inputs[i].shape.size() && axis < static_cast<size_t>(given[i].rank); ++axis) {
        if (!dim.symbol.empty() && inputs[i].shape[axis].symbol == dim.symbol) size = given[i].shape[axis];
      }
    }
    shape.push_back(size);
  }
  return shape;
}

class FakeContext final : public kit::Context {
 public:
  FakeContext(FakeState* state, const kit::Io& io, const FakeLoad& load)
      : state_(state), io_(io), load_(load), inputs_(io.inputs.size()), shapes_(io.inputs.size()), bound_(io.outputs.size()),
        outputs_(io.outputs.size()) {
    state_->contexts.fetch_add(1);
    for (size_t i = 0; i < outputs_.size(); ++i) outputs_[i].spec = &io_.outputs[i];
  }
  ~FakeContext() override { state_->contexts.fetch_sub(1); }

  void bind_input(uint32_t index, const axle_tensor_t* tensor) override {
    state_->enter("bind_input");
    if (index >= inputs_.size()) throw kit::invalid_argument("there is no input " + std::to_string(index));
    if (tensor == nullptr) {
      inputs_[index] = {};
      return;
    }
    kit::check_tensor(io_.inputs[index], *tensor);
    inputs_[index] = *tensor;
    shapes_[index].assign(tensor->shape, tensor->shape + tensor->rank);
    inputs_[index].shape = shapes_[index].data();
  }

  void bind_output(uint32_t index, const axle_tensor_t* tensor) override {
    state_->enter("bind_output");
    if (index >= bound_.size()) throw kit::invalid_argument("there is no output " + std::to_string(index));
    if (tensor != nullptr) kit::check_tensor(io_.outputs[index], *tensor);
    bound_[index] = tensor == nullptr ? axle_tensor_t{} : *tensor;
  }

  void run(const kit::RunArgs& args) override {
    state_->enter("run");
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (inputs_[i].struct_size == 0) throw kit::failed_precondition("input '" + io_.inputs[i].name + "' is not bound");
    }
    args.cancel.check();
    state_->wait(state_->script.run_delay, args.cancel);
    if (state_->script.compute) {
      state_->script.compute(load_, inputs_, outputs_);
    } else {
      compute_default();
    }
    for (size_t i = 0; i < outputs_.size(); ++i) deliver(i);
    if (args.profile.on()) args.profile.event("fake", "kernel", std::chrono::steady_clock::now().time_since_epoch().count(), 1);
    ran_ = true;
  }

  axle_tensor_t output(uint32_t index) override {
    state_->enter("output");
    if (index >= outputs_.size()) throw kit::invalid_argument("there is no output " + std::to_string(index));
    if (!ran_) throw kit::failed_precondition("output before the first run");
    FakeOutput& out = outputs_[index];
    axle_tensor_t tensor{};
    tensor.struct_size = sizeof(tensor);
    tensor.dtype = io_.outputs[index].dtype;
    tensor.rank = static_cast<int32_t>(out.shape.size());
    tensor.shape = out.shape.data();
    tensor.data = bound_[index].struct_size != 0 ? bound_[index].data : out.bytes.data();
    tensor.size_bytes = out.bytes.size();
    return tensor;
  }

 private:
  void compute_default() {
    for (size_t i = 0; i < outputs_.size(); ++i) {
      outputs_[i].shape = default_shape(io_.outputs[i], io_.inputs, inputs_);
      const size_t size = kit::dense_size_bytes(io_.outputs[i].dtype, outputs_[i].shape);
      outputs_[i].bytes.assign(size, std::byte{0});
      for (const axle_tensor_t& input : inputs_) {
        if (kit::dense_size_bytes(input.dtype, kit::shape_of(input)) != size || size == 0) continue;
        std::memcpy(outputs_[i].bytes.data(), input.data, size);
        break;
      }
    }
  }

  void deliver(size_t index) {
    const axle_tensor_t& to = bound_[index];
    const std::vector<std::byte>& bytes = outputs_[index].bytes;
    if (to.struct_size == 0) return;
    if (to.size_bytes < bytes.size()) {
      throw kit::out_of_range("output '" + io_.outputs[index].name + "' needs " + std::to_string(bytes.size()) + " bytes")
          .required_bytes(bytes.size());
    }
    if (!bytes.empty()) std::memcpy(to.data, bytes.data(), bytes.size());
  }

  FakeState* state_;
  const kit::Io& io_;
  const FakeLoad& load_;
  std::vector<axle_tensor_t> inputs_;
  std::vector<std::vector<int64_t>> shapes_;
  std::vector<axle_tensor_t> bound_;
  std::vector<FakeOutput> outputs_;
  bool ran_ = false;
};

class FakeExecutable final : public kit::Executable {
 public:
  FakeExecutable(FakeState* state, kit::Io io, FakeLoad load) : state_(state), io_(std::move(io)), load_(std::move(load)) {
    state_->executables.fetch_add(1);
  }
  ~FakeExecutable() override { state_->executables.fetch_sub(1); }
  kit::Io io() override { return state_->enter("io"), io_; }
  std::unique_ptr<kit::Context> make_context() override {
    state_->enter("context_create");
    return std::make_unique<FakeContext>(state_, io_, load_);
  }
  kit::Counters counters() override {
    state_->enter("counters");
    return {{"memory_bytes", 4096}};
  }

 private:
  FakeState* state_;
  kit::Io io_;
  FakeLoad load_;
};

class FakeKitEngine : public kit::Engine {
 public:
  static constexpr bool kCompiles = true;
  static constexpr bool kCounts = true;

  explicit FakeKitEngine(FakeState* state) : state_(state) {}

  kit::EngineInfo describe() override {
    state_->enter("describe");
    kit::EngineInfo info = state_->script.info;
    info.opened = true;
    return info;
  }
  std::vector<kit::ResourceInfo> resources() override { return state_->enter("resources"), state_->script.resources; }
  kit::Capability capability(std::string_view resource) override {
    state_->enter("capability");
    for (const kit::ResourceInfo& known : state_->script.resources) {
      if (known.id == resource) return state_->script.capability;
    }
    throw kit::Error(AXLE_NOT_FOUND, "no resource " + std::string(resource));
  }
  kit::Support support(const kit::SupportArgs& args) override {
    state_->enter("support");
    state_->wait(state_->script.support_delay, args.cancel);
    return state_->script.answer_support ? state_->script.answer_support(args) : state_->script.support;
  }
  kit::Manifest compile(const kit::CompileArgs& args) override {
    state_->enter("compile");
    args.progress.report(0, 1, "compiling");
    state_->wait(state_->script.compile_delay, args.cancel);
    const std::string path = std::string(args.scratch_folder) + "/artefact.bin";
    std::FILE* file = std::fopen(path.c_str(), "wb");
    if (file == nullptr) throw kit::Error(AXLE_RESOURCE_EXHAUSTED, "cannot write " + path);
    std::fwrite(state_->script.artefact.data(), 1, state_->script.artefact.size(), file);
    std::fclose(file);
    args.progress.report(1, 1, "compiling");
    kit::Manifest manifest;
    manifest.format = "fake";
    manifest.self_contained = state_->script.self_contained;
    manifest.blobs = {{"artefact", "artefact.bin"}};
    return manifest;
  }
  kit::Loaded load(const kit::LoadArgs& args) override;

 private:
  kit::Io io_for(const kit::LoadArgs& args) const;
  FakeState* state_;
};

kit::Io FakeKitEngine::io_for(const kit::LoadArgs& args) const {
  if (state_->script.io) return *state_->script.io;
  if (!args.graph) throw kit::failed_precondition("the script has no io and load has no graph");
  kit::Io io;
  for (uint32_t i = 0; i < args.graph->input_count(); ++i) io.inputs.push_back(kit::to_io_spec(args.graph->input(i)));
  for (uint32_t i = 0; i < args.graph->output_count(); ++i) io.outputs.push_back(kit::to_io_spec(args.graph->output(i)));
  return io;
}

void note_graph(const kit::Graph& graph, FakeLoad& load) {
  for (uint32_t i = 0; i < graph.input_count(); ++i) {
    load.inputs.emplace_back(kit::text(graph.input(i).name));
    auto& shape = load.input_shapes.emplace_back();
    for (const kit::Dim& dim : kit::to_io_spec(graph.input(i)).shape) shape.push_back(dim.size);
  }
  for (const kit::Node& node : graph.nodes()) {
    FakeNode& noted = load.nodes.emplace_back();
    noted.name = node.name();
    noted.op_type = node.op_type();
    for (uint32_t i = 0; i < node.input_count(); ++i) noted.inputs.emplace_back(kit::text(node.input(i).name));
    for (uint32_t i = 0; i < node.output_count(); ++i) noted.outputs.emplace_back(kit::text(node.output(i).name));
  }
}

kit::Loaded FakeKitEngine::load(const kit::LoadArgs& args) {
  state_->enter("load");
  state_->wait(state_->script.load_delay, args.cancel);
  FakeLoad load;
  load.resource = args.resource;
  load.precision = args.precision;
  for (const axle_option_t& option : args.options.entries())
    load.options[std::string(kit::text(option.key))] = kit::text(option.value);
  load.threads = args.threads;
  load.spin = args.spin;
  load.cpu_set.assign(args.cpu_set.begin(), args.cpu_set.end());
  load.from_artefact = !args.blobs.empty();
  if (args.graph) note_graph(*args.graph, load);
  if (load.from_artefact && !args.blobs[0].data.empty() && args.blobs[0].data != state_->script.artefact) {
    throw kit::Error(AXLE_DATA_LOSS, "the artefact is damaged");
  }
  kit::Loaded loaded;
  loaded.effective.precision = load.precision;
  loaded.effective.precision_read_back = true;
  loaded.effective.threads = load.threads;
  loaded.effective.spin = load.spin;
  loaded.effective.cpu_set_honoured = true;
  loaded.effective.cpu_set = load.cpu_set;
  loaded.effective.options = load.options;
  if (state_->script.change_effective) state_->script.change_effective(loaded.effective);
  {
    const std::lock_guard lock(state_->mutex);
    state_->loads.push_back(load);
  }
  loaded.executable = std::make_unique<FakeExecutable>(state_, io_for(args), std::move(load));
  return loaded;
}

// The ABI's query takes no user data: each live FakeEngine has a slot, and each slot a class of its own.
constexpr int kSlots = 32;
std::array<std::atomic<FakeState*>, kSlots> g_slots{};

template <int Slot>
class FakeSlot final : public FakeKitEngine {
 public:
  using FakeKitEngine::FakeKitEngine;
  static FakeState* state() { return g_slots[Slot].load(); }
  static kit::EngineInfo facts() { return state()->script.info; }
  static std::unique_ptr<kit::Engine> create(kit::Host, const kit::CreateArgs&) {
    state()->enter("create");
    if (state()->script.absent) throw kit::unavailable("libfake.so was not found").hint(state()->script.info.install_command);
    return std::make_unique<FakeSlot>(state());
  }
};

template <int Slot>
const axle_engine_api_t* query_slot(const axle_host_api_t* host) {
  FakeState* state = FakeSlot<Slot>::state();
  if (state == nullptr) return nullptr;
  state->table = *kit::query<FakeSlot<Slot>>(host);
  for (const std::string& slot : state->script.missing_slots) {
    if (slot == "compile") state->table.compile = nullptr;
    if (slot == "counters") state->table.counters = nullptr;
    if (slot == "run_async") state->table.run_async = nullptr;
  }
  return &state->table;
}

template <int... Slots>
constexpr std::array<axle_engine_query_t, kSlots> make_queries(std::integer_sequence<int, Slots...>) {
  return {&query_slot<Slots>...};
}
constexpr auto kQueries = make_queries(std::make_integer_sequence<int, kSlots>());

kit::Capability default_capability() {
  kit::Capability capability;
  capability.formats = {"onnx"};
  capability.precisions = {{"f32", "f32", true}, {"bf16", "f32", true}};
  capability.dtypes = {"f32", "i64", "i32", "u8", "bool"};
  capability.ops_probed = true;
  capability.dynamic_shapes = kit::DynamicShapes::kYes;
  kit::Option level;
  level.name = "level";
  level.type = kit::OptionType::kChoice;
  level.default_value = "low";
  level.choices = {"low", "high"};
  level.affects_numerics = true;
  kit::Option streams;
  streams.name = "streams";
  streams.type = kit::OptionType::kInteger;
  streams.default_value = "1";
  streams.minimum = 1;
  streams.maximum = 8;
  streams.affects_speed = true;
  capability.options = {level, streams};
  capability.presets = {{"default", {}, ""}, {"fast", {{"streams", "2"}}, ""}};
  return capability;
}

}  // namespace

FakeEngine::FakeEngine(const std::string& name) : state_(std::make_unique<FakeState>()), slot_(-1) {
  FakeScript& made = state_->script;
  made.info.name = name;
  made.info.vendor = "axle";
  made.info.plugin_version = "1.0";
  made.info.deterministic = true;
  made.info.honours_cpu_set = true;
  made.info.install_command = "pip install " + name;
  made.info.library = {"", "1.0", "", {}};
  made.resources.resize(1);
  made.resources[0].id = "cpu:0";
  made.capability = default_capability();
  made.support.graph.kind = made.support.otherwise.kind = kit::VerdictKind::kYes;
  for (int i = 0; i < kSlots && slot_ < 0; ++i) {
    FakeState* free = nullptr;
    if (g_slots[static_cast<size_t>(i)].compare_exchange_strong(free, state_.get())) slot_ = i;
  }
  if (slot_ < 0) std::abort();  // more than 32 live fakes: a mistake of the test
}

FakeEngine::~FakeEngine() { g_slots[static_cast<size_t>(slot_)].store(nullptr); }

FakeScript& FakeEngine::script() { return state_->script; }

void FakeEngine::fail(const std::string& verb, int64_t nth, int32_t code, const std::string& message) {
  const std::lock_guard lock(state_->mutex);
  state_->faults.push_back({verb, state_->calls[verb] + nth, code, message});
}

int64_t FakeEngine::calls(const std::string& verb) const {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->calls.find(verb);
  return found == state_->calls.end() ? 0 : found->second;
}

int64_t FakeEngine::live_executables() const { return state_->executables.load(); }
int64_t FakeEngine::live_contexts() const { return state_->contexts.load(); }

std::vector<FakeLoad> FakeEngine::loads() const {
  const std::lock_guard lock(state_->mutex);
  return state_->loads;
}

axle_engine_query_t FakeEngine::query() const { return kQueries[static_cast<size_t>(slot_)]; }

}  // namespace axle::testing
