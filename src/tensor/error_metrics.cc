#include "tensor/error_metrics.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "tensor/convert.h"

namespace axle {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr size_t kBlock = 1024;

OutputError worst(std::string reason) {
  OutputError error;
  error.max_relative = kInfinity;
  error.relative_l2 = kInfinity;
  error.cosine = -1;
  error.top1_agreement = 0;
  error.reason = std::move(reason);
  return error;
}

OutputError not_comparable(std::string reason) {
  OutputError error = worst(std::move(reason));
  error.comparable = false;
  return error;
}

// Sums over all elements, in one pass.
class Distance {
 public:
  void add(double got, double reference) {
    if (!same_special(got, reference)) {
      if (!different_at_) different_at_ = count_;
    } else if (std::isfinite(reference)) {
      const double difference = got - reference;
      largest_difference_ = std::max(largest_difference_, std::abs(difference));
      largest_reference_ = std::max(largest_reference_, std::abs(reference));
      difference_squares_ += difference * difference;
      reference_squares_ += reference * reference;
      got_squares_ += got * got;
      product_ += got * reference;
    }
    ++count_;
  }

  OutputError error() const {
    if (different_at_) return worst(fmt::format("NaN or infinity differs at element {}", *different_at_));
    OutputError result;
    result.max_relative = ratio(largest_difference_, largest_reference_);
    result.relative_l2 = ratio(std::sqrt(difference_squares_), std::sqrt(reference_squares_));
    const double lengths = std::sqrt(got_squares_) * std::sqrt(reference_squares_);
    // A zero vector has no direction: equal ones agree, else nothing is known to.
    result.cosine = lengths > 0 ? std::clamp(product_ / lengths, -1.0, 1.0) : (difference_squares_ > 0 ? 0.0 : 1.0);
    if (std::isnan(result.cosine)) result.cosine = -1;  // sums beyond the range of double
    return result;
  }

 private:
  // Both finite, both NaN, or the same infinity.
  static bool same_special(double got, double reference) {
    if (std::isfinite(got) && std::isfinite(reference)) return true;
    return (std::isnan(got) && std::isnan(reference)) || got == reference;
  }
  static double ratio(double part, double whole) {
    if (part == 0) return 0;
    const double quotient = part / whole;
    return std::isnan(quotient) ? kInfinity : quotient;
  }

  int64_t count_ = 0;
  std::optional<int64_t> different_at_;
  double largest_difference_ = 0;
  double largest_reference_ = 0;
  double difference_squares_ = 0;
  double reference_squares_ = 0;
  double got_squares_ = 0;
  double product_ = 0;
};

// Rows of the last axis whose largest element (the first of equal ones) stands at the same place.
class Top1 {
 public:
  explicit Top1(int64_t row_size) : row_size_(row_size) {}
  void add(double got, double reference) {
    if (column_ == 0 || got > best_got_) best_got_ = got, got_at_ = column_;
    if (column_ == 0 || reference > best_reference_) best_reference_ = reference, reference_at_ = column_;
    if (++column_ < row_size_) return;
    agreeing_ += got_at_ == reference_at_ ? 1 : 0;
    ++rows_;
    column_ = 0;
  }
  double agreement() const { return rows_ == 0 ? 1 : static_cast<double>(agreeing_) / static_cast<double>(rows_); }

