// An engine by code over the FAKE vendor: what a description (fakenpu.toml) says in data, for those whose runtime needs more than that.
// The verbs in the order in which the host calls them.
#include <algorithm>
#include <atomic>
#include <mutex>

#include "vendor.h"

namespace axle::fakenpu_plugin {
namespace {

constexpr std::string_view kResource = "fakenpu:0";
constexpr const char* kProgram = "program.fnpu";
constexpr std::string_view kOperators[] = {"Add", "Mul", "Relu", "MatMul", "Gemm"};

// What is loaded: the vendor's handle, of which one call is made at a time, and the model's inputs and outputs.
class Network {
 public:
  Network(std::shared_ptr<const Vendor> vendor, const std::string& path, kit::Io io)
      : vendor_(std::move(vendor)), io_(std::move(io)), handle_(vendor_->load(path.c_str())) {
    if (handle_ == nullptr) throw kit::Error(AXLE_DATA_LOSS, vendor_->last_error()).hint("compile it again");
  }
  ~Network() { vendor_->unload(handle_); }
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  const kit::Io& io() const { return io_; }
  double runs() const { return static_cast<double>(runs_.load(std::memory_order_relaxed)); }
  void run(const std::vector<const void*>& inputs, const std::vector<size_t>& input_sizes, const std::vector<void*>& outputs,
           const std::vector<size_t>& output_sizes) {
    const std::lock_guard lock(mutex_);
    const int status = vendor_->run(handle_, inputs.data(), input_sizes.data(), inputs.size(), outputs.data(),
                                    output_sizes.data(), outputs.size());
    if (status != 0) throw kit::internal(vendor_->last_error()).vendor_code(status);
    runs_.fetch_add(1, std::memory_order_relaxed);
  }

 private:
  std::shared_ptr<const Vendor> vendor_;
  kit::Io io_;
  void* handle_;
  std::mutex mutex_;
  std::atomic<uint64_t> runs_{0};
};

std::vector<int64_t> sizes_of(const kit::IoSpec& spec) {
  std::vector<int64_t> sizes;
  for (const kit::Dim& dim : spec.shape) sizes.push_back(dim.size);
  return sizes;
}

// Bound tensors of one caller. Everything is allocated here, nothing by bind and run.
class NpuContext final : public kit::Context {
 public:
  explicit NpuContext(std::shared_ptr<Network> network) : network_(std::move(network)) {
    for (const kit::IoSpec& spec : network_->io().inputs) {
      input_sizes_.push_back(kit::dense_size_bytes(spec.dtype, sizes_of(spec)));
      inputs_.push_back(nullptr);
      bound_.push_back(0);
    }
    for (const kit::IoSpec& spec : network_->io().outputs) {
      shapes_.push_back(sizes_of(spec));
      output_sizes_.push_back(kit::dense_size_bytes(spec.dtype, shapes_.back()));
      own_.emplace_back(output_sizes_.back());
      outputs_.push_back(own_.back().data());
    }
  }

  void bind_input(uint32_t index, const axle_tensor_t* tensor) override {
    if (index >= inputs_.size()) throw kit::invalid_argument("there is no input " + std::to_string(index));
    if (tensor != nullptr) kit::check_tensor(network_->io().inputs[index], *tensor);
    inputs_[index] = tensor == nullptr ? nullptr : tensor->data;
    bound_[index] = tensor != nullptr;
  }
  void bind_output(uint32_t index, const axle_tensor_t* tensor) override {
    if (index >= outputs_.size()) throw kit::invalid_argument("there is no output " + std::to_string(index));
    if (tensor != nullptr) kit::check_tensor(network_->io().outputs[index], *tensor);
    outputs_[index] = tensor == nullptr ? own_[index].data() : tensor->data;
  }
  void run(const kit::RunArgs& args) override {
    if (std::find(bound_.begin(), bound_.end(), 0) != bound_.end()) throw kit::failed_precondition("an input is not bound");
    args.cancel.check();
    network_->run(inputs_, input_sizes_, outputs_, output_sizes_);
    ran_ = true;
  }
  axle_tensor_t output(uint32_t index) override {
    if (index >= outputs_.size()) throw kit::invalid_argument("there is no output " + std::to_string(index));
    if (!ran_) throw kit::failed_precondition("output before the first run");
    axle_tensor_t tensor{};
    tensor.struct_size = sizeof(tensor);
    tensor.dtype = network_->io().outputs[index].dtype;
    tensor.rank = static_cast<int32_t>(shapes_[index].size());
    tensor.shape = shapes_[index].data();
    tensor.data = outputs_[index];
    tensor.size_bytes = output_sizes_[index];
    return tensor;
  }

