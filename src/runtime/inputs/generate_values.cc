#include "runtime/inputs/generate_values.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "tensor/convert.h"

namespace axle {
namespace {

using Kind = InputDemand::Kind;

// One element after the other, in order.
class Numbers {
 public:
  Numbers(const InputDemand& demand, std::mt19937_64& random) : demand_(demand), random_(random) {}

  // Whether elements are whole numbers although their type need not be.
  bool whole() const { return demand_.kind != Kind::kNone && demand_.kind != Kind::kReal; }

  int64_t next_whole() {
    const size_t element = next_++;
    if (demand_.kind == Kind::kGiven && !demand_.values.empty())
      return demand_.values[std::min(element, demand_.values.size() - 1)];
    if (demand_.kind == Kind::kIndices && !demand_.columns.empty()) {
      const IndexColumn& column = demand_.columns[element % demand_.columns.size()];
      return static_cast<int64_t>(element / demand_.columns.size()) / std::max<int64_t>(column.divide, 1) %
             std::max<int64_t>(column.modulo, 1);
    }
    const bool none = demand_.kind == Kind::kNone;
    const auto low = none ? 0 : whole_number(std::ceil(demand_.low));
    const auto high = none ? 1 : std::max(low, whole_number(std::floor(demand_.high)));
    const auto width = static_cast<uint64_t>(high - low) + 1;
    return low + static_cast<int64_t>(random_() % width);
  }

  float next_real() {
    if (whole()) return static_cast<float>(next_whole());
    // 24 random bits give every float in [-1, 1) on a grid of 2^-23.
    const float unit = static_cast<float>(random_() >> 40) * 0x1.0p-23F - 1;
    if (demand_.kind == Kind::kNone) return unit;
    return static_cast<float>(demand_.low + (demand_.high - demand_.low) * (static_cast<double>(unit) + 1) / 2);
  }

 private:
  // Far enough, and a range of two of them has a width.
  static int64_t whole_number(double value) { return static_cast<int64_t>(std::clamp(value, -0x1p62, 0x1p62)); }

