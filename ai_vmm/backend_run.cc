#include "backend_run.h"

#include <cstring>
#include <utility>
#include <vector>

#include "backend_graph.h"

namespace ai_vmm {
namespace {

namespace kit = axle::kit;

class BackendContext final : public kit::Context {
 public:
  BackendContext(const Registered& owner, Model model, const kit::Io& io)
      : owner_(owner), model_(std::move(model)), io_(io), inputs_(io.inputs.size()), bound_(io.outputs.size()),
        outputs_(io.outputs.size()) {}

  void bind_input(uint32_t index, const axle_tensor_t* tensor) override {
    if (index >= inputs_.size()) throw kit::invalid_argument("there is no input " + std::to_string(index));
    inputs_[index] = Tensor();
    if (tensor == nullptr) return;
    kit::check_tensor(io_.inputs[index], *tensor);
    inputs_[index] = view_of(*tensor);
  }

  void bind_output(uint32_t index, const axle_tensor_t* tensor) override {
    if (index >= bound_.size()) throw kit::invalid_argument("there is no output " + std::to_string(index));
    bound_[index] = tensor == nullptr ? axle_tensor_t{} : *tensor;
  }

  void run(const kit::RunArgs& args) override {
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (!inputs_[i].defined()) throw kit::failed_precondition("input '" + io_.inputs[i].name + "' is not bound");
    }
    args.cancel.check();
    speaking_for(owner_, "execute", [&] { owner_.capabilities.multiple_tensors ? run_all() : run_single(); });
    for (uint32_t i = 0; i < outputs_.size(); ++i) deliver(i);
    ran_ = true;
  }

  axle_tensor_t output(uint32_t index) override {
    if (index >= outputs_.size()) throw kit::invalid_argument("there is no output " + std::to_string(index));
    if (!ran_) throw kit::failed_precondition("output before the first run");
    const Tensor& made = outputs_[index];
    axle_tensor_t tensor{};
    tensor.struct_size = sizeof(tensor);
    tensor.dtype = static_cast<int32_t>(made.dtype());
    tensor.rank = static_cast<int32_t>(made.shape().size());
    tensor.shape = made.shape().data();
    tensor.data = bound_[index].struct_size != 0 ? bound_[index].data : const_cast<void*>(made.to_axle().data());
    tensor.size_bytes = made.size_bytes();
    return tensor;
  }

 private:
  void run_single() { outputs_[0] = owner_.backend->execute(model_, inputs_[0]).get(); }

  void run_all() {
    TensorMap feeds;
    for (size_t i = 0; i < inputs_.size(); ++i) feeds.emplace(io_.inputs[i].name, inputs_[i]);
    TensorMap made = owner_.backend->execute_all(model_, feeds).get();
    for (size_t i = 0; i < outputs_.size(); ++i) {
      const auto found = made.find(io_.outputs[i].name);
      if (found == made.end()) {
        throw kit::internal("backend " + owner_.name + " gave no output '" + io_.outputs[i].name + "'");
      }
      outputs_[i] = std::move(found->second);
    }
  }

  void deliver(uint32_t index) {
    const Tensor& made = outputs_[index];
    const kit::IoSpec& spec = io_.outputs[index];
    if (static_cast<int32_t>(made.dtype()) != spec.dtype) {
      throw kit::internal("backend " + owner_.name + " gave output '" + spec.name + "' as " +
                          std::string(axle::data_type_name(made.dtype())) + ", the model says " +
                          std::string(kit::data_type_name(spec.dtype)));
    }
    const axle_tensor_t& to = bound_[index];
    if (to.struct_size == 0) return;
    if (to.size_bytes < made.size_bytes()) {
      throw kit::out_of_range("output '" + spec.name + "' needs " + std::to_string(made.size_bytes()) + " bytes")
          .required_bytes(made.size_bytes());
    }
    if (made.size_bytes() > 0) std::memcpy(to.data, made.to_axle().data(), made.size_bytes());
  }

  const Registered& owner_;
  Model model_;
  const kit::Io& io_;
  std::vector<Tensor> inputs_;
  std::vector<axle_tensor_t> bound_;
  std::vector<Tensor> outputs_;
  bool ran_ = false;
};

class BackendExecutable final : public kit::Executable {
 public:
  BackendExecutable(const Registered& owner, Model model, kit::Io io)
      : owner_(owner), model_(std::move(model)), io_(std::move(io)) {}
  kit::Io io() override { return io_; }
  std::unique_ptr<kit::Context> make_context() override { return std::make_unique<BackendContext>(owner_, model_, io_); }

 private:
  const Registered& owner_;
  Model model_;
  kit::Io io_;
};

}  // namespace

std::unique_ptr<kit::Executable> make_backend_executable(const Registered& owner, Model model, kit::Io io) {
  return std::make_unique<BackendExecutable>(owner, std::move(model), std::move(io));
}

}  // namespace ai_vmm
