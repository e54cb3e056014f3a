#include "context.h"

#include <algorithm>
#include <chrono>
#include <cstring>

namespace axle::openvino {
namespace {

// So many bytes tell numbers from a mark.
constexpr size_t kMarkBytes = 64;

// A place for tensors without elements, whose data may be null.
alignas(64) char empty_place[64];

ov_element_type_e to_vendor_type(int32_t dtype) {
  switch (dtype) {
    case 1: return F32;
    case 2: return U8;
    case 3: return I8;
    case 4: return U16;
    case 5: return I16;
    case 6: return I32;
    case 7: return I64;
    case 9: return OV_BOOLEAN;
    case 10: return F16;
    case 11: return F64;
    case 12: return U32;
    case 13: return U64;
    case 16: return BF16;
    case 17: return F8E4M3;
    case 19: return F8E5M3;
    case 21: return U4;
    case 22: return I4;
    case 23: return F4E2M1;
    case 24: return F8E8M0;
    case 25: return U2;
    default:
      throw kit::unimplemented("element type " + std::string(kit::data_type_name(dtype)) + " cannot be passed to OpenVINO");
  }
}

// The library reported success and computed nothing.
struct NothingWritten : kit::Error {
  explicit NothingWritten(const std::string& what)
      : kit::Error(kit::Error(AXLE_UNKNOWN, "OpenVINO reported success and " + what)
                       .hint("the inputs may be too small for this model: give larger ones, or use another engine")) {}
};

bool is_static(const kit::IoSpec& spec) {
  return spec.rank_known && std::ranges::all_of(spec.shape, [](const kit::Dim& dim) { return dim.size >= 0; });
}

}  // namespace

bool OpenVinoContext::Bound::same_as(const axle_tensor_t& tensor) const noexcept {
  return bound && data == tensor.data && size_bytes == tensor.size_bytes &&
         std::ranges::equal(bound_shape, kit::shape_of(tensor));
}

void OpenVinoContext::Bound::take(const axle_tensor_t& tensor) {
  const auto given = kit::shape_of(tensor);
  bound_shape.assign(given.begin(), given.end());
  data = tensor.data;
  size_bytes = tensor.size_bytes;
  bound = true;
}

OpenVinoContext::Bound OpenVinoContext::empty() const {
  return {false, false, {}, nullptr, 0, Tensor(nullptr, api().ov_tensor_free), Tensor(nullptr, api().ov_tensor_free),
          {},    {},    0};
}

OpenVinoContext::OpenVinoContext(std::shared_ptr<Program> program, bool profiling)
    : program_(std::move(program)), profiling_(profiling), request_(nullptr, api().ov_infer_request_free) {
  for (size_t i = 0; i < program_->io().inputs.size(); ++i) inputs_.push_back(empty());
  for (size_t i = 0; i < program_->io().outputs.size(); ++i) outputs_.push_back(empty());
  for (size_t i = 0; i < outputs_.size(); ++i) {
    const kit::IoSpec& spec = program_->io().outputs[i];
    if (is_static(spec) && program_->open_inside()) {
      std::vector<int64_t> sizes;
      for (const kit::Dim& dim : spec.shape) sizes.push_back(dim.size);
      outputs_[i].mark_bytes = std::min(kMarkBytes, static_cast<size_t>(kit::dense_size_bytes(spec.dtype, sizes)));
      marks_ |= outputs_[i].mark_bytes > 0;
    }
    if (!spec.rank_known || is_static(spec)) continue;
    for (const kit::Dim& dim : spec.shape) outputs_[i].vacant.push_back(std::max<int64_t>(dim.size, 0));
  }
  make_request();
}

// With what is bound. A request of a program that failed is not freed: see Program::replace.
void OpenVinoContext::make_request() {
  const uint64_t generation = program_->generation();
  compiled_ = program_->compiled();
  auto request = make<ov_infer_request_t>(
      api(), api().ov_infer_request_free, "making a request",
      [&](ov_infer_request_t** out) { return api().ov_compiled_model_create_infer_request(compiled_->model.get(), out); });
  (void)request_.release();
  request_ = std::move(request);
  for (size_t i = 0; i < inputs_.size(); ++i) {
    if (inputs_[i].bound) set(compiled_->inputs[i], inputs_[i].wrapped.get(), program_->io().inputs[i]);
  }
  for (size_t i = 0; i < outputs_.size(); ++i) {
    outputs_[i].own = make<ov_tensor_t>(api(), api().ov_tensor_free, "reading an output", [&](ov_tensor_t** out) {
      return api().ov_infer_request_get_tensor_by_const_port(request_.get(), compiled_->outputs[i].get(), out);
    });
    if (outputs_[i].direct) set(compiled_->outputs[i], outputs_[i].wrapped.get(), program_->io().outputs[i]);
  }
  generation_ = generation;
}

OpenVinoContext::Tensor OpenVinoContext::wrap(const kit::IoSpec& spec, const axle_tensor_t& tensor) const {
  if (tensor.memory_space == 3) throw kit::unimplemented("tensor '" + spec.name + "' is in device memory; bind host memory");
  const ov_element_type_e type = to_vendor_type(spec.dtype);
  const bool no_bytes = kit::dense_size_bytes(spec.dtype, kit::shape_of(tensor)) == 0;
  int64_t none = 0;
  const ov_shape_t shape{tensor.rank, tensor.rank == 0 ? &none : const_cast<int64_t*>(tensor.shape)};
  return make<ov_tensor_t>(api(), api().ov_tensor_free, "binding '" + spec.name + "'", [&](ov_tensor_t** out) {
    return api().ov_tensor_create_from_host_ptr(type, shape, no_bytes ? empty_place : tensor.data, out);
  });
}

void OpenVinoContext::set(const Port& port, const ov_tensor_t* tensor, const kit::IoSpec& spec) {
  if (!port) return;  // an input that nothing reads
  check(api(), api().ov_infer_request_set_tensor_by_const_port(request_.get(), port.get(), tensor),
        "binding '" + spec.name + "'");
}

void OpenVinoContext::bind_input(uint32_t index, const axle_tensor_t* tensor) {
  if (index >= inputs_.size()) throw kit::invalid_argument("there is no input " + std::to_string(index));
  const kit::IoSpec& spec = program_->io().inputs[index];
  Bound& input = inputs_[index];
  if (tensor == nullptr) {
    input.bound = false;
    return;
  }
  kit::check_tensor(spec, *tensor);
  if (input.same_as(*tensor)) return;
  Tensor wrapped = wrap(spec, *tensor);
  set(compiled_->inputs[index], wrapped.get(), spec);
  other_shapes_ |= !std::ranges::equal(input.bound_shape, kit::shape_of(*tensor));
  input.wrapped = std::move(wrapped);
  input.take(*tensor);
}

void OpenVinoContext::use_own(uint32_t index) {
  set(compiled_->outputs[index], outputs_[index].own.get(), program_->io().outputs[index]);
  outputs_[index].direct = false;
}

void OpenVinoContext::bind_output(uint32_t index, const axle_tensor_t* tensor) {
  if (index >= outputs_.size()) throw kit::invalid_argument("there is no output " + std::to_string(index));
  const kit::IoSpec& spec = program_->io().outputs[index];
  Bound& output = outputs_[index];
  if (tensor == nullptr) {
    if (output.direct) use_own(index);
    output.bound = false;
    return;
  }
  kit::check_tensor(spec, *tensor);
  if (output.same_as(*tensor)) return;
  // Into memory whose size may not fit the library would write a tensor of its own without a word, so those are copied.
  const bool direct = is_static(spec);
  Tensor wrapped = wrap(spec, *tensor);
  if (direct) {
    set(compiled_->outputs[index], wrapped.get(), spec);
    output.wrapped = std::move(wrapped);
  }
  output.take(*tensor);
  output.direct = direct;
}

// The library leaves an output as it is where a node before it was given too few elements: the last run's numbers would be this one's.
// Needed only after other shapes: it costs a microsecond for each output.
void OpenVinoContext::vacate() {
  for (size_t i = 0; i < outputs_.size(); ++i) {
    std::vector<int64_t>& vacant = outputs_[i].vacant;
    if (vacant.empty()) continue;
    check(api(), api().ov_tensor_set_shape(outputs_[i].own.get(), {static_cast<int64_t>(vacant.size()), vacant.data()}),
          "emptying '" + program_->io().outputs[i].name + "'");
  }
}

void OpenVinoContext::refuse_reductions_of_nothing() const {
  const std::vector<kit::IoSpec>& inputs = program_->io().inputs;
  for (const OpenReduction& one : program_->reductions()) {
    for (size_t i = 0; i < inputs.size(); ++i) {
      const auto& bound = inputs_[i].bound_shape;
      for (size_t axis = 0; axis < inputs[i].shape.size() && axis < bound.size(); ++axis) {
        if (bound[axis] != 0 || inputs[i].shape[axis].symbol != one.symbol) continue;
        throw kit::unimplemented("node '" + one.node + "' (" + one.op + ") would reduce nothing, since '" + one.symbol +
                                 "' of input '" + inputs[i].name + "' is 0: OpenVINO would give something else than ONNX says")
            .hint("give at least one element, or use another engine for empty inputs");
      }
    }
  }
}

ov_status_e OpenVinoContext::infer(const kit::RunArgs& args) {
  if (!args.cancel.possible()) return api().ov_infer_request_infer(request_.get());
  args.cancel.check();
  // Only a run that the vendor's own thread executes can be stopped.
  ov_status_e status = api().ov_infer_request_start_async(request_.get());
  if (status != OK) return status;
  constexpr int64_t kPeriodMs = 1;
  do {
    if (args.cancel.cancelled()) api().ov_infer_request_cancel(request_.get());
    status = api().ov_infer_request_wait_for(request_.get(), kPeriodMs);
  } while (status == RESULT_NOT_READY);
  if (status != OK && args.cancel.cancelled()) throw kit::Error(AXLE_CANCELLED, "the run was cancelled by the caller");
  return status;
}

void* OpenVinoContext::place_of(const Bound& output) const {
  if (output.mark_bytes == 0) return nullptr;
  void* place = output.direct ? output.data : nullptr;
  if (place == nullptr && api().ov_tensor_data(output.own.get(), &place) != OK) return nullptr;
  const auto* from = static_cast<const char*>(place);
  // An input that the output is to replace is needed as it is.
  const bool shared = std::ranges::any_of(inputs_, [&](const Bound& input) {
    const auto* data = static_cast<const char*>(input.data);
    return from < data + input.size_bytes && data < from + output.mark_bytes;
  });
  return shared ? nullptr : place;
}

void OpenVinoContext::mark(unsigned char pattern) {
  for (const Bound& output : outputs_) {
    if (void* place = place_of(output); place != nullptr) std::memset(place, pattern, output.mark_bytes);
  }
}

size_t OpenVinoContext::first_left(unsigned char pattern) const {
  unsigned char marked[kMarkBytes];
  std::memset(marked, pattern, sizeof(marked));
  for (size_t i = 0; i < outputs_.size(); ++i) {
    const void* place = place_of(outputs_[i]);
    if (place != nullptr && std::memcmp(place, marked, outputs_[i].mark_bytes) == 0) return i;
  }
  return outputs_.size();
}

// Where a node inside was given too few elements for what it does, the library leaves what hangs on it as it was and reports success. An output
// of fixed shape cannot be emptied before a run, as those of open shapes are.
ov_status_e OpenVinoContext::infer_marked(const kit::RunArgs& args) {
  constexpr unsigned char kFirst = 0xa5, kSecond = 0x5a;
  mark(kFirst);
  ov_status_e status = infer(args);
  if (status != OK || first_left(kFirst) == outputs_.size()) return status;
  mark(kSecond);  // numbers may look like one mark
  status = infer(args);
  const size_t left = status == OK ? first_left(kSecond) : outputs_.size();
  if (left == outputs_.size()) return status;
  throw NothingWritten("did not write output '" + program_->io().outputs[left].name + "'");
}

std::vector<std::vector<int64_t>> OpenVinoContext::input_shapes() const {
  std::vector<std::vector<int64_t>> shapes;
  for (const Bound& input : inputs_) shapes.push_back(input.bound_shape);
  return shapes;
}

void OpenVinoContext::run_once(const kit::RunArgs& args) {
  if (generation_ != program_->generation()) make_request();
  if (other_shapes_) {
    refuse_reductions_of_nothing();
    vacate();
  }
  if (const ov_status_e status = marks_ ? infer_marked(args) : infer(args); status != OK) {
    program_->fail(compiled_);
    check(api(), status, "OpenVINO failed to run the model");
  }
  for (uint32_t i = 0; i < outputs_.size(); ++i) collect(i);
  for (size_t i = 0; i < outputs_.size(); ++i) {
    if (std::ranges::find(outputs_[i].shape, 0) != outputs_[i].shape.end())
      check_emptiness(program_->io().outputs[i], outputs_[i].shape);
  }
}

void OpenVinoContext::run_on_another(const kit::RunArgs& args, bool same_as_good) {
  try {
    run_once(args);
  } catch (const NothingWritten&) {
    (void)program_->skipped(compiled_, input_shapes(), same_as_good);
    throw;
  }
}

void OpenVinoContext::run(const kit::RunArgs& args) {
  for (size_t i = 0; i < inputs_.size(); ++i) {
    if (!inputs_[i].bound) throw kit::failed_precondition("not bound: input '" + program_->io().inputs[i].name + "'");
  }
  const bool profiled = profiling_ && args.profile.on();
  ran_ = false;  // what cannot be collected is not stated as an output
  const auto start = profiled ? std::chrono::steady_clock::now().time_since_epoch() : std::chrono::steady_clock::duration(0);
  try {
    run_once(args);
  } catch (const NothingWritten&) {
    const bool same_as_good = !other_shapes_;
    other_shapes_ = true;
    if (!program_->skipped(compiled_, input_shapes(), same_as_good)) throw;
    run_on_another(args, same_as_good);
  }
  other_shapes_ = false;
  program_->runs().fetch_add(1, std::memory_order_relaxed);
  ran_ = true;
  if (profiled) report_profile(args.profile, std::chrono::duration_cast<std::chrono::nanoseconds>(start).count());
}

void OpenVinoContext::collect(uint32_t index) {
  Bound& output = outputs_[index];
  const kit::IoSpec& spec = program_->io().outputs[index];
  if (output.direct) {
    if (output.shape.size() != output.bound_shape.size()) output.shape = output.bound_shape;
    return;
  }
  ov_tensor_t* tensor = output.own.get();
  ov_shape_t shape{};
  const ov_status_e status = api().ov_tensor_get_shape(tensor, &shape);
  if (status == INVALID_C_PARAM) {
    output.shape.clear();  // the C API cannot describe a scalar
  } else {
    check(api(), status, "reading the shape of '" + spec.name + "'");
    output.shape.assign(shape.dims, shape.dims + shape.rank);
    api().ov_shape_free(&shape);
  }
  if (!output.bound) return;
  const size_t needed = static_cast<size_t>(kit::dense_size_bytes(spec.dtype, output.shape));
  if (output.size_bytes < needed) {
    throw kit::out_of_range("output '" + spec.name + "' needs " + std::to_string(needed) + " bytes, " +
                            std::to_string(output.size_bytes) + " are bound")
        .required_bytes(needed);
  }
  void* data = nullptr;
  if (needed == 0) return;
  check(api(), api().ov_tensor_data(tensor, &data), "reading '" + spec.name + "'");
  std::memcpy(output.data, data, needed);
}

// Where a node is given too few elements for what it does (a convolution wider than its input), the library's first run skips what
// hangs on it and reports success. What finds nothing, NonZero or NonMaxSuppression, is empty by right: its axis is no input's.
void OpenVinoContext::check_emptiness(const kit::IoSpec& spec, const std::vector<int64_t>& shape) const {
  const kit::Io& io = program_->io();
  const auto says = [&](const kit::Dim& dim) -> int64_t {
    if (dim.size >= 0 || dim.symbol.empty()) return dim.size;
    for (size_t i = 0; i < io.inputs.size(); ++i) {
      for (size_t axis = 0; axis < io.inputs[i].shape.size() && axis < inputs_[i].bound_shape.size(); ++axis) {
        if (io.inputs[i].shape[axis].symbol == dim.symbol) return inputs_[i].bound_shape[axis];
      }
    }
    return -1;
  };
  for (size_t axis = 0; axis < shape.size() && axis < spec.shape.size(); ++axis) {
    const int64_t wanted = says(spec.shape[axis]);
    if (shape[axis] != 0 || wanted <= 0) continue;
    throw NothingWritten("left output '" + spec.name + "' empty: its axis " + std::to_string(axis) + " is " +
                         std::to_string(wanted) + " by the model");
  }
}

axle_tensor_t OpenVinoContext::output(uint32_t index) {
  if (index >= outputs_.size()) throw kit::invalid_argument("there is no output " + std::to_string(index));
  if (!ran_) throw kit::failed_precondition("there is no output: nothing ran, or the last run failed");
  const Bound& output = outputs_[index];
  const kit::IoSpec& spec = program_->io().outputs[index];
  axle_tensor_t tensor{};
  tensor.struct_size = sizeof(tensor);
  tensor.dtype = spec.dtype;
  tensor.rank = static_cast<int32_t>(output.shape.size());
  tensor.shape = output.shape.data();
  tensor.size_bytes = static_cast<size_t>(kit::dense_size_bytes(tensor.dtype, output.shape));
  tensor.data = output.bound ? output.data : empty_place;
  if (!output.bound && tensor.size_bytes > 0)
    check(api(), api().ov_tensor_data(output.own.get(), &tensor.data), "reading '" + spec.name + "'");
  return tensor;
}

void OpenVinoContext::report_profile(const kit::Profile& profile, int64_t start_ns) {
  ov_profiling_info_list_t list{};
  check(api(), api().ov_infer_request_get_profiling_info(request_.get(), &list), "reading the node times");
  for (size_t i = 0; i < list.size; ++i) {
    const ov_profiling_info_t& node = list.profiling_infos[i];
    if (node.status != ov_profiling_info_t::EXECUTED) continue;
    // The library gives durations only; nodes are laid out one after the other.
    const int64_t duration_ns = node.real_time * 1000;
    profile.event(node.node_name == nullptr ? "" : node.node_name, "kernel", start_ns, duration_ns);
    start_ns += duration_ns;
  }
  api().ov_profiling_info_list_free(&list);
}

}  // namespace axle::openvino