  const InputDemand& demand_;
  std::mt19937_64& random_;
  size_t next_ = 0;
};

template <typename T>
void fill_whole(Tensor& tensor, Numbers& numbers) {
  using Limits = std::numeric_limits<T>;
  for (T& element : tensor.mutable_as<T>()) {
    const int64_t value = numbers.next_whole();
    if (std::cmp_less(value, Limits::min()))
      element = Limits::min();
    else
      element = std::cmp_greater(value, Limits::max()) ? Limits::max() : static_cast<T>(value);
  }
}

// Up to where a floating type holds every whole number.
double exact_whole(DataType dtype) {
  switch (dtype) {
    case DataType::kFloat16: return 2048;
    case DataType::kBfloat16: return 256;
    case DataType::kFloat8E4M3FN:
    case DataType::kFloat8E4M3FNUZ: return 16;
    case DataType::kFloat8E5M2:
    case DataType::kFloat8E5M2FNUZ: return 8;
    case DataType::kFloat4E2M1: return 4;
    case DataType::kFloat8E8M0: return 2;
    default: return 16777216;
  }
}

// Every finite number of a small floating type with its bits, from the least up. Infinities and NaNs are left out.
Result<std::vector<std::pair<float, uint8_t>>> numbers_of(DataType dtype) {
  std::vector<std::pair<float, uint8_t>> numbers;
  const int count = 1 << data_type_bits(dtype);
  for (int bits = 0; bits < count; ++bits) {
    AXLE_ASSIGN_OR_RETURN(const float value, small_float_to_float(dtype, static_cast<uint8_t>(bits)));
    if (std::isfinite(value)) numbers.emplace_back(value, static_cast<uint8_t>(bits));
  }
  std::ranges::sort(numbers);
  return numbers;
}

uint8_t nearest(const std::vector<std::pair<float, uint8_t>>& numbers, float wanted) {
  auto above = std::ranges::lower_bound(numbers, wanted, {}, &std::pair<float, uint8_t>::first);
  if (above == numbers.end()) return numbers.back().second;
  if (above == numbers.begin()) return above->second;
  const auto before = above - 1;
  return wanted - before->first < above->first - wanted ? before->second : above->second;
}

// Rounded here: convert_floating knows the wider types only.
Result<Tensor> small_floats(DataType dtype, Shape shape, Numbers& numbers) {
  AXLE_ASSIGN_OR_RETURN(const auto known, numbers_of(dtype));
  const bool bytes = data_type_bits(dtype) == 8;
  AXLE_ASSIGN_OR_RETURN(Tensor tensor, Tensor::allocate(bytes ? dtype : DataType::kUint8, std::move(shape)));
  auto* out = static_cast<uint8_t*>(tensor.mutable_data());
  for (size_t i = 0; i < tensor.size_bytes(); ++i) {
    const float value = numbers.next_real();
    // Powers of two only: a size without a sign.
    out[i] = nearest(known, dtype == DataType::kFloat8E8M0 ? std::abs(value) : value);
  }
  return bytes ? std::move(tensor) : pack_from_bytes(tensor, dtype);
}

Result<Tensor> floats(DataType dtype, Shape shape, Numbers& numbers) {
  if (data_type_bits(dtype) <= 8) return small_floats(dtype, std::move(shape), numbers);
  AXLE_ASSIGN_OR_RETURN(Tensor tensor, Tensor::allocate(DataType::kFloat32, std::move(shape)));
  for (float& element : tensor.mutable_as<float>()) element = numbers.next_real();
  return convert_floating(tensor, dtype);
}

// Of 4 and 2 bits.
Result<Tensor> packed(DataType dtype, Shape shape, Numbers& numbers) {
  const int bits = data_type_bits(dtype);
  const bool is_signed = dtype == DataType::kInt4 || dtype == DataType::kInt2;
  const int64_t low = is_signed ? -(int64_t{1} << (bits - 1)) : 0;
  const int64_t high = (int64_t{1} << (is_signed ? bits - 1 : bits)) - 1;
  AXLE_ASSIGN_OR_RETURN(Tensor tensor, Tensor::allocate(DataType::kUint8, std::move(shape)));
  for (uint8_t& element : tensor.mutable_as<uint8_t>())
    element = static_cast<uint8_t>(std::clamp(numbers.next_whole(), low, high));
  return pack_from_bytes(tensor, dtype);
}

// A demand that this type can meet: a byte's whole range is not to become its ends.
InputDemand fitted(DataType dtype, InputDemand demand) {
  if (is_floating(dtype)) {
    demand.high = std::min(demand.high, exact_whole(dtype));
    return demand;
  }
  const int bits = data_type_bits(dtype);
  if (demand.kind != Kind::kWhole || bits > 8 || dtype == DataType::kBool) return demand;
  const bool is_signed = dtype == DataType::kInt8 || dtype == DataType::kInt4 || dtype == DataType::kInt2;
  const double low = is_signed ? -std::exp2(bits - 1) : 0;
  const double high = is_signed ? std::exp2(bits - 1) - 1 : std::exp2(bits) - 1;
  demand.low = std::clamp(demand.low, low, high);
  demand.high = std::clamp(demand.high, low, high);
  return demand;
}

// A declared size may be anything; while values are made, each takes so much beside what else the machine holds.
Status check_size(DataType dtype, const Shape& shape) {
  constexpr int64_t kLargestElement = 8;  // of numbers; those of less than a byte are made as bytes
  const int64_t each = dtype == DataType::kString ? static_cast<int64_t>(sizeof(std::string)) : kLargestElement;
  const int64_t pages = ::sysconf(_SC_PHYS_PAGES), page = ::sysconf(_SC_PAGESIZE);
  AXLE_ASSIGN_OR_RETURN(const int64_t count, element_count(shape));
  if (pages <= 0 || page <= 0 || count <= pages * page / each) return ok_status();
  return resource_exhausted_error("this machine has no memory for " + std::to_string(count) + " elements " +
                                  format_shape(shape));
}

}  // namespace

Result<Tensor> generate_values(DataType dtype, Shape shape, const InputDemand& demand, std::mt19937_64& random) {
  AXLE_RETURN_IF_ERROR(check_size(dtype, shape));
  if (dtype == DataType::kString) {
    AXLE_ASSIGN_OR_RETURN(Tensor strings, Tensor::allocate(dtype, std::move(shape)));
    for (std::string& text : strings.mutable_as<std::string>()) text = "axle";
    return strings;
  }
  const InputDemand own = fitted(dtype, demand);
  Numbers numbers(own, random);
  if (is_floating(dtype)) return floats(dtype, std::move(shape), numbers);
  if (data_type_bits(dtype) > 0 && data_type_bits(dtype) < 8) return packed(dtype, std::move(shape), numbers);
  AXLE_ASSIGN_OR_RETURN(Tensor tensor, Tensor::allocate(dtype, std::move(shape)));
  switch (dtype) {
    case DataType::kBool:
      for (uint8_t& element : tensor.mutable_as<uint8_t>()) element = !numbers.whole() || numbers.next_whole() != 0 ? 1 : 0;
      break;
    case DataType::kInt8: fill_whole<int8_t>(tensor, numbers); break;
    case DataType::kUint8: fill_whole<uint8_t>(tensor, numbers); break;
    case DataType::kInt16: fill_whole<int16_t>(tensor, numbers); break;
    case DataType::kUint16: fill_whole<uint16_t>(tensor, numbers); break;
    case DataType::kInt32: fill_whole<int32_t>(tensor, numbers); break;
    case DataType::kUint32: fill_whole<uint32_t>(tensor, numbers); break;
    case DataType::kInt64: fill_whole<int64_t>(tensor, numbers); break;
    case DataType::kUint64: fill_whole<uint64_t>(tensor, numbers); break;
    default:
      return unimplemented_error("values of type " + std::string(data_type_name(dtype)) + " are not generated")
          .with_hint("give real inputs: --inputs FILE.npz");
  }
  return tensor;
}

}  // namespace axle
