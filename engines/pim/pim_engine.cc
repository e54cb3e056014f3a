// The pim engine: a functional model of a memory that computes, behind the engine ABI. It computes what such a machine would
// compute, on the host, and tells what the machine would have moved and how long that is modelled to take. See README.md.
#include <atomic>

#include "axle/engine_kit.h"
#include "pim_program.h"
#include "pim_support.h"

namespace axle::pim {
namespace {

constexpr std::string_view kResource = "pim:0";
constexpr const char* kPluginVersion = "0.1.0";

// Options are checked here and declared in capability(): keep both equal.
Geometry read_geometry(const kit::Options& options) {
  options.check_known({"banks", "bank_memory_mib"});
  Geometry geometry;
  geometry.banks = options.integer_or("banks", geometry.banks);
  if (geometry.banks < 1 || geometry.banks > 65536) throw kit::invalid_argument("option 'banks' must be 1 to 65536");
  const int64_t mebibytes = options.integer_or("bank_memory_mib", static_cast<int64_t>(geometry.bank_bytes >> 20));
  if (mebibytes < 5 || mebibytes > 4096) throw kit::invalid_argument("option 'bank_memory_mib' must be 5 to 4096");
  geometry.bank_bytes = static_cast<uint64_t>(mebibytes) << 20;
  return geometry;
}

void check_resource(std::string_view resource) {
  if (resource != kResource) throw kit::Error(AXLE_NOT_FOUND, "pim has no resource '" + std::string(resource) + "'");
}

// Sums over all runs of one executable.
struct Totals {
  std::atomic<uint64_t> runs{0}, to_banks_bytes{0}, from_banks_bytes{0}, bank_cycles{0}, modelled_ns{0};

  void add(const Cost& cost) {
    runs.fetch_add(1, std::memory_order_relaxed);
    to_banks_bytes.fetch_add(cost.to_banks_bytes, std::memory_order_relaxed);
    from_banks_bytes.fetch_add(cost.from_banks_bytes, std::memory_order_relaxed);
    bank_cycles.fetch_add(cost.bank_cycles, std::memory_order_relaxed);
    modelled_ns.fetch_add(cost.modelled_ns, std::memory_order_relaxed);
  }
};

class PimContext final : public kit::Context {
 public:
  PimContext(kit::Host host, std::shared_ptr<const Program> program, std::shared_ptr<Totals> totals)
      : program_(std::move(program)), machine_(host, *program_), bound_(program_->inputs, program_->outputs),
        totals_(std::move(totals)) {}

  void bind_input(uint32_t index, const axle_tensor_t* tensor) override {
    if (bound_.bind_input(index, tensor)) machine_.set_input(index, *tensor);
  }

  void bind_output(uint32_t index, const axle_tensor_t* tensor) override { bound_.bind_output(index, tensor); }

  void run(const kit::RunArgs& args) override {
    bound_.check_inputs();
    machine_.run(args.cancel, args.profile);
    for (uint32_t i = 0; i < program_->outputs.size(); ++i) {
      const Slot& slot = machine_.output(i);
      bound_.deliver(i, slot.data, slot.size_bytes());
    }
    totals_->add(machine_.last_run());
  }

  axle_tensor_t output(uint32_t index) override {
    bound_.check_output(index);
    const Slot& slot = machine_.output(index);
    return bound_.view(index, slot.dtype, slot.shape, slot.data);
  }

 private:
  std::shared_ptr<const Program> program_;
  Machine machine_;
  kit::BoundTensors bound_;
  std::shared_ptr<Totals> totals_;
};

class PimExecutable final : public kit::Executable {
 public:
  PimExecutable(kit::Host host, std::shared_ptr<const Program> program) : host_(host), program_(std::move(program)) {}

  kit::Io io() override { return {program_->inputs, program_->outputs}; }
  std::unique_ptr<kit::Context> make_context() override { return std::make_unique<PimContext>(host_, program_, totals_); }

  // Bytes and times of the modelled device: none of them was measured.
  kit::Counters counters() override {
    const auto value = [](const std::atomic<uint64_t>& counter) {
      return static_cast<double>(counter.load(std::memory_order_relaxed));
    };
    int64_t banks = 0;
    for (const Step& step : program_->steps) banks = std::max(banks, step.layout.banks);
    return {{"runs", value(totals_->runs)},
            {"simulated", 1},
            {"banks", static_cast<double>(banks)},
            {"weight_bytes_to_banks", static_cast<double>(program_->residence.to_banks_bytes)},
            {"bytes_to_banks", value(totals_->to_banks_bytes)},
            {"bytes_from_banks", value(totals_->from_banks_bytes)},
            {"modelled_bank_cycles", value(totals_->bank_cycles)},
            {"modelled_load_us", static_cast<double>(program_->residence.modelled_ns) / 1e3},
            {"modelled_us", value(totals_->modelled_ns) / 1e3}};
  }

