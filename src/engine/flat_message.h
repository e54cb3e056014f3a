// The flat form of the engine ABI: every verb's request and reply is one byte message, every tensor and weight a place in
// shared memory. What axle-worker speaks; the loopback proves that nothing else is needed.
// Layout: little endian, fields in order, 8-byte aligned nowhere. Texts are a u64 length and the bytes. Lists are a u64 count.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "axle/engine_abi.h"
#include "axle/status.h"

namespace axle {

inline constexpr uint32_t kFlatMagic = 0x4d465841;  // "AXFM"
inline constexpr uint32_t kFlatVersion = 1;
inline constexpr size_t kMaxFlatBytes = size_t{1} << 30;

enum class FlatVerb : uint32_t {
  kNone,
  kCreate,
  kDestroy,
  kDescribe,
  kResources,
  kCapability,
  kSupport,
  kCompile,
  kLoad,
  kUnload,
  kIo,
  kContextCreate,
  kContextDestroy,
  kBindInput,
  kBindOutput,
  kRun,
  kRunAsync,
  kCounters,
  kDetach,
  kLog,
  kTrace,
  kProgress,
  kDone,  // from the engine's side
};
inline constexpr uint32_t kFlatVerbCount = 23;

class FlatWriter {
 public:
  // Begins with the header: magic, version, verb.
  explicit FlatWriter(FlatVerb verb) { u32(kFlatMagic).u32(kFlatVersion).u32(static_cast<uint32_t>(verb)); }

  FlatWriter& u32(uint32_t value) { return raw(&value, sizeof(value)); }
  FlatWriter& i32(int32_t value) { return raw(&value, sizeof(value)); }
  FlatWriter& u64(uint64_t value) { return raw(&value, sizeof(value)); }
  FlatWriter& i64(int64_t value) { return raw(&value, sizeof(value)); }
  FlatWriter& text(std::string_view value) { return u64(value.size()).raw(value.data(), value.size()); }
  FlatWriter& text(axle_text_t value) {
    return text(value.data == nullptr ? std::string_view() : std::string_view(value.data, value.size));
  }
  template <typename T>
  FlatWriter& numbers(std::span<const T> values) {
    static_assert(std::is_arithmetic_v<T>);
    return u64(values.size()).raw(values.data(), values.size_bytes());
  }
  FlatWriter& options(const axle_option_t* options, size_t count);

  std::string take() { return std::move(bytes_); }

 private:
  FlatWriter& raw(const void* data, size_t size) {
    if (size > 0) bytes_.append(static_cast<const char*>(data), size);
    return *this;
  }
  std::string bytes_;
};

// Views into the message. The first failure sticks; later reads give zeros and empty views.
class FlatReader {
 public:
  explicit FlatReader(std::string_view message);

  FlatVerb verb() const noexcept { return verb_; }
  uint32_t u32() { return number<uint32_t>(); }
  int32_t i32() { return number<int32_t>(); }
  uint64_t u64() { return number<uint64_t>(); }
  int64_t i64() { return number<int64_t>(); }
  std::string_view text();
  axle_text_t abi_text() {
    const std::string_view value = text();
    return {value.data(), value.size()};
  }
  // Elements of a list whose items take at least `least_bytes` each: bounds the count by what the message can hold.
  size_t count(size_t least_bytes);
  template <typename T>
  std::vector<T> numbers() {
    const size_t size = count(sizeof(T));
    std::vector<T> values(size);
    if (size > 0) std::memcpy(values.data(), take(size * sizeof(T)), size * sizeof(T));
    return values;
  }
  std::vector<axle_option_t> options();

  void fail(const char* what);
  bool ok() const noexcept { return status_.ok(); }
  // INVALID_ARGUMENT: malformed, or bytes left over.
  Status finish();

 private:
  template <typename T>
  T number() {
    T value{};
    if (const char* from = take(sizeof(T))) std::memcpy(&value, from, sizeof(T));
    return value;
  }
  // Null after a failure.
  const char* take(size_t size);

  std::string_view message_;
  size_t at_ = 0;
  FlatVerb verb_ = FlatVerb::kNone;
  Status status_;
};

// A place in shared memory.
struct FlatPlace {
  uint32_t segment = 0;  // 0 = nowhere
  uint64_t offset = 0;
  uint64_t size_bytes = 0;
};

struct FlatTensor {
  int32_t dtype = 0;
  std::vector<int64_t> shape;
  FlatPlace place;
  std::vector<std::string> texts;  // STRING: the elements, inside the message
};

void write_place(FlatWriter& writer, const FlatPlace& place);
FlatPlace read_place(FlatReader& reader);
void write_tensor(FlatWriter& writer, const FlatTensor& tensor);
FlatTensor read_tensor(FlatReader& reader);

// What error_info tells, as a value; code 0 = no error.
struct FlatError {
  int32_t code = 0;
  int64_t vendor_code = 0;
  uint64_t required_bytes = 0;
  std::string message;
  std::string hint;
};
void write_error(FlatWriter& writer, const FlatError& error);
FlatError read_error(FlatReader& reader);

}  // namespace axle
