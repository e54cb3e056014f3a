// Functions of a vendor's library: an artefact is loaded once, and each run is one call or a few.
#include <fmt/core.h>

#include <bit>
#include <cstring>
#include <mutex>

#include "base/text.h"
#include "runtime_adapter.h"
#include "step_runner.h"
#include "vendor_function.h"

namespace axle::described {
namespace {

class LibraryRuntimeAdapter final : public BinaryRuntimeAdapter {
 public:
  static Result<std::unique_ptr<BinaryRuntimeAdapter>> open(RuntimeLoad load) {
    std::unique_ptr<LibraryRuntimeAdapter> adapter(new LibraryRuntimeAdapter(std::move(load)));
    AXLE_RETURN_IF_ERROR(adapter->find_functions());
    AXLE_RETURN_IF_ERROR(adapter->load_artefact());
    return std::unique_ptr<BinaryRuntimeAdapter>(std::move(adapter));
  }

  ~LibraryRuntimeAdapter() override {
    if (!loaded_) return;
    CallValues values(variables_);
    values.handle = handle_;
    for (const VendorFunction& function : functions_.at("unload")) (void)function.call(values);
  }

  Status run(std::span<const RunTensor> inputs, std::span<const RunTensor> outputs, const kit::Cancel& cancel) override {
    if (cancel.cancelled()) return cancelled_error("cancelled by the caller");
    CallValues values(variables_);
    values.handle = handle_;
    // What the vendor writes becomes the caller's only when it says that all went well.
    std::vector<std::vector<std::byte>> made;
    for (const RunTensor& input : inputs) {
      values.inputs.push_back(input.data);
      values.input_sizes.push_back(input.size_bytes);
      if (takes_shapes_) AXLE_RETURN_IF_ERROR(add_shape(input, values.input_shapes));
    }
    for (const RunTensor& output : outputs) {
      values.outputs.push_back(made.emplace_back(output.size_bytes).data());
      values.output_sizes.push_back(output.size_bytes);
      if (takes_shapes_) AXLE_RETURN_IF_ERROR(add_shape(output, values.output_shapes));
    }
    const std::lock_guard lock(mutex_);
    const OwnTensors& own = spec_.tensors;
    if (!own.inputs.empty()) AXLE_RETURN_IF_ERROR(give_inputs(inputs, values));
    AXLE_RETURN_IF_ERROR(call_all("run", values));
    if (!own.outputs.empty()) AXLE_RETURN_IF_ERROR(take_outputs(values, made));
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (!made[i].empty()) std::memcpy(outputs[i].data, made[i].data(), made[i].size());
    }
    return ok_status();
  }

 private:
  explicit LibraryRuntimeAdapter(RuntimeLoad load) : load_(std::move(load)), spec_(load_.description->runtime) {
    for (const Signature& call : spec_.functions.at("run")) {
      for (const std::string& argument : call.arguments)
        takes_shapes_ = takes_shapes_ || argument == "input_shapes" || argument == "output_shapes";
    }
  }

  Status add_shape(const RunTensor& tensor, std::vector<VendorShape>& shapes) const {
    auto shape = vendor_shape(sizes_of(*tensor.spec), spec_.least_rank);
    if (!shape) return std::move(shape).error().with_context(fmt::format("'{}'", tensor.spec->name));
    shapes.push_back(*shape);
    return ok_status();
  }

  Result<VendorFunction> find_function(const Signature& signature) const {
    const std::string& tool = signature.library.empty() ? spec_.library : signature.library;
    AXLE_ASSIGN_OR_RETURN(const std::string path, expand("${tool." + tool + "}", load_.values));
    AXLE_ASSIGN_OR_RETURN(const DynamicLibrary library, DynamicLibrary::open(path));
    return VendorFunction::find(library, signature);
  }

  Status find_functions() {
    for (const auto& [name, calls] : spec_.functions) {
      for (const Signature& call : calls) {
        AXLE_ASSIGN_OR_RETURN(const VendorFunction function, find_function(call));
        functions_[name].push_back(function);
      }
    }
    for (const auto& [name, signature] : {std::pair{"data", &spec_.tensors.data}, std::pair{"size", &spec_.tensors.size}}) {
      if (signature->symbol.empty()) continue;
      AXLE_ASSIGN_OR_RETURN(const VendorFunction function, find_function(*signature));
      functions_[name].push_back(function);
    }
    return ok_status();
  }

  Status load_artefact() {
    const std::string path = load_.artefact + "/" + spec_.file;
    CallValues values(variables_);
    values.path = path.c_str();
    AXLE_RETURN_IF_ERROR(call_all("load", values));
    handle_ = values.handle;
    if (handle_ == nullptr) return failure(functions_.at("load").back().signature(), 0);
    loaded_ = true;
    return ok_status();
  }

