#include "vendor_function.h"

#include <ffi.h>
#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <cstdlib>

namespace axle::described {
namespace {

// Room for one argument of any type.
union Slot {
  const void* pointer;
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

// "@name", "@name:i32", "@name[0]"
ffi_type* variable_type(std::string_view word, std::string_view type, CallValues& values, Slot& slot) {
  const bool first = word.ends_with("[0]");
  word = word.substr(1, word.size() - (first ? 4 : 1));
  const uint64_t value = values.variables[std::string(word)];
  if (!type.empty()) return number_type(type, static_cast<int64_t>(value), slot);
  void* const pointer = std::bit_cast<void*>(value);
  slot.pointer = first && pointer != nullptr ? *static_cast<void**>(pointer) : pointer;
  return &ffi_type_pointer;
}

const void* pointer_for(std::string_view word, CallValues& values) {
  if (word == "handle") return values.handle;
  if (word == "handle_out") return &values.handle;
  if (word == "tensor") return values.tensor;
  if (word == "path") return values.path;
  if (word == "inputs") return values.inputs.data();
  if (word == "outputs") return values.outputs.data();
  if (word == "input_sizes") return values.input_sizes.data();
  if (word == "output_sizes") return values.output_sizes.data();
  return word == "input_shapes" ? values.input_shapes.data() : values.output_shapes.data();
}

ffi_type* fill(std::string_view argument, CallValues& values, Slot& slot) {
  const size_t colon = argument.find(':');
  const std::string_view word = argument.substr(0, colon);
  const std::string_view type = colon == std::string_view::npos ? std::string_view() : argument.substr(colon + 1);
  if (word == "input_count") return number_type(type, static_cast<int64_t>(values.inputs.size()), slot);
  if (word == "output_count") return number_type(type, static_cast<int64_t>(values.outputs.size()), slot);
  if (word.starts_with('@')) return variable_type(word, type, values, slot);
  if (word.starts_with('&')) {
    slot.pointer = &values.variables[std::string(word.substr(1))];
    return &ffi_type_pointer;
  }
  if (word[0] == '-' || (word[0] >= '0' && word[0] <= '9'))
    return number_type(type.empty() ? "i32" : type, std::strtoll(std::string(word).c_str(), nullptr, 10), slot);
  slot.pointer = pointer_for(word, values);
  return &ffi_type_pointer;
}

ffi_type* result_type(std::string_view returns) {
  if (returns == "void") return &ffi_type_void;
  if (returns == "status") return &ffi_type_sint32;
  if (returns == "bool") return &ffi_type_uint8;
  return returns == "size" ? &ffi_type_uint64 : &ffi_type_pointer;
}

}  // namespace

Result<VendorShape> vendor_shape(std::span<const int64_t> sizes, size_t least_rank) {
  VendorShape shape;
  const size_t rank = std::max(sizes.size(), least_rank);
  const bool fits = rank <= VendorShape::kMostSizes &&
                    std::ranges::all_of(sizes, [](int64_t size) { return size >= 0 && size <= INT32_MAX; });
  if (!fits)
    return unimplemented_error(
        fmt::format("the runtime cannot be told this shape: at most {} sizes of 32 bits", VendorShape::kMostSizes));
  shape.rank = static_cast<int32_t>(rank);
  std::fill_n(shape.sizes.begin(), rank - sizes.size(), 1);
  std::ranges::transform(sizes, shape.sizes.begin() + static_cast<std::ptrdiff_t>(rank - sizes.size()),
                         [](int64_t size) { return static_cast<int32_t>(size); });
  return shape;
}

Result<VendorFunction> VendorFunction::find(const DynamicLibrary& library, const Signature& signature) {
  AXLE_ASSIGN_OR_RETURN(void* const address, library.symbol(signature.symbol.c_str()));
  return VendorFunction(address, signature);
}

Result<Outcome> VendorFunction::call(CallValues& values) const {
  const size_t count = signature_->arguments.size();
  std::vector<Slot> slots(count);
  std::vector<ffi_type*> types(count);
  std::vector<void*> pointers(count);
  for (size_t i = 0; i < count; ++i) {
    types[i] = fill(signature_->arguments[i], values, slots[i]);
    pointers[i] = &slots[i];
  }
  const std::string& returns = signature_->returns;
  ffi_cif cif;  // ffi_prep_cif fills it
  if (ffi_prep_cif(&cif, FFI_DEFAULT_ABI, static_cast<unsigned>(count), result_type(returns), types.data()) != FFI_OK)
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
  if (returns == "size") return Outcome{nullptr, static_cast<int64_t>(result.integer)};
  return Outcome{result.pointer, 0};
}

}  // namespace axle::described
