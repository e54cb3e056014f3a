#include "executable.h"

#include <atomic>
#include <cstring>

namespace axle::described {
namespace {

// What the host's handles share; the adapter goes before its folder.
struct Loaded {
  std::shared_ptr<ScratchDir> folder;
  std::shared_ptr<BinaryRuntimeAdapter> adapter;
  kit::Io io;
  std::atomic<uint64_t> runs{0};
};

class DescribedContext final : public kit::Context {
 public:
  explicit DescribedContext(std::shared_ptr<Loaded> loaded)
      : loaded_(std::move(loaded)), inputs_(loaded_->io.inputs.size()), outputs_(loaded_->io.outputs.size()),
        own_(outputs_.size()), shapes_(outputs_.size()) {
    for (size_t i = 0; i < outputs_.size(); ++i) shapes_[i] = sizes_of(loaded_->io.outputs[i]);
  }

  void bind_input(uint32_t index, const axle_tensor_t* tensor) override {
    bind(index, tensor, loaded_->io.inputs, inputs_, "input");
  }
  void bind_output(uint32_t index, const axle_tensor_t* tensor) override {
    bind(index, tensor, loaded_->io.outputs, outputs_, "output");
  }

  void run(const kit::RunArgs& args) override {
    for (const RunTensor& input : inputs_) {
      if (input.spec == nullptr) throw kit::failed_precondition("an input is not bound");
    }
    args.cancel.check();
    std::vector<RunTensor> outputs = outputs_;
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i].spec != nullptr) continue;
      const kit::IoSpec& spec = loaded_->io.outputs[i];
      own_[i].resize(kit::dense_size_bytes(spec.dtype, shapes_[i]));
      outputs[i] = {&spec, own_[i].data(), own_[i].size()};
    }
    throw_if_error(loaded_->adapter->run(inputs_, outputs, args.cancel));
    last_ = std::move(outputs);
    loaded_->runs.fetch_add(1, std::memory_order_relaxed);
  }

  axle_tensor_t output(uint32_t index) override {
    if (index >= outputs_.size()) throw kit::invalid_argument("there is no output " + std::to_string(index));
    if (last_.empty()) throw kit::failed_precondition("output before the first run");
    axle_tensor_t tensor{};
    tensor.struct_size = sizeof(tensor);
    tensor.dtype = loaded_->io.outputs[index].dtype;
    tensor.rank = static_cast<int32_t>(shapes_[index].size());
    tensor.shape = shapes_[index].data();
    tensor.data = last_[index].data;
    tensor.size_bytes = last_[index].size_bytes;
    return tensor;
  }

 private:
  static void bind(uint32_t index, const axle_tensor_t* tensor, const std::vector<kit::IoSpec>& specs,
                   std::vector<RunTensor>& bound, const char* what) {
    if (index >= specs.size()) throw kit::invalid_argument(std::string("there is no ") + what + " " + std::to_string(index));
    if (tensor == nullptr) {
      bound[index] = {};
      return;
    }
    kit::check_tensor(specs[index], *tensor);
    bound[index] = {&specs[index], tensor->data, kit::dense_size_bytes(tensor->dtype, kit::shape_of(*tensor))};
  }

  std::shared_ptr<Loaded> loaded_;
  std::vector<RunTensor> inputs_, outputs_;  // spec null = not bound
  std::vector<std::vector<std::byte>> own_;  // outputs that are not bound
  std::vector<std::vector<int64_t>> shapes_;
  std::vector<RunTensor> last_;
};

class DescribedExecutable final : public kit::Executable {
 public:
  explicit DescribedExecutable(std::shared_ptr<Loaded> loaded) : loaded_(std::move(loaded)) {}
  kit::Io io() override { return loaded_->io; }
  std::unique_ptr<kit::Context> make_context() override { return std::make_unique<DescribedContext>(loaded_); }
  kit::Counters counters() override { return {{"runs", static_cast<double>(loaded_->runs.load(std::memory_order_relaxed))}}; }

 private:
  std::shared_ptr<Loaded> loaded_;
};

}  // namespace

kit::Error to_error(const Status& status) {
  return kit::Error(static_cast<int32_t>(status.code()), status.message())
      .hint(status.hint())
      .vendor_code(status.vendor_code());
}

std::unique_ptr<kit::Executable> make_executable(kit::Io io, std::shared_ptr<BinaryRuntimeAdapter> adapter,
                                                 std::shared_ptr<ScratchDir> folder) {
  auto loaded = std::make_shared<Loaded>();
  loaded->io = std::move(io);
  loaded->adapter = std::move(adapter);
  loaded->folder = std::move(folder);
  return std::make_unique<DescribedExecutable>(std::move(loaded));
}

}  // namespace axle::described
