// The null engine: every verb of the ABI in its simplest complete form. Copy it to begin a new engine
// (docs/guides/add-an-engine.md). Comments marked TODO say what a real engine puts there.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>

#include "axle/engine_kit.h"
#include "null_program.h"

namespace axle::null_engine {
namespace {

constexpr std::string_view kResource = "cpu:0";
constexpr std::string_view kPrecision = "f32";
constexpr std::string_view kArtefactFormat = "null-program";

struct Settings {
  bool check_finite = false;
  int64_t block = 4096;
};

// Options are checked here and declared in capability(): keep both equal.
Settings read_settings(const kit::Options& options) {
  options.check_known({"check_finite", "block"});
  Settings settings;
  settings.check_finite = options.boolean_or("check_finite", settings.check_finite);
  settings.block = options.integer_or("block", settings.block);
  if (settings.block < 1 || settings.block > 1048576) throw kit::invalid_argument("option 'block' must be 1 to 1048576");
  return settings;
}

void check_place(std::string_view resource, std::string_view precision) {
  if (resource != kResource) throw kit::Error(AXLE_NOT_FOUND, "null has no resource '" + std::string(resource) + "'");
  if (precision != kPrecision) {
    throw kit::unimplemented("null has no precision '" + std::string(precision) + "'").hint("use f32");
  }
}

class NullContext final : public kit::Context {
 public:
  NullContext(kit::Host host, std::shared_ptr<const Program> program, Settings settings, std::atomic<uint64_t>* runs)
      : program_(std::move(program)), settings_(settings), machine_(host, *program_, settings.block),
        bound_(program_->inputs, program_->outputs), runs_(runs) {}

  void bind_input(uint32_t index, const axle_tensor_t* tensor) override {
    if (bound_.bind_input(index, tensor)) machine_.set_input(index, *tensor);
  }

  void bind_output(uint32_t index, const axle_tensor_t* tensor) override { bound_.bind_output(index, tensor); }

  void run(const kit::RunArgs& args) override {
    bound_.check_inputs();
    machine_.run(args.cancel, args.profile);
    for (uint32_t i = 0; i < program_->outputs.size(); ++i) {
      const Slot& slot = machine_.output(i);
      if (settings_.check_finite) check_finite(i, slot);
      bound_.deliver(i, slot.data, static_cast<size_t>(slot.count) * sizeof(float));
    }
    runs_->fetch_add(1, std::memory_order_relaxed);
  }

  axle_tensor_t output(uint32_t index) override {
    bound_.check_output(index);
    const Slot& slot = machine_.output(index);
    return bound_.view(index, program_->outputs[index].dtype, slot.shape, slot.data);
  }

 private:
  void check_finite(uint32_t index, const Slot& slot) const {
    if (!std::all_of(slot.data, slot.data + slot.count, [](float value) { return std::isfinite(value); }))
      throw kit::Error(AXLE_ABORTED, "output '" + program_->outputs[index].name + "' is not finite");
  }

  std::shared_ptr<const Program> program_;
  Settings settings_;
  Machine machine_;
  kit::BoundTensors bound_;
  std::atomic<uint64_t>* runs_;
};

class NullExecutable final : public kit::Executable {
 public:
  NullExecutable(kit::Host host, Program program, Settings settings)
      : host_(host), program_(std::make_shared<const Program>(std::move(program))), settings_(settings) {}

  kit::Io io() override { return {program_->inputs, program_->outputs}; }
  std::unique_ptr<kit::Context> make_context() override {
    return std::make_unique<NullContext>(host_, program_, settings_, &runs_);
  }
  kit::Counters counters() override { return {{"runs", static_cast<double>(runs_.load(std::memory_order_relaxed))}}; }

 private:
  kit::Host host_;
  std::shared_ptr<const Program> program_;
  Settings settings_;
  std::atomic<uint64_t> runs_{0};
};

// Reads a small file whole; an artefact's blob comes as mapped bytes or as a path.
std::string read_blob(const kit::Blob& blob) {
  if (!blob.data.empty()) return std::string(blob.data);
  const std::string path(blob.path);
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) throw kit::Error(AXLE_NOT_FOUND, "cannot read artefact " + path);
  std::string content;
  char chunk[4096];
  for (size_t got = 0; (got = std::fread(chunk, 1, sizeof(chunk), file)) > 0;) content.append(chunk, got);
  std::fclose(file);
  return content;
}

class NullEngine final : public kit::Engine {
 public:
  static constexpr bool kCompiles = true;
  static constexpr bool kCounts = true;

  explicit NullEngine(kit::Host host) : host_(host) {}

  // TODO: what is known without the vendor library. Must not open it.
  static kit::EngineInfo facts() {
    kit::EngineInfo info;
    info.name = "null";
    info.vendor = "axle";
    info.plugin_version = "0.1.0";
    info.description = "runs Identity, Add, Sub, Mul and Relu on f32 by itself; the skeleton for new engines";
    info.deterministic = true;
    info.honours_cpu_set = true;  // makes no threads
    info.cancel_latency = kit::CancelLatency::kImmediate;
    info.example = true;  // TODO: leave this out
    info.install_command = "nothing to install";
    return info;
  }

