// OpenVINO's C API as its documentation advises for latency: f32 as the model says, tensors set once over the caller's memory.
#include <dlfcn.h>
#include <openvino/c/openvino.h>

#include <algorithm>
#include <stdexcept>

#include "peer.h"

namespace axle_benchmarks {
namespace {

// clang-format off: it moves one line more each time it runs
#define AXLE_BENCHMARKS_FUNCTIONS(X) \
  X(ov_core_create) X(ov_core_free) X(ov_core_set_property) X(ov_core_compile_model_from_file) \
  X(ov_compiled_model_free) X(ov_compiled_model_create_infer_request) X(ov_compiled_model_outputs_size) \
  X(ov_compiled_model_output_by_index) X(ov_output_const_port_free) X(ov_port_get_partial_shape) \
  X(ov_partial_shape_free) X(ov_infer_request_free) X(ov_infer_request_set_tensor) X(ov_infer_request_infer) \
  X(ov_infer_request_get_output_tensor_by_index) X(ov_infer_request_set_output_tensor_by_index) \
  X(ov_tensor_create_from_host_ptr) X(ov_tensor_free) X(ov_tensor_get_shape) X(ov_shape_free) \
  X(ov_tensor_get_element_type) X(ov_tensor_get_byte_size) X(ov_tensor_data) X(ov_get_last_err_msg)
// clang-format on

struct Api {
#define AXLE_BENCHMARKS_SLOT(name) decltype(&::name) name = nullptr;
  AXLE_BENCHMARKS_FUNCTIONS(AXLE_BENCHMARKS_SLOT)
#undef AXLE_BENCHMARKS_SLOT

