#include "context.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "cancel_watch.h"
#include "run_profile.h"

namespace axle::ort {
namespace {

constexpr int32_t kString = 8;

// A place for tensors without elements, whose data may be null.
alignas(64) char empty_place[64];

struct RunStopper {
  Api api;
  OrtRunOptions* options;
};

void stop_run(void* raw) {
  const auto* stopper = static_cast<const RunStopper*>(raw);
  OrtStatus* status = stopper->api->RunOptionsSetTerminate(stopper->options);
  if (status != nullptr) stopper->api->ReleaseStatus(status);
}

size_t element_count(std::span<const int64_t> shape) {
  size_t count = 1;
  for (const int64_t size : shape) count *= static_cast<size_t>(size);
  return count;
}

std::string shape_text(std::span<const int64_t> shape) {
  std::string text;
  for (const int64_t size : shape) text += (text.empty() ? "" : ", ") + std::to_string(size);
  return "[" + text + "]";
}

void check_host_memory(const kit::IoSpec& spec, const axle_tensor_t& tensor) {
  if (tensor.memory_space == 3) throw kit::unimplemented("tensor '" + spec.name + "' is in device memory; bind host memory");
}

}  // namespace

bool OrtContext::Bound::same_as(const axle_tensor_t& tensor) const noexcept {
  return bound && data == tensor.data && size_bytes == tensor.size_bytes && std::ranges::equal(shape, kit::shape_of(tensor));
}

void OrtContext::Bound::take(const axle_tensor_t& tensor) {
  const std::span<const int64_t> given = kit::shape_of(tensor);
  shape.assign(given.begin(), given.end());
  data = tensor.data;
  size_bytes = tensor.size_bytes;
  bound = true;
}

OrtContext::OrtContext(std::shared_ptr<Session> session)
    : session_(std::move(session)),
      options_(make<OrtRunOptions>(api(), api()->ReleaseRunOptions, "making run options",
                                   [&](OrtRunOptions** out) { return api()->CreateRunOptions(out); })),
      binding_(nullptr, api()->ReleaseIoBinding) {
  const kit::Io& io = session_->io();
  for (const kit::IoSpec& spec : io.inputs) {
    inputs_.push_back({Bound{}, Value(nullptr, api()->ReleaseValue)});
    input_names_.push_back(spec.name.c_str());
    string_inputs_ += spec.dtype == kString ? 1 : 0;
  }
  for (const kit::IoSpec& spec : io.outputs) {
    outputs_.push_back({Bound{}, Value(nullptr, api()->ReleaseValue), Value(nullptr, api()->ReleaseValue), false, {}, {}});
    output_names_.push_back(spec.name.c_str());
  }
  input_values_.resize(inputs_.size());
  output_values_.resize(outputs_.size());
  missing_ = inputs_.size();
  indirect_ = outputs_.size();
}

void OrtContext::changed() noexcept { unchanged_runs_ = 0; }

OrtContext::Value OrtContext::wrap(const kit::IoSpec& spec, const axle_tensor_t& tensor) const {
  return make<OrtValue>(api(), api()->ReleaseValue, spec.name, [&](OrtValue** out) {
    const ONNXTensorElementDataType type = to_vendor_type(spec.dtype);
    const auto rank = static_cast<size_t>(tensor.rank);
    if (spec.dtype == kString)
      return api()->CreateTensorAsOrtValue(session_->runtime().allocator(), tensor.shape, rank, type, out);
    const size_t needed = static_cast<size_t>(kit::dense_size_bytes(spec.dtype, kit::shape_of(tensor)));
    void* data = needed == 0 ? static_cast<void*>(empty_place) : tensor.data;
    return api()->CreateTensorWithDataAsOrtValue(session_->runtime().cpu_memory(), data, needed, tensor.shape, rank, type, out);
  });
}

void OrtContext::bind_input(uint32_t index, const axle_tensor_t* tensor) {
  if (index >= inputs_.size()) throw kit::invalid_argument("there is no input " + std::to_string(index));
  const kit::IoSpec& spec = session_->io().inputs[index];
  Input& input = inputs_[index];
  if (tensor == nullptr) {
    if (input.caller.bound) ++missing_;
    input.caller.bound = false;
    return changed();
  }
  kit::check_tensor(spec, *tensor);
  if (input.caller.same_as(*tensor)) return;
  check_host_memory(spec, *tensor);
  input.value = wrap(spec, *tensor);
  if (!input.caller.bound) --missing_;
  input.caller.take(*tensor);
  input_values_[index] = input.value.get();
  changed();
}

void OrtContext::bind_output(uint32_t index, const axle_tensor_t* tensor) {
  if (index >= outputs_.size()) throw kit::invalid_argument("there is no output " + std::to_string(index));
  const kit::IoSpec& spec = session_->io().outputs[index];
  Output& output = outputs_[index];
  if (tensor == nullptr) {
    if (output.direct()) ++indirect_;
    output.caller.bound = false;
    output.through_copy = false;
    return changed();
  }
  kit::check_tensor(spec, *tensor);
  if (output.caller.same_as(*tensor)) return;
  check_host_memory(spec, *tensor);
  const bool was_direct = output.direct();
  // Strings live in the vendor's own objects and always need the copy.
  output.through_copy = spec.dtype == kString;
  if (!output.through_copy) output.value = wrap(spec, *tensor);
  output.caller.take(*tensor);
  indirect_ += was_direct ? 1 : 0;
  indirect_ -= output.direct() ? 1 : 0;
  changed();
}

void OrtContext::require_inputs() const {
  if (missing_ == 0) return;
  std::string names;
  for (size_t i = 0; i < inputs_.size(); ++i) {
    if (!inputs_[i].caller.bound) names += (names.empty() ? "'" : ", '") + session_->io().inputs[i].name + "'";
  }
  throw kit::failed_precondition("not bound: input " + names);
}

void OrtContext::refill_strings() {
  for (size_t i = 0; i < inputs_.size(); ++i) {
    if (session_->io().inputs[i].dtype != kString) continue;
    const Bound& caller = inputs_[i].caller;
    fill_strings(api(), inputs_[i].value.get(), static_cast<const axle_text_t*>(caller.data), element_count(caller.shape));
  }
}

void OrtContext::rebuild_binding() {
  binding_ = make<OrtIoBinding>(api(), api()->ReleaseIoBinding, "making an I/O binding",
                                [&](OrtIoBinding** out) { return api()->CreateIoBinding(session_->get(), out); });
  for (size_t i = 0; i < inputs_.size(); ++i)
    check(api(), api()->BindInput(binding_.get(), input_names_[i], input_values_[i]), "binding an input");
  for (size_t i = 0; i < outputs_.size(); ++i) {
    check(api(), api()->BindOutput(binding_.get(), output_names_[i], outputs_[i].value.get()), "binding an output");
  }
}

OrtStatus* OrtContext::run_once(bool all_direct) {
  if (all_direct && unchanged_runs_ > 0) {
    if (unchanged_runs_ == 1) {
      rebuild_binding();
      unchanged_runs_ = 2;
    }
    return api()->RunWithBinding(session_->get(), options_.get(), binding_.get());
  }
  for (size_t i = 0; i < outputs_.size(); ++i) {
    Output& output = outputs_[i];
    output.produced.reset();
    output_values_[i] = output.direct() ? output.value.get() : nullptr;
  }
  OrtStatus* status = api()->Run(session_->get(), options_.get(), input_names_.data(), input_values_.data(), inputs_.size(),
                                 output_names_.data(), outputs_.size(), output_values_.data());
  for (size_t i = 0; i < outputs_.size(); ++i) {
    if (!outputs_[i].direct()) outputs_[i].produced.reset(output_values_[i]);
  }
  if (unchanged_runs_ == 0) unchanged_runs_ = 1;
  return status;
}

OrtStatus* OrtContext::run_watched(const kit::RunArgs& args, bool all_direct) {
  args.cancel.check();
  OrtStatus* status = nullptr;
  {
    RunStopper stopper{api(), options_.get()};
    const CancelWatch watch(args.cancel, &stop_run, &stopper);
    status = args.profile.on() ? run_profiled(args, all_direct) : run_once(all_direct);
  }
  if (!args.cancel.cancelled()) return status;
  check(api(), api()->RunOptionsUnsetTerminate(options_.get()), "resetting a cancelled run");
  if (status == nullptr) return nullptr;  // finished before the stop was seen
  api()->ReleaseStatus(status);
  throw kit::Error(AXLE_CANCELLED, "the run was cancelled by the caller");
}

OrtStatus* OrtContext::run_profiled(const kit::RunArgs& args, bool all_direct) {
  RunProfile profile(session_->runtime(), options_.get());
  OrtStatus* status = run_once(all_direct);
  profile.finish(args.profile);
  return status;
}

// Bound outputs whose shape only the run knows: through a copy, or straight into the caller's memory again. False when there
// is none to change.
bool OrtContext::copy_open_outputs(bool copy) {
  bool changed_any = false;
  for (size_t i = 0; i < outputs_.size(); ++i) {
    const kit::IoSpec& spec = session_->io().outputs[i];
    const bool fixed = spec.rank_known && std::ranges::all_of(spec.shape, [](const kit::Dim& dim) { return dim.size >= 0; });
    if (fixed || spec.dtype == kString || !outputs_[i].caller.bound || outputs_[i].through_copy == copy) continue;
    outputs_[i].through_copy = copy;
    indirect_ += copy ? 1 : -1;
    changed_any = true;
  }
  if (changed_any) changed();
  return changed_any;
}

void OrtContext::run(const kit::RunArgs& args) {
  require_inputs();
  if (string_inputs_ > 0) refill_strings();
  const QuietScope quiet;
  const bool plain = !args.cancel.possible() && !args.profile.on();
  OrtStatus* status = plain ? run_once(indirect_ == 0) : run_watched(args, indirect_ == 0);
  // The vendor's text for "another shape was bound" differs between versions, so a second attempt is what tells.
  if (status != nullptr && copy_open_outputs(true)) {
    api()->ReleaseStatus(status);
    status = plain ? run_once(false) : run_watched(args, false);
    if (status != nullptr) copy_open_outputs(false);
  }
  check(api(), status, "ONNX Runtime failed to run the model");
  session_->runs().fetch_add(1, std::memory_order_relaxed);
  if (indirect_ > 0) {
    ran_ = false;  // what cannot be collected is not stated as an output
    for (uint32_t i = 0; i < outputs_.size(); ++i) {
      if (!outputs_[i].direct()) collect(i);
    }
  }
  ran_ = true;
}

void OrtContext::read_shape(const OrtValue* value, std::vector<int64_t>& shape) const {
#if ORT_API_VERSION >= 24
  if (api().has(24)) {
    ONNXTensorElementDataType type{};
    const int64_t* sizes = nullptr;
    size_t rank = 0;
    check(api(), api()->GetTensorElementTypeAndShapeDataReference(value, &type, &sizes, &rank), "reading an output's shape");
    return shape.assign(sizes, sizes + rank);
  }
#endif
  const auto info = make<OrtTensorTypeAndShapeInfo>(
      api(), api()->ReleaseTensorTypeAndShapeInfo, "reading an output's shape",
      [&](OrtTensorTypeAndShapeInfo** out) { return api()->GetTensorTypeAndShape(value, out); });
  size_t rank = 0;
  check(api(), api()->GetDimensionsCount(info.get(), &rank), "reading an output's shape");
  shape.resize(rank);
  check(api(), api()->GetDimensions(info.get(), shape.data(), rank), "reading an output's shape");
}

// What is bound must be of the result's shape: every output is declared exact.
void OrtContext::check_fits(uint32_t index, size_t needed) const {
  const Output& output = outputs_[index];
  const std::string& name = session_->io().outputs[index].name;
  if (output.caller.size_bytes < needed) {
    throw kit::out_of_range("output '" + name + "' needs " + std::to_string(needed) + " bytes, " +
                            std::to_string(output.caller.size_bytes) + " are bound")
        .required_bytes(needed);
  }
  if (output.shape == output.caller.shape) return;
  throw kit::out_of_range("output '" + name + "' of this run is " + shape_text(output.shape) + ", and " +
                          shape_text(output.caller.shape) + " is bound")
      .hint("bind a tensor of the result's shape, or none: then the engine's is read with output()");
}

void OrtContext::collect(uint32_t index) {
  Output& output = outputs_[index];
  const int32_t dtype = session_->io().outputs[index].dtype;
  if (output.produced == nullptr) throw kit::internal("ONNX Runtime produced no value for output " + std::to_string(index));
  read_shape(output.produced.get(), output.shape);
  const size_t needed = static_cast<size_t>(kit::dense_size_bytes(dtype, output.shape));
  if (output.caller.bound) check_fits(index, needed);
  if (dtype == kString) {
    read_strings(api(), output.produced.get(), element_count(output.shape), output.strings);
    if (output.caller.bound && needed > 0) std::memcpy(output.caller.data, output.strings.texts.data(), needed);
  } else if (output.caller.bound && needed > 0) {
    void* data = nullptr;
    check(api(), api()->GetTensorMutableData(output.produced.get(), &data), "reading an output");
    std::memcpy(output.caller.data, data, needed);
  }
}

axle_tensor_t OrtContext::output(uint32_t index) {
  if (index >= outputs_.size()) throw kit::invalid_argument("there is no output " + std::to_string(index));
  if (!ran_) throw kit::failed_precondition("there is no output: nothing ran, or the last run failed");
  Output& output = outputs_[index];
  const std::vector<int64_t>& shape = output.direct() ? output.caller.shape : output.shape;
  axle_tensor_t tensor{};
  tensor.struct_size = sizeof(tensor);
  tensor.dtype = session_->io().outputs[index].dtype;
  tensor.rank = static_cast<int32_t>(shape.size());
  tensor.shape = shape.data();
  tensor.size_bytes = static_cast<size_t>(kit::dense_size_bytes(tensor.dtype, shape));
  if (output.caller.bound) {
    tensor.data = output.caller.data;
  } else if (tensor.dtype == kString) {
    tensor.data = output.strings.texts.data();
  } else {
    check(api(), api()->GetTensorMutableData(output.produced.get(), &tensor.data), "reading an output");
  }
  return tensor;
}

}  // namespace axle::ort