 private:
  kit::Host host_;
  std::shared_ptr<const Program> program_;
  std::shared_ptr<Totals> totals_ = std::make_shared<Totals>();
};

kit::Option integer_option(std::string name, int64_t value, double minimum, double maximum, std::string description) {
  kit::Option option;
  option.name = std::move(name);
  option.type = kit::OptionType::kInteger;
  option.default_value = std::to_string(value);
  option.affects_memory = true;
  option.minimum = minimum;
  option.maximum = maximum;
  option.description = std::move(description);
  return option;
}

class PimEngine final : public kit::Engine {
 public:
  static constexpr bool kCounts = true;

  explicit PimEngine(kit::Host host) : host_(host) {}

  static kit::EngineInfo facts() {
    kit::EngineInfo info;
    info.name = "pim";
    info.vendor = "axle";
    info.plugin_version = kPluginVersion;
    info.description = std::string(kModelName) + ": products of a vector and table lookups, computed bank by bank on the host";
    info.deterministic = true;
    info.honours_cpu_set = true;  // makes no threads
    info.cancel_latency = kit::CancelLatency::kNode;
    info.install_command = "nothing to install";
    return info;
  }

  static std::unique_ptr<kit::Engine> create(kit::Host host, const kit::CreateArgs& args) {
    args.options.check_known({});
    return std::make_unique<PimEngine>(host);
  }

  kit::EngineInfo describe() override {
    kit::EngineInfo info = facts();
    info.opened = true;
    info.library.version = info.plugin_version;
    return info;
  }

  std::vector<kit::ResourceInfo> resources() override {
    const Geometry geometry;
    kit::ResourceInfo info;
    info.id = kResource;
    info.kind = "pim";
    info.vendor = "axle";
    info.name = std::string(kModelName) + ", " + std::to_string(geometry.banks) + " banks as UPMEM's";
    info.memory_bytes = static_cast<uint64_t>(geometry.banks) * geometry.bank_bytes;
    info.simulated = true;
    info.attributes = {{"banks", std::to_string(geometry.banks)},
                       {"bank_memory_bytes", std::to_string(geometry.bank_bytes)},
                       {"bank_working_bytes", std::to_string(geometry.working_bytes)},
                       {"clock_mhz", std::to_string(geometry.megahertz)}};
    return {info};
  }

  kit::Capability capability(std::string_view resource) override {
    check_resource(resource);
    const Geometry geometry;
    kit::Capability capability;
    capability.formats = {"onnx"};
    capability.precisions = {{"f32", "f32", false}, {"int8", "i32", true}};
    capability.dtypes = {"f32", "f16", "bf16", "f64", "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "bool"};
    capability.ops_probed = true;  // what it takes depends on shapes and on what is a weight
    capability.dynamic_shapes = kit::DynamicShapes::kYes;
    capability.options = {
        integer_option("banks", geometry.banks, 1, 65536, "banks of the modelled device"),
        integer_option("bank_memory_mib", static_cast<int64_t>(geometry.bank_bytes >> 20), 5, 4096, "memory of each, in MiB")};
    capability.limits = {{"threads_max", 1}, {"rank_max", 8}};
    return capability;
  }

  kit::Support support(const kit::SupportArgs& args) override {
    check_resource(args.resource);
    return answer_support(read_geometry(args.options), args);
  }

  kit::Loaded load(const kit::LoadArgs& args) override {
    check_resource(args.resource);
    const Geometry geometry = read_geometry(args.options);
    if (!args.graph || !args.blobs.empty()) throw kit::failed_precondition("pim loads graphs, and has no artefacts");
    args.cancel.check();
    auto program = std::make_shared<const Program>(build(geometry, *args.graph, args.precision));
    kit::Loaded loaded;
    loaded.executable = std::make_unique<PimExecutable>(host_, program);
    loaded.effective.precision = args.precision;
    loaded.effective.precision_read_back = true;  // the steps are ours: in int8 every product is one of bytes
    loaded.effective.threads = 1;
    loaded.effective.cpu_set_honoured = true;
    loaded.effective.cpu_set.assign(args.cpu_set.begin(), args.cpu_set.end());
    loaded.effective.options = {{"banks", std::to_string(geometry.banks)},
                                {"bank_memory_mib", std::to_string(geometry.bank_bytes >> 20)}};
    for (const Step& step : program->steps) {
      const bool bytes = step.kind == Kind::kIntegerProduct;
      loaded.effective.kernels.push_back({step.node, step.kernel, bytes ? "int8" : "f32", std::string(kResource)});
    }
    return loaded;
  }

 private:
  kit::Host host_;
};

}  // namespace
}  // namespace axle::pim

AXLE_ENGINE_PLUGIN(axle::pim::PimEngine)
