// One C function of a vendor's library, called as the description says, through libffi.
#pragma once

#include <array>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "axle/status.h"
#include "base/dynamic_library.h"
#include "description.h"

namespace axle::described {

// input_shapes, output_shapes: how vendors hand shapes over that take them.
struct VendorShape {
  static constexpr size_t kMostSizes = 8;
  int32_t rank = 0;
  std::array<int32_t, kMostSizes> sizes{};
};
// With ones before it up to `least_rank`: some runtimes read nothing where there are no sizes. UNIMPLEMENTED: it does not fit.
Result<VendorShape> vendor_shape(std::span<const int64_t> sizes, size_t least_rank);

// What the calls of one artefact keep from one to the next: numbers and pointers, 8 bytes each, zero at first.
using Variables = std::map<std::string, uint64_t, std::less<>>;

// What one call needs; every word of a signature finds its value here.
struct CallValues {
  explicit CallValues(Variables& kept) : variables(kept) {}
  Variables& variables;
  void* handle = nullptr;
  void* tensor = nullptr;  // one of the runtime's own
  const char* path = nullptr;
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
  std::vector<size_t> input_sizes, output_sizes;
  std::vector<VendorShape> input_shapes, output_shapes;
};

struct Outcome {
  void* pointer = nullptr;  // handle, text
  int64_t number = 0;       // status, bool, size
};

class VendorFunction {
 public:
  // UNAVAILABLE when the library has no such function. `signature` must outlive what is returned.
  static Result<VendorFunction> find(const DynamicLibrary& library, const Signature& signature);

  // `values.handle` is written when the signature has handle_out, a variable when it has its address.
  Result<Outcome> call(CallValues& values) const;
  const Signature& signature() const noexcept { return *signature_; }

 private:
  VendorFunction(void* address, const Signature& signature) : address_(address), signature_(&signature) {}
  void* address_;
  const Signature* signature_;
};

}  // namespace axle::described