  // TODO: dlopen the vendor library: args.library_path if given, else args.search_folders in order, else the system. Throw
  // kit::unavailable("libfoo.so.1 was not found").hint(facts().install_command) when it is missing, too old or broken.
  static std::unique_ptr<kit::Engine> create(kit::Host host, const kit::CreateArgs& args) {
    args.options.check_known({});
    return std::make_unique<NullEngine>(host);
  }

  kit::EngineInfo describe() override {
    kit::EngineInfo info = facts();
    info.opened = true;
    info.library.version = info.plugin_version;  // TODO: path, version, build and copies of the vendor library
    return info;
  }

  std::vector<kit::ResourceInfo> resources() override {
    kit::ResourceInfo cpu;
    cpu.id = kResource;
    cpu.kind = "cpu";
    return {cpu};
  }

  kit::Capability capability(std::string_view resource) override {
    check_place(resource, kPrecision);
    kit::Capability capability;
    capability.formats = {"onnx"};
    capability.precisions = {{"f32", "f32", true}};
    capability.dtypes = {"f32"};
    for (const char* op : {"Identity", "Add", "Sub", "Mul", "Relu"}) capability.ops.push_back({"", op, 7, 0, {"f32"}});
    capability.dynamic_shapes = kit::DynamicShapes::kYes;
    kit::Option check;
    check.name = "check_finite";
    check.type = kit::OptionType::kBoolean;
    check.default_value = "false";
    check.affects_speed = true;
    check.description = "fail with ABORTED when an output holds NaN or infinity";
    kit::Option block;
    block.name = "block";
    block.type = kit::OptionType::kInteger;
    block.default_value = "4096";
    block.affects_speed = true;
    block.minimum = 1;
    block.maximum = 1048576;
    block.description = "elements between two looks at the cancel token";
    capability.options = {check, block};
    capability.presets = {{"default", {}, "as declared"}, {"careful", {{"check_finite", "true"}}, "refuses NaN and infinity"}};
    capability.limits = {{"threads_max", 1}, {"rank_max", 8}};
    return capability;
  }

  kit::Support support(const kit::SupportArgs& args) override {
    check_place(args.resource, args.precision);
    kit::Support support;
    support.graph.kind = support.otherwise.kind = kit::VerdictKind::kYes;
    for (const kit::Node& node : args.graph.nodes()) {
      args.cancel.check();
      if (auto refused = refusal(node)) support.nodes.push_back({node.index(), *refused});
    }
    if (!support.nodes.empty()) support.graph = support.nodes.front().verdict;
    if (args.graph.format() != "onnx") support.graph = {kit::VerdictKind::kNo, "FORMAT", "null reads only onnx", -1};
    return support;
  }

  kit::Manifest compile(const kit::CompileArgs& args) override {
    check_place(args.resource, args.precision);
    read_settings(args.options);
    args.cancel.check();
    const Program program = build(args.graph);
    args.progress.report(1, 2, "steps");
    const std::string path = std::string(args.scratch_folder) + "/program.txt";
    const std::string content = to_text(program, args.graph.digest());
    std::FILE* file = std::fopen(path.c_str(), "wb");
    const bool written = file != nullptr && std::fwrite(content.data(), 1, content.size(), file) == content.size();
    const bool closed = file != nullptr && std::fclose(file) == 0;
    if (!written || !closed) throw kit::Error(AXLE_RESOURCE_EXHAUSTED, "cannot write " + path);
    args.progress.report(2, 2, "steps");
    kit::Manifest manifest;
    manifest.format = kArtefactFormat;
    manifest.blobs = {{"program", "program.txt"}};
    manifest.compatibility = {{"plugin", facts().plugin_version}};
    return manifest;
  }

  kit::Loaded load(const kit::LoadArgs& args) override {
    check_place(args.resource, args.precision);
    const Settings settings = read_settings(args.options);
    if (!args.graph) throw kit::failed_precondition("the artefact holds no weights: load needs the graph beside it");
    args.cancel.check();
    Program program = build(*args.graph);
    if (!args.blobs.empty() && read_blob(args.blobs.front()) != to_text(program, args.graph->digest())) {
      throw kit::Error(AXLE_DATA_LOSS, "the artefact does not belong to this graph, or is damaged").hint("compile it again");
    }
    kit::Loaded loaded;
    loaded.executable = std::make_unique<NullExecutable>(host_, std::move(program), settings);
    // TODO: read these back from the vendor library; never repeat what was asked.
    loaded.effective.precision = kPrecision;
    loaded.effective.precision_read_back = true;
    loaded.effective.threads = 1;
    loaded.effective.cpu_set_honoured = true;
    loaded.effective.cpu_set.assign(args.cpu_set.begin(), args.cpu_set.end());
    loaded.effective.options = {{"check_finite", settings.check_finite ? "true" : "false"},
                                {"block", std::to_string(settings.block)}};
    return loaded;
  }

 private:
  kit::Host host_;
};

}  // namespace
}  // namespace axle::null_engine

AXLE_ENGINE_PLUGIN(axle::null_engine::NullEngine)
