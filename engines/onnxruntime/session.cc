#include "session.h"

#include "cancel_watch.h"

namespace axle::ort {
namespace {

#if ORT_API_VERSION >= 22
struct LoadStopper {
  Api api;
  OrtSessionOptions* options;
};

void stop_load(void* raw) {
  const auto* stopper = static_cast<const LoadStopper*>(raw);
  OrtStatus* status = stopper->api->SessionOptionsSetLoadCancellationFlag(stopper->options, true);
  if (status != nullptr) stopper->api->ReleaseStatus(status);
}
#endif

void add_external_files(const Api& api, OrtSessionOptions* options, const ModelSource& source) {
  if (source.external_files.empty()) return;
  std::vector<const char*> names;
  std::vector<char*> buffers;
  std::vector<size_t> sizes;
  for (const auto& [name, data] : source.external_files) {
    names.push_back(name.c_str());
    buffers.push_back(const_cast<char*>(data.data()));  // the vendor only reads
    sizes.push_back(data.size());
  }
  check(api, api->AddExternalInitializersFromFilesInMemory(options, names.data(), buffers.data(), sizes.data(), names.size()),
        "passing external weights");
}

}  // namespace

void set_external_folder(const Api& api, OrtSessionOptions* options, const ModelSource& source) {
  if (source.external_folder.empty()) return;
  set_entry(api, options, "session.model_external_initializers_file_folder_path", source.external_folder);
}

std::unique_ptr<Session> Session::open(std::shared_ptr<const Runtime> runtime, Handle<OrtSessionOptions> options,
                                       std::unique_ptr<WorkerThreads> threads, const ModelSource& source,
                                       const kit::Cancel& cancel) {
  const Api& api = runtime->api();
  threads->install(api, options.get());
  check(api, api->SetSessionLogSeverityLevel(options.get(), runtime->log_level()), "setting the log level");
  check(api, api->SetUserLoggingFunction(options.get(), &Runtime::log, nullptr), "setting the log function");
  set_external_folder(api, options.get(), source);
  if (source.keep_bytes) {
    set_entry(api, options.get(), "session.use_ort_model_bytes_directly", "1");
    set_entry(api, options.get(), "session.use_ort_model_bytes_for_initializers", "1");
  }
  add_external_files(api, options.get(), source);
  std::unique_ptr<Session> session(new Session(std::move(runtime), std::move(options), std::move(threads)));
  session->create(source, cancel);
  session->read_io();
  return session;
}

void Session::create(const ModelSource& source, const kit::Cancel& cancel) {
  cancel.check();
  const QuietScope quiet;
  OrtSession* raw = nullptr;
  OrtStatus* status = nullptr;
  {
#if ORT_API_VERSION >= 22
    LoadStopper stopper{api(), options_.get()};
    const CancelWatch watch(api().has(22) ? cancel : kit::Cancel(), &stop_load, &stopper);
#endif
    status = source.path.empty() ? api()->CreateSessionFromArray(runtime_->env(), source.bytes.data(), source.bytes.size(),
                                                                 options_.get(), &raw)
                                 : api()->CreateSession(runtime_->env(), source.path.c_str(), options_.get(), &raw);
  }
  session_.reset(raw);
  if (status != nullptr && cancel.cancelled()) {
    api()->ReleaseStatus(status);
    throw kit::Error(AXLE_CANCELLED, "loading was cancelled by the caller");
  }
  check(api(), status, source.path.empty() ? "ONNX Runtime cannot load the model" : "ONNX Runtime cannot load " + source.path);
  cancel.check();
}

void Session::read_io() {
  size_t count = 0;
  check(api(), api()->SessionGetInputCount(get(), &count), "counting inputs");
  for (size_t i = 0; i < count; ++i) io_.inputs.push_back(read_spec(true, i));
  check(api(), api()->SessionGetOutputCount(get(), &count), "counting outputs");
  for (size_t i = 0; i < count; ++i) io_.outputs.push_back(read_spec(false, i));
}

kit::IoSpec Session::read_spec(bool input, size_t index) const {
  const char* what = input ? "reading an input" : "reading an output";
  char* name = nullptr;
  check(api(),
        input ? api()->SessionGetInputName(get(), index, runtime_->allocator(), &name)
              : api()->SessionGetOutputName(get(), index, runtime_->allocator(), &name),
        what);
  kit::IoSpec spec;
  spec.name = name;
  spec.exact = !input;  // ONNX Runtime compares with what is bound, and OrtContext what it copies
  check(api(), api()->AllocatorFree(runtime_->allocator(), name), what);
  const auto type = make<OrtTypeInfo>(api(), api()->ReleaseTypeInfo, what, [&](OrtTypeInfo** out) {
    return input ? api()->SessionGetInputTypeInfo(get(), index, out) : api()->SessionGetOutputTypeInfo(get(), index, out);
  });
  const OrtTensorTypeAndShapeInfo* tensor = nullptr;  // borrowed from `type`
  check(api(), api()->CastTypeInfoToTensorInfo(type.get(), &tensor), what);
  if (tensor == nullptr) {
    throw kit::unimplemented((input ? "input '" : "output '") + spec.name + "' is a sequence, map or optional, not a tensor");
  }
  ONNXTensorElementDataType element{};
  check(api(), api()->GetTensorElementType(tensor, &element), what);
  spec.dtype = from_vendor_type(element);
  size_t rank = 0;
  check(api(), api()->GetDimensionsCount(tensor, &rank), what);
  std::vector<int64_t> sizes(rank);
  std::vector<const char*> symbols(rank);
  check(api(), api()->GetDimensions(tensor, sizes.data(), rank), what);
  check(api(), api()->GetSymbolicDimensions(tensor, symbols.data(), rank), what);
  for (size_t axis = 0; axis < rank; ++axis) {
    const bool known = sizes[axis] >= 0;
    spec.shape.push_back({known ? sizes[axis] : -1, known || symbols[axis] == nullptr ? "" : symbols[axis]});
  }
  // Before 1.24 a scalar and an unknown rank look the same.
  spec.rank_known = rank > 0;
#if ORT_API_VERSION >= 24
  if (api().has(24)) spec.rank_known = api()->TensorTypeAndShape_HasShape(tensor);
#endif
  return spec;
}

}  // namespace axle::ort