 private:
  std::shared_ptr<Network> network_;
  std::vector<const void*> inputs_;
  std::vector<void*> outputs_;
  std::vector<size_t> input_sizes_, output_sizes_;
  std::vector<char> bound_;
  std::vector<std::vector<int64_t>> shapes_;
  std::vector<std::vector<std::byte>> own_;  // where outputs go that are not bound
  bool ran_ = false;
};

class NpuExecutable final : public kit::Executable {
 public:
  explicit NpuExecutable(std::shared_ptr<Network> network) : network_(std::move(network)) {}
  kit::Io io() override { return network_->io(); }
  std::unique_ptr<kit::Context> make_context() override { return std::make_unique<NpuContext>(network_); }
  kit::Counters counters() override { return {{"runs", network_->runs()}}; }

 private:
  std::shared_ptr<Network> network_;
};

std::optional<kit::Verdict> refused(const kit::Node& node) {
  const bool known =
      node.domain().empty() && std::find(std::begin(kOperators), std::end(kOperators), node.op_type()) != std::end(kOperators);
  if (known) return std::nullopt;
  return kit::Verdict{kit::VerdictKind::kNo, "UNSUPPORTED_OP", "the FAKE NPU has no " + std::string(node.op_type()), -1};
}

// Inputs and outputs as the model has them. The device takes fixed shapes in f32.
std::vector<kit::IoSpec> fixed(uint32_t count, const auto& value_at) {
  std::vector<kit::IoSpec> specs;
  for (uint32_t i = 0; i < count; ++i) {
    kit::IoSpec spec = kit::to_io_spec(value_at(i));
    const bool open =
        !spec.rank_known || std::any_of(spec.shape.begin(), spec.shape.end(), [](const kit::Dim& dim) { return dim.size < 0; });
    if (open || kit::data_type_name(spec.dtype) != "f32")
      throw kit::unimplemented("'" + spec.name + "' is no f32 of a fixed shape")
          .hint("fix the model's shapes: static_shape = true");
    spec.mode = kit::OutputMode::kEither;
    specs.push_back(std::move(spec));
  }
  return specs;
}

kit::Io io_of(const kit::Graph& graph) {
  return {fixed(graph.input_count(), [&](uint32_t i) { return graph.input(i); }),
          fixed(graph.output_count(), [&](uint32_t i) { return graph.output(i); })};
}

class NpuEngine final : public kit::Engine {
 public:
  static constexpr bool kCompiles = true;
  static constexpr bool kCounts = true;

  explicit NpuEngine(std::shared_ptr<const Vendor> vendor) : vendor_(std::move(vendor)) {}

  static kit::EngineInfo facts() {
    kit::EngineInfo info;
    info.name = "fakenpu_plugin";
    info.vendor = "FAKE Silicon";
    info.plugin_version = "0.1.0";
    info.description = "FAKE NPU of axle's tests, by a plugin: a vendor that does not exist";
    info.closed = true;
    info.deterministic = true;
    info.install_command = kInstallCommand;
    return info;
  }

  static std::unique_ptr<kit::Engine> create(kit::Host, const kit::CreateArgs& args) {
    args.options.check_known({});
    return std::make_unique<NpuEngine>(open_vendor(args));
  }

  kit::EngineInfo describe() override {
    kit::EngineInfo info = facts();
    info.opened = true;
    info.library = {vendor_->library, vendor_->version, "", {}};
    return info;
  }

