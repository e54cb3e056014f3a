// ONNX Runtime's C API as its documentation advises: full optimisation, values made once over the caller's memory, I/O binding.
#include <dlfcn.h>
#include <onnxruntime_c_api.h>
#include <sys/stat.h>

#include <cstring>
#include <stdexcept>

#include "peer.h"

namespace axle_benchmarks {
namespace {

const OrtApi* load_api(const std::string& library) {
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) throw std::runtime_error(dlerror());
  const auto base = reinterpret_cast<const OrtApiBase* (*)()>(dlsym(handle, "OrtGetApiBase"));
  if (base == nullptr) throw std::runtime_error(library + " is not ONNX Runtime");
  const OrtApi* api = nullptr;
  for (uint32_t version = ORT_API_VERSION; api == nullptr && version >= 18; --version) api = base()->GetApi(version);
  if (api == nullptr) throw std::runtime_error(library + " is too old");
  return api;
}

class OrtPeer final : public Peer {
 public:
  explicit OrtPeer(const PeerOptions& options) : api_(load_api(options.library)) {
    check(api_->CreateEnv(ORT_LOGGING_LEVEL_ERROR, "peer", &env_));
    check(api_->GetAllocatorWithDefaultOptions(&allocator_));
    check(api_->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &memory_));
    OrtSessionOptions* session_options = nullptr;
    check(api_->CreateSessionOptions(&session_options));
    check(api_->SetIntraOpNumThreads(session_options, options.threads));
    check(api_->SetInterOpNumThreads(session_options, 1));
    struct stat info = {};
    const bool kept = !options.cache.empty() && ::stat(options.cache.c_str(), &info) == 0;
    // A model that was saved after optimising needs no second optimisation.
    check(api_->SetSessionGraphOptimizationLevel(session_options, kept ? ORT_DISABLE_ALL : ORT_ENABLE_ALL));
    if (!options.cache.empty() && !kept) check(api_->SetOptimizedModelFilePath(session_options, options.cache.c_str()));
    check(api_->CreateSession(env_, (kept ? options.cache : options.model).c_str(), session_options, &session_));
    api_->ReleaseSessionOptions(session_options);
    read_names();
  }

  ~OrtPeer() override {
    if (binding_ != nullptr) api_->ReleaseIoBinding(binding_);
    for (OrtValue* value : inputs_) api_->ReleaseValue(value);
    for (OrtValue* value : outputs_) api_->ReleaseValue(value);
    api_->ReleaseSession(session_);
    api_->ReleaseMemoryInfo(memory_);
    api_->ReleaseEnv(env_);
  }

  void bind_inputs(std::span<FlatTensor> tensors) override {
    for (FlatTensor& tensor : tensors) {
      OrtValue* value = nullptr;
      check(api_->CreateTensorWithDataAsOrtValue(memory_, tensor.data.get(), tensor.size_bytes, tensor.shape.data(),
                                                 tensor.shape.size(), static_cast<ONNXTensorElementDataType>(tensor.dtype),
                                                 &value));
      input_names_.push_back(tensor.name);
      inputs_.push_back(value);
    }
  }

  void first_run() override {
    std::vector<const char*> in, out;
    for (const std::string& name : input_names_) in.push_back(name.c_str());
    for (const std::string& name : output_names_) out.push_back(name.c_str());
    outputs_.assign(out.size(), nullptr);
    check(api_->Run(session_, nullptr, in.data(), inputs_.data(), inputs_.size(), out.data(), out.size(), outputs_.data()));
  }

  void bind_outputs() override {
    check(api_->CreateIoBinding(session_, &binding_));
    for (size_t i = 0; i < inputs_.size(); ++i) check(api_->BindInput(binding_, input_names_[i].c_str(), inputs_[i]));
    for (size_t i = 0; i < outputs_.size(); ++i) {
      const FlatView made = view(outputs_[i]);
      size_t size_bytes = 0;
      check(api_->GetTensorSizeInBytes(outputs_[i], &size_bytes));
      memory_of_outputs_.push_back(aligned_bytes(size_bytes));
      OrtValue* value = nullptr;
      check(api_->CreateTensorWithDataAsOrtValue(memory_, memory_of_outputs_.back().get(), size_bytes, made.shape.data(),
                                                 made.shape.size(), static_cast<ONNXTensorElementDataType>(made.dtype),
                                                 &value));
      api_->ReleaseValue(outputs_[i]);
      outputs_[i] = value;
      check(api_->BindOutput(binding_, output_names_[i].c_str(), value));
    }
  }

  void run() override { check(api_->RunWithBinding(session_, nullptr, binding_)); }

  std::vector<FlatView> outputs() override {
    std::vector<FlatView> views;
    for (OrtValue* value : outputs_) views.push_back(view(value));
    return views;
  }

 private:
  void check(OrtStatus* status) const {
    if (status == nullptr) return;
    const std::string text = api_->GetErrorMessage(status);
    api_->ReleaseStatus(status);
    throw std::runtime_error("ONNX Runtime: " + text);
  }

  void read_names() {
    size_t count = 0;
    check(api_->SessionGetOutputCount(session_, &count));
    for (size_t i = 0; i < count; ++i) {
      char* name = nullptr;
      check(api_->SessionGetOutputName(session_, i, allocator_, &name));
      output_names_.emplace_back(name);
      check(api_->AllocatorFree(allocator_, name));
    }
  }

  FlatView view(OrtValue* value) const {
    OrtTensorTypeAndShapeInfo* info = nullptr;
    check(api_->GetTensorTypeAndShape(value, &info));
    ONNXTensorElementDataType type{};
    size_t rank = 0;
    check(api_->GetTensorElementType(info, &type));
    check(api_->GetDimensionsCount(info, &rank));
    FlatView view{type, std::vector<int64_t>(rank), nullptr};
    check(api_->GetDimensions(info, view.shape.data(), rank));
    api_->ReleaseTensorTypeAndShapeInfo(info);
    void* data = nullptr;
    check(api_->GetTensorMutableData(value, &data));
    view.data = data;
    return view;
  }

  const OrtApi* api_;
  OrtEnv* env_ = nullptr;
  OrtAllocator* allocator_ = nullptr;
  OrtMemoryInfo* memory_ = nullptr;
  OrtSession* session_ = nullptr;
  OrtIoBinding* binding_ = nullptr;
  std::vector<std::string> input_names_, output_names_;
  std::vector<OrtValue*> inputs_, outputs_;
  std::vector<std::shared_ptr<std::byte>> memory_of_outputs_;
};

}  // namespace

std::unique_ptr<Peer> open_onnxruntime(const PeerOptions& options) { return std::make_unique<OrtPeer>(options); }

std::unique_ptr<Peer> open_peer(const std::string& name, const PeerOptions& options) {
  if (name == "onnxruntime") return open_onnxruntime(options);
  if (name == "openvino") return open_openvino(options);
  throw std::runtime_error("no peer is called '" + name + "'");
}

}  // namespace axle_benchmarks
