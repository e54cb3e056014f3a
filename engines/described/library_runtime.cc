// Functions of a vendor's library, called as the description says, through libffi.
#include <dlfcn.h>
#include <ffi.h>
#include <fmt/core.h>

#include <array>
#include <cstring>
#include <mutex>

#include "base/dynamic_library.h"
#include "base/text.h"
#include "runtime_adapter.h"
#include "step_runner.h"

namespace axle::described {
namespace {

// What one call needs; every word of a signature finds its value here.
struct CallValues {
  void* handle = nullptr;
  const char* path = nullptr;
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
  std::vector<size_t> input_sizes, output_sizes;
};

struct Outcome {
  void* pointer = nullptr;  // handle, text
  int64_t number = 0;       // status, bool
};

// Room for one argument of any type.
union Slot {
  void* pointer;
  int32_t i32;
  uint32_t u32;
  int64_t i64;
  uint64_t u64;
};

ffi_type* number_type(std::string_view type, int64_t value, Slot& slot) {
  if (type == "i32") return slot.i32 = static_cast<int32_t>(value), &ffi_type_sint32;
  if (type == "u32") return slot.u32 = static_cast<uint32_t>(value), &ffi_type_uint32;
  if (type == "i64") return slot.i64 = value, &ffi_type_sint64;
  return slot.u64 = static_cast<uint64_t>(value), &ffi_type_uint64;
}

class VendorFunction {
 public:
  static Result<VendorFunction> find(const DynamicLibrary& library, const Signature& signature) {
    AXLE_ASSIGN_OR_RETURN(void* const address, library.symbol(signature.symbol.c_str()));
    return VendorFunction(address, signature);
  }

  // `values.handle` is written when the signature has handle_out.
  Result<Outcome> call(CallValues& values) const {
    const size_t count = signature_->arguments.size();
    std::vector<Slot> slots(count);
    std::vector<ffi_type*> types(count);
    std::vector<void*> pointers(count);
    for (size_t i = 0; i < count; ++i) {
      types[i] = fill(signature_->arguments[i], values, slots[i]);
      pointers[i] = &slots[i];
    }
    const std::string& returns = signature_->returns;
    ffi_type* const result_type = returns == "void"     ? &ffi_type_void
                                  : returns == "status" ? &ffi_type_sint32
                                  : returns == "bool"   ? &ffi_type_uint8
                                                        : &ffi_type_pointer;
    ffi_cif cif{};
    if (ffi_prep_cif(&cif, FFI_DEFAULT_ABI, static_cast<unsigned>(count), result_type, types.data()) != FFI_OK)
      return internal_error(fmt::format("cannot call {}", signature_->symbol));
    // libffi widens small integers to a register.
    union {
      ffi_arg integer;
      ffi_sarg number;
      void* pointer;
    } result{};
    ffi_call(&cif, reinterpret_cast<void (*)()>(address_), &result, pointers.data());
    if (returns == "status") return Outcome{nullptr, static_cast<int32_t>(result.number)};
    if (returns == "bool") return Outcome{nullptr, static_cast<uint8_t>(result.integer) != 0 ? 1 : 0};
    return Outcome{result.pointer, 0};
  }
  const Signature& signature() const noexcept { return *signature_; }

 private:
  VendorFunction(void* address, const Signature& signature) : address_(address), signature_(&signature) {}

  static ffi_type* fill(std::string_view argument, CallValues& values, Slot& slot) {
    const size_t colon = argument.find(':');
    const std::string_view word = argument.substr(0, colon);
    const std::string_view type = colon == std::string_view::npos ? std::string_view() : argument.substr(colon + 1);
    if (word == "input_count") return number_type(type, static_cast<int64_t>(values.inputs.size()), slot);
    if (word == "output_count") return number_type(type, static_cast<int64_t>(values.outputs.size()), slot);
    if (word == "handle")
      slot.pointer = values.handle;
    else if (word == "handle_out")
      slot.pointer = &values.handle;
    else if (word == "path")
      slot.pointer = const_cast<char*>(values.path);
    else if (word == "inputs")
      slot.pointer = values.inputs.data();
    else if (word == "outputs")
      slot.pointer = values.outputs.data();
    else if (word == "input_sizes")
      slot.pointer = values.input_sizes.data();
    else if (word == "output_sizes")
      slot.pointer = values.output_sizes.data();
    else
      return number_type(type.empty() ? "i32" : type, std::strtoll(std::string(word).c_str(), nullptr, 10), slot);
    return &ffi_type_pointer;
  }