  // Honest: nothing real computes.
  std::vector<kit::ResourceInfo> resources() override {
    kit::ResourceInfo npu;
    npu.id = kResource;
    npu.kind = "npu";
    npu.vendor = "FAKE Silicon";
    npu.name = "FAKE NPU F1";
    npu.simulated = true;
    return {npu};
  }

  kit::Capability capability(std::string_view resource) override {
    check_place(resource, "f32");
    kit::Capability capability;
    capability.formats = {"onnx"};
    capability.precisions = {{"f32", "f32", true}};
    capability.dtypes = {"f32"};
    for (const std::string_view op : kOperators) capability.ops.push_back({"", std::string(op), 7, 0, {"f32"}});
    capability.dynamic_shapes = kit::DynamicShapes::kNo;
    capability.needs_compile = true;
    return capability;
  }

  kit::Support support(const kit::SupportArgs& args) override {
    check_place(args.resource, args.precision);
    kit::Support support;
    support.graph.kind = support.otherwise.kind = kit::VerdictKind::kYes;
    for (const kit::Node& node : args.graph.nodes()) {
      args.cancel.check();
      if (auto no = refused(node)) support.nodes.push_back({node.index(), *std::move(no)});
    }
    if (!support.nodes.empty()) support.graph = support.nodes.front().verdict;
    try {
      (void)io_of(args.graph);
    } catch (const kit::Error& error) {
      support.graph = {kit::VerdictKind::kNo, "DYNAMIC_SHAPE", error.message(), -1};
    }
    if (args.graph.format() != "onnx") support.graph = {kit::VerdictKind::kNo, "FORMAT", "it reads only onnx", -1};
    return support;
  }

  kit::Manifest compile(const kit::CompileArgs& args) override {
    check_place(args.resource, args.precision);
    args.options.check_known({});
    compile_into(args.graph, std::string(args.scratch_folder), args.cancel);
    kit::Manifest manifest;
    manifest.format = "fakenpu-program";
    manifest.blobs = {{kProgram, kProgram}, {"axle-log.txt", "axle-log.txt"}};
    manifest.compatibility = {{"compiler", vendor_->version}};
    return manifest;
  }

  kit::Loaded load(const kit::LoadArgs& args) override {
    check_place(args.resource, args.precision);
    args.options.check_known({});
    if (!args.graph) throw kit::failed_precondition("the artefact does not name its inputs: load needs the graph beside it");
    const std::string folder(args.scratch_folder);
    kit::Loaded loaded;
    kit::Io io = io_of(*args.graph);
    if (args.blobs.empty())
      compile_into(*args.graph, folder, args.cancel);
    else
      lay_out(args.blobs, folder);
    loaded.executable =
        std::make_unique<NpuExecutable>(std::make_shared<Network>(vendor_, folder + "/" + kProgram, std::move(io)));
    loaded.effective.precision = "f32";  // the device has no other
    loaded.effective.precision_read_back = true;
    return loaded;
  }

 private:
  static void check_place(std::string_view resource, std::string_view precision) {
    if (resource != kResource) throw kit::Error(AXLE_NOT_FOUND, "there is no resource '" + std::string(resource) + "'");
    if (precision != "f32") throw kit::unimplemented("there is no precision '" + std::string(precision) + "'").hint("use f32");
  }

  void compile_into(const kit::Graph& graph, const std::string& folder, const kit::Cancel& cancel) const {
    cancel.check();
    (void)io_of(graph);
    write_file(folder + "/model.onnx", graph.onnx().bytes);
    fakenpu_plugin::compile(*vendor_, folder, cancel);
  }

  static void lay_out(const std::vector<kit::Blob>& blobs, const std::string& folder) {
    for (const kit::Blob& blob : blobs) {
      if (blob.name != kProgram) continue;
      return write_file(folder + "/" + kProgram,
                        blob.data.empty() ? read_file(std::string(blob.path)) : std::string(blob.data));
    }
    throw kit::Error(AXLE_DATA_LOSS, "the artefact has no program").hint("compile it again");
  }

  std::shared_ptr<const Vendor> vendor_;
};

}  // namespace
}  // namespace axle::fakenpu_plugin

AXLE_ENGINE_PLUGIN(axle::fakenpu_plugin::NpuEngine)
