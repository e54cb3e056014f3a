#include "engine/executable.h"

#include <fmt/core.h>

#include "engine/engine.h"
#include "spec/engine_answers.h"

namespace axle {
namespace {

axle_tensor_t to_abi_tensor(const Tensor& tensor) noexcept {
  axle_tensor_t out{};
  out.struct_size = sizeof(out);
  out.dtype = static_cast<int32_t>(tensor.dtype());
  out.rank = static_cast<int32_t>(tensor.shape().size());
  out.shape = tensor.shape().data();
  out.data = const_cast<void*>(tensor.data());
  out.size_bytes = tensor.size_bytes();
  out.memory_space = static_cast<int32_t>(tensor.memory_space());
  return out;
}

// Dense bytes of an output as the engine states it; nullopt when the statement makes no sense.
std::optional<size_t> stated_bytes(const axle_tensor_t& tensor) noexcept {
  if (tensor.rank < 0 || tensor.rank > 64 || (tensor.rank > 0 && tensor.shape == nullptr)) return std::nullopt;
  if (tensor.dtype <= 0 || tensor.dtype >= kDataTypeCount) return std::nullopt;
  uint64_t count = 1;
  for (int32_t i = 0; i < tensor.rank; ++i) {
    if (tensor.shape[i] < 0 || __builtin_mul_overflow(count, static_cast<uint64_t>(tensor.shape[i]), &count))
      return std::nullopt;
  }
  const auto type = static_cast<DataType>(tensor.dtype);
  const uint64_t bits = type == DataType::kString ? sizeof(axle_text_t) * 8 : static_cast<uint64_t>(data_type_bits(type));
  uint64_t total = 0;
  if (__builtin_mul_overflow(count, bits, &total)) return std::nullopt;
  return static_cast<size_t>((total + 7) / 8);
}

struct AsyncRun {
  const Plugin* plugin;
  std::string name;
  std::function<void(Status)> done;
  CancelHandle cancel;
  axle_run_args_t args;
};

void async_done(void* user, axle_error_t* error) {
  const std::unique_ptr<AsyncRun> run(static_cast<AsyncRun*>(user));
  run->done(run->plugin->take_error(error, run->name));
}

}  // namespace

Context::Context(std::shared_ptr<const Executable> executable, axle_context_t* context)
    : executable_(std::move(executable)), context_(context), run_(executable_->plugin_->api().run),
      texts_(executable_->io_.inputs.size()) {}

Context::Context(Context&& other) noexcept
    : executable_(std::move(other.executable_)), context_(std::exchange(other.context_, nullptr)), run_(other.run_),
      guard_(other.guard_), texts_(std::move(other.texts_)) {}

Context::~Context() {
  if (context_ != nullptr && !guard_.in_forked_child()) executable_->plugin_->api().context_destroy(context_);
}

Status Context::forked() const { return guard_.check("session"); }

Status Context::run_failed(axle_error_t* error, const CancelToken* cancel) const {
  Status status = executable_->plugin_->take_error(error, fmt::format("running on {}", executable_->name_));
  // An engine cannot tell a deadline from a request to stop.
  if (status.code() == StatusCode::kCancelled && cancel != nullptr && !cancel->check().ok()) status = cancel->check();
  return std::move(status).with_family(ErrorFamily::kRuntime);
}

Status Context::bind_input(size_t index, const axle_tensor_t& tensor) {
  if (guard_.in_forked_child()) return forked();
  const Plugin& plugin = *executable_->plugin_;
  axle_error_t* const error = plugin.api().bind_input(context_, static_cast<uint32_t>(index), &tensor);
  return error == nullptr ? Status()
                          : plugin.take_error(error, fmt::format("binding input {} of {}", index, executable_->name_));
}

Status Context::bind_input(size_t index, const Tensor& tensor) {
  axle_tensor_t abi = to_abi_tensor(tensor);
  if (tensor.dtype() == DataType::kString) {
    if (index >= texts_.size()) return invalid_argument_error(fmt::format("there is no input {}", index));
    std::vector<axle_text_t>& texts = texts_[index];
    texts.clear();
    for (const std::string& text : tensor.strings()) texts.push_back({text.data(), text.size()});
    abi.data = texts.data();
    abi.size_bytes = texts.size() * sizeof(axle_text_t);
  }
  return bind_input(index, abi);
}

Status Context::unbind_input(size_t index) {
  const Plugin& plugin = *executable_->plugin_;
  return plugin.take_error(plugin.api().bind_input(context_, static_cast<uint32_t>(index), nullptr), "unbinding an input");
}

Status Context::bind_output(size_t index, const axle_tensor_t& tensor) {
  if (guard_.in_forked_child()) return forked();
  const Plugin& plugin = *executable_->plugin_;
  axle_error_t* const error = plugin.api().bind_output(context_, static_cast<uint32_t>(index), &tensor);
  return error == nullptr ? Status()
                          : plugin.take_error(error, fmt::format("binding output {} of {}", index, executable_->name_));
}

Status Context::bind_output(size_t index, Tensor& tensor) {
  if (tensor.dtype() == DataType::kString)
    return failed_precondition_error("string outputs cannot be bound: the engine allocates them");
  if (tensor.read_only()) return invalid_argument_error(fmt::format("output {} is bound to read-only memory", index));
  return bind_output(index, to_abi_tensor(tensor));
}

Status Context::unbind_output(size_t index) {
  const Plugin& plugin = *executable_->plugin_;
  return plugin.take_error(plugin.api().bind_output(context_, static_cast<uint32_t>(index), nullptr), "unbinding an output");
}

bool Context::runs_async() const noexcept { return executable_->plugin_->api().run_async != nullptr; }

Status Context::run_async(const CancelToken& cancel, std::function<void(Status)> done) {
  if (!runs_async()) return unimplemented_error(fmt::format("{} has no asynchronous run", executable_->name_));
  if (guard_.in_forked_child()) return forked();
  const Plugin& plugin = *executable_->plugin_;
  auto run = std::make_unique<AsyncRun>();
  run->plugin = &plugin;
  run->name = fmt::format("running on {}", executable_->name_);
  run->done = std::move(done);
  run->cancel = {&cancel};
  run->args = {sizeof(axle_run_args_t), run->cancel.abi(), nullptr};
  axle_error_t* const error = plugin.api().run_async(context_, &run->args, &async_done, run.get());
  if (error != nullptr) return plugin.take_error(error, run->name);
  (void)run.release();  // async_done's
  return ok_status();
}

Result<OutputView> Context::output(size_t index) {
  if (guard_.in_forked_child()) return forked();
  const Plugin& plugin = *executable_->plugin_;
  axle_tensor_t tensor{};
  tensor.struct_size = sizeof(tensor);
  if (axle_error_t* const error = plugin.api().output(context_, static_cast<uint32_t>(index), &tensor)) {
    return plugin.take_error(error, fmt::format("output {} of {}", index, executable_->name_));
  }
  const auto bytes = stated_bytes(tensor);
  if (!bytes || tensor.size_bytes < *bytes || (*bytes > 0 && tensor.data == nullptr)) {
    return internal_error(
        fmt::format("output {} of {}: the engine states a tensor that makes no sense", index, executable_->name_));
  }
  OutputView view;
  view.dtype = static_cast<DataType>(tensor.dtype);
  view.shape = {tensor.shape, static_cast<size_t>(tensor.rank)};
  view.data = tensor.data;
  view.size_bytes = *bytes;
  view.memory_space =
      tensor.memory_space >= 0 && tensor.memory_space <= 3 ? static_cast<MemorySpace>(tensor.memory_space) : MemorySpace::kHost;
  return view;
}

Executable::~Executable() {
  if (handle_ != nullptr && !guard_.in_forked_child()) plugin_->api().unload(handle_);
}

const EngineInfo& Executable::engine_info() const noexcept { return engine_->info(); }

Result<Context> Executable::make_context() const {
  AXLE_RETURN_IF_ERROR(guard_.check("session"));
  axle_context_t* context = nullptr;
  AXLE_RETURN_IF_ERROR(
      plugin_->take_error(plugin_->api().context_create(handle_, &context), fmt::format("making a context of {}", name_)));
  if (context == nullptr) return internal_error(fmt::format("{} made no context and gave no reason", name_));
  return Context(shared_from_this(), context);
}

Result<std::map<std::string, double>> Executable::counters() const {
  auto counters = engine_counters();
  if (plugin_->remote() == nullptr) return counters;
  // What is known here does not need the process to live.
  std::map<std::string, double> all = counters.ok() ? *std::move(counters) : std::map<std::string, double>();
  plugin_->remote()->amend(all);
  return all;
}

std::map<std::string, double> Executable::process_counters() const {
  std::map<std::string, double> all;
  if (plugin_->remote() != nullptr) plugin_->remote()->amend(all);
  return all;
}

Result<std::map<std::string, double>> Executable::engine_counters() const {
  if (plugin_->api().counters == nullptr) return std::map<std::string, double>();
  axle_buffer_t buffer{};
  const std::string context = fmt::format("counters of {}", name_);
  AXLE_RETURN_IF_ERROR(plugin_->take_error(plugin_->api().counters(handle_, &buffer), context));
  AXLE_ASSIGN_OR_RETURN(const std::string document, plugin_->take_document(buffer, context));
  return parse_counters(document);
}

}  // namespace axle