 private:
  int64_t row_size_;
  int64_t column_ = 0, got_at_ = 0, reference_at_ = 0, agreeing_ = 0, rows_ = 0;
  double best_got_ = 0, best_reference_ = 0;
};

Result<OutputError> compare_floating(const Tensor& got, const Tensor& reference) {
  std::array<double, kBlock> a, b;
  Distance distance;
  Top1 top1(reference.shape().empty() ? 1 : reference.shape().back());
  for (int64_t first = 0; first < reference.element_count(); first += std::ssize(a)) {
    const auto count = static_cast<size_t>(std::min(std::ssize(a), reference.element_count() - first));
    AXLE_RETURN_IF_ERROR(read_as_doubles(got, first, std::span(a).first(count)));
    AXLE_RETURN_IF_ERROR(read_as_doubles(reference, first, std::span(b).first(count)));
    for (size_t i = 0; i < count; ++i) {
      distance.add(a[i], b[i]);
      top1.add(a[i], b[i]);
    }
  }
  OutputError error = distance.error();
  error.top1_agreement = top1.agreement();
  return error;
}

// Real and imaginary parts as two numbers.
Result<OutputError> compare_complex(const Tensor& got, const Tensor& reference) {
  const DataType part = reference.dtype() == DataType::kComplex64 ? DataType::kFloat32 : DataType::kFloat64;
  const auto parts_of = [&](const Tensor& tensor) {
    return Tensor::borrow_const(part, {tensor.element_count(), 2}, tensor.data(), tensor.size_bytes(), tensor.owner());
  };
  AXLE_ASSIGN_OR_RETURN(const Tensor a, parts_of(got));
  AXLE_ASSIGN_OR_RETURN(const Tensor b, parts_of(reference));
  AXLE_ASSIGN_OR_RETURN(OutputError error, compare_floating(a, b));
  error.top1_agreement = 1;  // complex numbers have no order
  return error;
}

OutputError from_mismatches(int64_t mismatches, const char* what) {
  OutputError error;
  if (mismatches > 0) error = worst(fmt::format("{} {} differ", mismatches, what));
  error.mismatches = mismatches;
  return error;
}

OutputError compare_strings(const Tensor& got, const Tensor& reference) {
  int64_t mismatches = 0;
  for (size_t i = 0; i < reference.strings().size(); ++i) mismatches += got.strings()[i] != reference.strings()[i];
  return from_mismatches(mismatches, "strings");
}

Result<OutputError> compare_integers(const Tensor& got, const Tensor& reference) {
  const int bits = data_type_bits(reference.dtype());
  if (bits < 8) {
    AXLE_ASSIGN_OR_RETURN(const Tensor a, unpack_to_bytes(got));
    AXLE_ASSIGN_OR_RETURN(const Tensor b, unpack_to_bytes(reference));
    return compare_integers(a, b);
  }
  const auto size = static_cast<size_t>(bits / 8);
  int64_t mismatches = 0;
  for (size_t at = 0; at < reference.size_bytes(); at += size) {
    mismatches += std::memcmp(got.bytes().data() + at, reference.bytes().data() + at, size) != 0;
  }
  Top1 top1(reference.shape().empty() ? 1 : reference.shape().back());
  std::array<double, kBlock> a, b;
  for (int64_t first = 0; first < reference.element_count(); first += std::ssize(a)) {
    const auto count = static_cast<size_t>(std::min(std::ssize(a), reference.element_count() - first));
    AXLE_RETURN_IF_ERROR(read_as_doubles(got, first, std::span(a).first(count)));
    AXLE_RETURN_IF_ERROR(read_as_doubles(reference, first, std::span(b).first(count)));
    for (size_t i = 0; i < count; ++i) top1.add(a[i], b[i]);
  }
  OutputError error = from_mismatches(mismatches, "integers");
  error.top1_agreement = top1.agreement();
  return error;
}

}  // namespace

Result<OutputError> compare_outputs(const Tensor& got, const Tensor& reference) {
  if (!got.defined() || !reference.defined()) return invalid_argument_error("an undefined tensor cannot be compared");
  const bool both_floating = is_floating(got.dtype()) && is_floating(reference.dtype());
  if (got.dtype() != reference.dtype() && !both_floating) {
    return not_comparable(fmt::format("the element type is {}, the reference has {}", data_type_name(got.dtype()),
                                      data_type_name(reference.dtype())));
  }
  if (got.shape() != reference.shape()) {
    return not_comparable(
        fmt::format("the shape is {}, the reference has {}", format_shape(got.shape()), format_shape(reference.shape())));
  }
  if (both_floating) return compare_floating(got, reference);
  switch (reference.dtype()) {
    case DataType::kComplex64:
    case DataType::kComplex128: return compare_complex(got, reference);
    case DataType::kString: return compare_strings(got, reference);
    default: return compare_integers(got, reference);
  }
}

OutputError worst_of(std::span<const OutputError> errors) {
  OutputError result;
  for (const OutputError& error : errors) {
    result.max_relative = std::max(result.max_relative, error.max_relative);
    result.relative_l2 = std::max(result.relative_l2, error.relative_l2);
    result.cosine = std::min(result.cosine, error.cosine);
    result.top1_agreement = std::min(result.top1_agreement, error.top1_agreement);
    result.mismatches += error.mismatches;
    result.comparable = result.comparable && error.comparable;
    if (result.reason.empty()) result.reason = error.reason;
  }
  return result;
}

}  // namespace axle