  // Up to the first that fails.
  Status call_all(std::string_view verb, CallValues& values) {
    for (const VendorFunction& function : functions_.find(verb)->second) {
      AXLE_ASSIGN_OR_RETURN(const Outcome outcome, function.call(values));
      const Signature& signature = function.signature();
      if (verb == "load" && signature.returns == "handle") handle_ = values.handle = outcome.pointer;
      if (!is_success(signature, outcome)) return failure(signature, outcome.number);
    }
    return ok_status();
  }

  bool is_success(const Signature& signature, const Outcome& outcome) const {
    if (signature.returns == "handle") return outcome.pointer != nullptr;
    if (signature.returns == "status") return outcome.number == spec_.success_value;
    return signature.returns != "bool" || outcome.number != 0;
  }

  // Where the data of the runtime's own tensor `index` is; it must have exactly the model's bytes.
  Result<void*> own_data(const std::string& first, size_t index, size_t size_bytes, CallValues& values) {
    auto* const base = std::bit_cast<std::byte*>(variables_[first]);
    if (base == nullptr) return unknown_error(fmt::format("the runtime gave no tensors ({})", first));
    values.tensor = base + index * spec_.tensors.stride;
    AXLE_ASSIGN_OR_RETURN(const Outcome data, functions_.at("data").front().call(values));
    if (data.pointer == nullptr) return failure(spec_.tensors.data, 0);
    AXLE_ASSIGN_OR_RETURN(const Outcome size, functions_.at("size").front().call(values));
    if (static_cast<uint64_t>(size.number) != size_bytes) {
      return failed_precondition_error(fmt::format("tensor {} of the runtime ({}) has {} bytes; the model's has {}", index,
                                                   first, size.number, size_bytes))
          .with_hint("the artefact takes or gives another type or shape than the model says");
    }
    return data.pointer;
  }

  Status check_count(const std::string& variable, size_t count) {
    if (variable.empty() || static_cast<uint32_t>(variables_[variable]) == count) return ok_status();
    return failed_precondition_error(fmt::format("the runtime has {} tensors ({}); the model has {}",
                                                 static_cast<uint32_t>(variables_[variable]), variable, count));
  }

  Status give_inputs(std::span<const RunTensor> inputs, CallValues& values) {
    AXLE_RETURN_IF_ERROR(check_count(spec_.tensors.input_count, inputs.size()));
    AXLE_RETURN_IF_ERROR(check_count(spec_.tensors.output_count, values.outputs.size()));
    for (size_t i = 0; i < inputs.size(); ++i) {
      AXLE_ASSIGN_OR_RETURN(void* const to, own_data(spec_.tensors.inputs, i, inputs[i].size_bytes, values));
      if (inputs[i].size_bytes > 0) std::memcpy(to, inputs[i].data, inputs[i].size_bytes);
    }
    return ok_status();
  }

  Status take_outputs(CallValues& values, std::vector<std::vector<std::byte>>& made) {
    for (size_t i = 0; i < made.size(); ++i) {
      AXLE_ASSIGN_OR_RETURN(void* const from, own_data(spec_.tensors.outputs, i, made[i].size(), values));
      if (!made[i].empty()) std::memcpy(made[i].data(), from, made[i].size());
    }
    return ok_status();
  }

  // The vendor's own words, and the code that the failure table gives them.
  Status failure(const Signature& signature, int64_t number);

  RuntimeLoad load_;
  const RuntimeSpec& spec_;
  std::map<std::string, std::vector<VendorFunction>, std::less<>> functions_;
  std::mutex mutex_;  // whether a vendor's functions may be called from several threads is not known
  Variables variables_;
  void* handle_ = nullptr;
  bool loaded_ = false;
  bool takes_shapes_ = false;
};

Status LibraryRuntimeAdapter::failure(const Signature& signature, int64_t number) {
  std::string words = "no more is known";
  if (const auto found = functions_.find("last_error"); found != functions_.end()) {
    CallValues values(variables_);
    values.handle = handle_;
    const auto said = found->second.front().call(values);
    if (said.ok() && said->pointer != nullptr) words = printable(static_cast<const char*>(said->pointer), 1000);
  }
  const std::string text = fmt::format("{} failed with {}: {}", signature.symbol, number, words);
  const FailureRule* rule = find_failure(load_.description->failures, text, static_cast<int>(number), 0);
  if (rule == nullptr) return unknown_error(text).with_vendor_code(number);
  Status status = Status(rule->code, rule->text.empty() ? text : text + ": " + rule->text).with_vendor_code(number);
  return rule->hint.empty() ? status : std::move(status).with_hint(rule->hint);
}

}  // namespace

Result<std::unique_ptr<BinaryRuntimeAdapter>> load_library_runtime(RuntimeLoad load) {
  return LibraryRuntimeAdapter::open(std::move(load));
}

}  // namespace axle::described