  void* address_;
  const Signature* signature_;  // the description's, which outlives it
};

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
    CallValues values;
    values.handle = handle_;
    (void)functions_.at("unload").call(values);
  }

  Status run(std::span<const RunTensor> inputs, std::span<const RunTensor> outputs, const kit::Cancel& cancel) override {
    if (cancel.cancelled()) return cancelled_error("cancelled by the caller");
    CallValues values;
    values.handle = handle_;
    // What the vendor writes becomes the caller's only when it says that all went well.
    std::vector<std::vector<std::byte>> made;
    for (const RunTensor& input : inputs) {
      values.inputs.push_back(input.data);
      values.input_sizes.push_back(input.size_bytes);
    }
    for (const RunTensor& output : outputs) {
      values.outputs.push_back(made.emplace_back(output.size_bytes).data());
      values.output_sizes.push_back(output.size_bytes);
    }
    const std::lock_guard lock(mutex_);
    const VendorFunction& function = functions_.at("run");
    AXLE_ASSIGN_OR_RETURN(const Outcome outcome, function.call(values));
    AXLE_RETURN_IF_ERROR(judge(function.signature(), outcome, "run"));
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (!made[i].empty()) std::memcpy(outputs[i].data, made[i].data(), made[i].size());
    }
    return ok_status();
  }

 private:
  explicit LibraryRuntimeAdapter(RuntimeLoad load) : load_(std::move(load)), spec_(load_.description->runtime) {}

  Status find_functions() {
    AXLE_ASSIGN_OR_RETURN(const std::string path, expand("${tool." + spec_.library + "}", load_.values));
    AXLE_ASSIGN_OR_RETURN(const DynamicLibrary library, DynamicLibrary::open(path));
    for (const auto& [name, signature] : spec_.functions) {
      AXLE_ASSIGN_OR_RETURN(VendorFunction function, VendorFunction::find(library, signature));
      functions_.emplace(name, std::move(function));
    }
    return ok_status();
  }

  Status load_artefact() {
    const std::string path = load_.artefact + "/" + spec_.file;
    CallValues values;
    values.path = path.c_str();
    const VendorFunction& function = functions_.at("load");
    AXLE_ASSIGN_OR_RETURN(const Outcome outcome, function.call(values));
    handle_ = function.signature().returns == "handle" ? outcome.pointer : values.handle;
    AXLE_RETURN_IF_ERROR(judge(function.signature(), outcome, "load"));
    if (handle_ == nullptr) return failure("load", 0);
    loaded_ = true;
    return ok_status();
  }

  Status judge(const Signature& signature, const Outcome& outcome, const char* verb) {
    if (signature.returns == "handle" && outcome.pointer != nullptr) return ok_status();
    if (signature.returns == "status" && outcome.number == spec_.success_value) return ok_status();
    if (signature.returns == "bool" && outcome.number != 0) return ok_status();
    return failure(verb, outcome.number);
  }

  // The vendor's own words, and the code that the failure table gives them.
  Status failure(const char* verb, int64_t number);

  RuntimeLoad load_;
  const RuntimeSpec& spec_;
  std::map<std::string, VendorFunction, std::less<>> functions_;
  std::mutex mutex_;  // whether a vendor's functions may be called from several threads is not known
  void* handle_ = nullptr;
  bool loaded_ = false;
};

Status LibraryRuntimeAdapter::failure(const char* verb, int64_t number) {
  std::string words = "no more is known";
  if (const auto found = functions_.find("last_error"); found != functions_.end()) {
    CallValues values;
    values.handle = handle_;
    const auto said = found->second.call(values);
    if (said.ok() && said->pointer != nullptr) words = printable(static_cast<const char*>(said->pointer), 1000);
  }
  const std::string text = fmt::format("{} ({}) failed with {}: {}", spec_.functions.at(verb).symbol, verb, number, words);
  const FailureRule* rule = find_failure(load_.description->failures, words, static_cast<int>(number), 0);
  if (rule == nullptr) return unknown_error(text).with_vendor_code(number);
  Status status = Status(rule->code, rule->text.empty() ? text : text + ": " + rule->text).with_vendor_code(number);
  return rule->hint.empty() ? status : std::move(status).with_hint(rule->hint);
}

}  // namespace

Result<std::unique_ptr<BinaryRuntimeAdapter>> load_library_runtime(RuntimeLoad load) {
  return LibraryRuntimeAdapter::open(std::move(load));
}

}  // namespace axle::described