  explicit Api(const std::string& library) {
    void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) throw std::runtime_error(dlerror());
#define AXLE_BENCHMARKS_RESOLVE(name)                               \
  name = reinterpret_cast<decltype(&::name)>(dlsym(handle, #name)); \
  if (name == nullptr) throw std::runtime_error(library + " has no " #name);
    AXLE_BENCHMARKS_FUNCTIONS(AXLE_BENCHMARKS_RESOLVE)
#undef AXLE_BENCHMARKS_RESOLVE
  }
};

constexpr std::pair<int32_t, ov_element_type_e> kTypes[] = {{1, F32}, {2, U8}, {3, I8}, {6, I32}, {7, I64}, {9, OV_BOOLEAN}};

ov_element_type_e to_vendor_type(int32_t dtype) {
  for (const auto& [ours, theirs] : kTypes) {
    if (ours == dtype) return theirs;
  }
  throw std::runtime_error("no OpenVINO type for " + std::to_string(dtype));
}

class OpenVinoPeer final : public Peer {
 public:
  explicit OpenVinoPeer(const PeerOptions& options) : api_(options.library) {
    check(api_.ov_core_create(&core_));
    set("INFERENCE_PRECISION_HINT", "f32");
    set("PERFORMANCE_HINT", "LATENCY");
    set("INFERENCE_NUM_THREADS", std::to_string(options.threads));
    // With its own pinning two models of one process land on the same core, and here the other side shares the process.
    set("ENABLE_CPU_PINNING", "NO");
    if (!options.cache.empty()) set("CACHE_DIR", options.cache);
    check(api_.ov_core_compile_model_from_file(core_, options.model.c_str(), "CPU", 0, &model_));
    check(api_.ov_compiled_model_create_infer_request(model_, &request_));
    check(api_.ov_compiled_model_outputs_size(model_, &output_count_));
  }

  ~OpenVinoPeer() override {
    for (ov_tensor_t* tensor : tensors_) api_.ov_tensor_free(tensor);
    api_.ov_infer_request_free(request_);
    api_.ov_compiled_model_free(model_);
    api_.ov_core_free(core_);
  }

  void bind_inputs(std::span<FlatTensor> tensors) override {
    for (FlatTensor& tensor : tensors) {
      ov_tensor_t* wrapped = wrap(to_vendor_type(tensor.dtype), tensor.shape, tensor.data.get());
      check(api_.ov_infer_request_set_tensor(request_, tensor.name.c_str(), wrapped));
    }
  }

  void first_run() override { run(); }

  // Into outputs whose size is not fixed the library may put a tensor of its own: those are left to it.
  void bind_outputs() override {
    for (size_t i = 0; i < output_count_; ++i) {
      if (!is_fixed(i)) continue;
      ov_tensor_t* made = nullptr;
      check(api_.ov_infer_request_get_output_tensor_by_index(request_, i, &made));
      size_t size_bytes = 0;
      check(api_.ov_tensor_get_byte_size(made, &size_bytes));
      memory_of_outputs_.push_back(aligned_bytes(size_bytes));
      const FlatView like = view(made);
      api_.ov_tensor_free(made);
      ov_tensor_t* wrapped = wrap(to_vendor_type(like.dtype), like.shape, memory_of_outputs_.back().get());
      check(api_.ov_infer_request_set_output_tensor_by_index(request_, i, wrapped));
    }
  }

  void run() override { check(api_.ov_infer_request_infer(request_)); }

  std::vector<FlatView> outputs() override {
    std::vector<FlatView> views;
    for (size_t i = 0; i < output_count_; ++i) {
      ov_tensor_t* tensor = nullptr;
      check(api_.ov_infer_request_get_output_tensor_by_index(request_, i, &tensor));
      views.push_back(view(tensor));
      api_.ov_tensor_free(tensor);
    }
    return views;
  }

 private:
  void check(ov_status_e status) const {
    if (status == OK) return;
    const char* text = api_.ov_get_last_err_msg();
    throw std::runtime_error(std::string("OpenVINO: ") + (text == nullptr ? "?" : text));
  }

  void set(const char* key, const std::string& value) { check(api_.ov_core_set_property(core_, "CPU", key, value.c_str())); }

  bool is_fixed(size_t index) const {
    ov_output_const_port_t* port = nullptr;
    check(api_.ov_compiled_model_output_by_index(model_, index, &port));
    ov_partial_shape_t shape{};
    check(api_.ov_port_get_partial_shape(port, &shape));
    bool fixed = shape.rank.min == shape.rank.max;
    for (int64_t axis = 0; fixed && axis < shape.rank.max; ++axis) fixed = shape.dims[axis].min == shape.dims[axis].max;
    api_.ov_partial_shape_free(&shape);
    api_.ov_output_const_port_free(port);
    return fixed;
  }

  ov_tensor_t* wrap(ov_element_type_e type, const std::vector<int64_t>& shape, void* data) {
    int64_t none = 0;
    const ov_shape_t dims{static_cast<int64_t>(shape.size()), shape.empty() ? &none : const_cast<int64_t*>(shape.data())};
    ov_tensor_t* tensor = nullptr;
    check(api_.ov_tensor_create_from_host_ptr(type, dims, data, &tensor));
    tensors_.push_back(tensor);
    return tensor;
  }

  FlatView view(const ov_tensor_t* tensor) const {
    FlatView view;
    ov_element_type_e type{};
    check(api_.ov_tensor_get_element_type(tensor, &type));
    const auto* known =
        std::find_if(std::begin(kTypes), std::end(kTypes), [&](const auto& pair) { return pair.second == type; });
    if (known == std::end(kTypes)) throw std::runtime_error("an output has a type that is not compared");
    view.dtype = known->first;
    ov_shape_t shape{};
    // The C API cannot describe a scalar.
    if (const ov_status_e status = api_.ov_tensor_get_shape(tensor, &shape); status != INVALID_C_PARAM) {
      check(status);
      view.shape.assign(shape.dims, shape.dims + shape.rank);
      api_.ov_shape_free(&shape);
    }
    void* data = nullptr;
    check(api_.ov_tensor_data(tensor, &data));
    view.data = data;
    return view;
  }

  Api api_;
  ov_core_t* core_ = nullptr;
  ov_compiled_model_t* model_ = nullptr;
  ov_infer_request_t* request_ = nullptr;
  size_t output_count_ = 0;
  std::vector<ov_tensor_t*> tensors_;
  std::vector<std::shared_ptr<std::byte>> memory_of_outputs_;
};

}  // namespace

std::unique_ptr<Peer> open_openvino(const PeerOptions& options) { return std::make_unique<OpenVinoPeer>(options); }

}  // namespace axle_benchmarks
