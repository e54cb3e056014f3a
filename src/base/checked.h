// Integer arithmetic that says when it does not fit: every size computed from outside data goes through here.
#pragma once

#include <concepts>
#include <optional>
#include <utility>

namespace axle {

template <std::integral T>
constexpr std::optional<T> checked_add(T a, T b) noexcept {
  T sum{};
  return __builtin_add_overflow(a, b, &sum) ? std::nullopt : std::optional<T>(sum);
}

template <std::integral T>
constexpr std::optional<T> checked_sub(T a, T b) noexcept {
  T difference{};
  return __builtin_sub_overflow(a, b, &difference) ? std::nullopt : std::optional<T>(difference);
}

template <std::integral T>
constexpr std::optional<T> checked_mul(T a, T b) noexcept {
  T product{};
  return __builtin_mul_overflow(a, b, &product) ? std::nullopt : std::optional<T>(product);
}

// `value` as a To, when To can hold it.
template <std::integral To, std::integral From>
constexpr std::optional<To> checked_narrow(From value) noexcept {
  return std::in_range<To>(value) ? std::optional<To>(static_cast<To>(value)) : std::nullopt;
}

// `value` rounded up to a multiple of `step` (> 0).
template <std::unsigned_integral T>
constexpr std::optional<T> checked_round_up(T value, T step) noexcept {
  const T rest = value % step;
  return rest == 0 ? std::optional<T>(value) : checked_add<T>(value, step - rest);
}

}  // namespace axle
