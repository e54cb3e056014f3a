// The one error type of axle: Status says what failed, on what, and what to do; Result<T> is a value or a Status.
// Codes have the canonical names and numbers that Abseil, PJRT and IREE share.
// Both are values: copying is cheap, an OK status holds no memory, and const access is thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "axle/export.h"

namespace axle {

enum class StatusCode : int32_t {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,            // an engine's own failure that has no better code
  kInvalidArgument = 3,    // bad model, policy or tensor
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,  // the policy cannot be satisfied here; nothing was substituted
  kAborted = 10,            // drift from a lock
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,           // a bug in axle
  kUnavailable = 14,        // an engine or its library is missing or broken
  kDataLoss = 15,
  kUnauthenticated = 16,
};

// The families of seed 003; a property of a Status, set where the failure happens.
enum class ErrorFamily : int32_t { kNone = 0, kCompilation = 1, kRuntime = 2, kPerformance = 3 };

// "INVALID_ARGUMENT" and so on; never null.
AXLE_API std::string_view status_code_name(StatusCode code) noexcept;
// Inverse of status_code_name; nullopt for an unknown name.
AXLE_API std::optional<StatusCode> parse_status_code(std::string_view name) noexcept;
// "none", "compilation", "runtime", "performance".
AXLE_API std::string_view error_family_name(ErrorFamily family) noexcept;
// Process exit code of the command line for this status (see docs/formats/exit-codes.md).
AXLE_API int exit_code_for(StatusCode code) noexcept;
// HTTP status for this code.
AXLE_API int http_status_for(StatusCode code) noexcept;

class [[nodiscard]] AXLE_API Status {
 public:
  // OK.
  Status() noexcept = default;
  // A failure. `code` must not be kOk; an OK code with a message is turned into kInternal.
  Status(StatusCode code, std::string message);

  bool ok() const noexcept { return rep_ == nullptr; }
  explicit operator bool() const noexcept { return ok(); }
  StatusCode code() const noexcept;
  // What failed and on what; empty when OK. Valid as long as this object lives unchanged.
  const std::string& message() const noexcept;
  // What the user can do next; may be empty.
  const std::string& hint() const noexcept;
  ErrorFamily family() const noexcept;
  // The vendor library's own error number, 0 if none.
  int64_t vendor_code() const noexcept;
  // Machine-readable additions in the order they were added.
  const std::vector<std::pair<std::string, std::string>>& details() const noexcept;

  // Each returns the changed status; no effect on OK.
  Status with_hint(std::string hint) &&;
  Status with_family(ErrorFamily family) &&;
  Status with_vendor_code(int64_t code) &&;
  Status with_detail(std::string key, std::string value) &&;
  // Puts "context: " before the message: one layer adds it once.
  Status with_context(std::string_view context) &&;

  // "INVALID_ARGUMENT: message (hint)" or "OK".
  std::string to_string() const;

  friend bool operator==(const Status& a, const Status& b) noexcept {
    return a.code() == b.code() && a.message() == b.message();
  }

 private:
  struct Rep;
  Rep* edit();
  std::shared_ptr<const Rep> rep_;
};

inline Status ok_status() noexcept { return Status(); }
AXLE_API Status cancelled_error(std::string message);
AXLE_API Status unknown_error(std::string message);
AXLE_API Status invalid_argument_error(std::string message);
AXLE_API Status deadline_exceeded_error(std::string message);
AXLE_API Status not_found_error(std::string message);
AXLE_API Status already_exists_error(std::string message);
AXLE_API Status permission_denied_error(std::string message);
AXLE_API Status resource_exhausted_error(std::string message);
AXLE_API Status failed_precondition_error(std::string message);
AXLE_API Status aborted_error(std::string message);
AXLE_API Status out_of_range_error(std::string message);
AXLE_API Status unimplemented_error(std::string message);
AXLE_API Status internal_error(std::string message);
AXLE_API Status unavailable_error(std::string message);
AXLE_API Status data_loss_error(std::string message);

namespace detail {
[[noreturn]] AXLE_API void fail_result_access(const Status& status) noexcept;
}

// A T or a failure, with the member names of std::expected<T, Status>.
template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  using error_type = Status;

  Result(T held) : value_(std::move(held)) {}  // NOLINT(google-explicit-constructor)
  // `status` must be a failure; an OK status is turned into kInternal.
  Result(Status status)  // NOLINT(google-explicit-constructor)
      : error_(status.ok() ? internal_error("a Result was made from an OK status") : std::move(status)) {}

  bool has_value() const noexcept { return value_.has_value(); }
  explicit operator bool() const noexcept { return has_value(); }
  bool ok() const noexcept { return has_value(); }

  // Each aborts the process with the error's text when there is no value (programmer error).
  T& value() & { return check(), *value_; }
  const T& value() const& { return check(), *value_; }
  T&& value() && { return check(), std::move(*value_); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  template <typename U>
  T value_or(U&& fallback) const& {
    return has_value() ? *value_ : static_cast<T>(std::forward<U>(fallback));
  }
  template <typename U>
  T value_or(U&& fallback) && {
    return has_value() ? std::move(*value_) : static_cast<T>(std::forward<U>(fallback));
  }

  // OK when there is a value.
  const Status& error() const& noexcept { return error_; }
  Status&& error() && noexcept { return std::move(error_); }
  const Status& status() const& noexcept { return error_; }
  Status&& status() && noexcept { return std::move(error_); }

  template <typename F>
  auto and_then(F&& f) && -> std::invoke_result_t<F, T&&> {
    if (!has_value()) return std::move(error_);
    return std::forward<F>(f)(std::move(*value_));
  }
  template <typename F>
  auto transform(F&& f) && -> Result<std::invoke_result_t<F, T&&>> {
    if (!has_value()) return std::move(error_);
    return std::forward<F>(f)(std::move(*value_));
  }

 private:
  void check() const {
    if (!value_.has_value()) detail::fail_result_access(error_);
  }
  std::optional<T> value_;
  Status error_;
};

#define AXLE_CONCAT_INNER(a, b) a##b
#define AXLE_CONCAT(a, b) AXLE_CONCAT_INNER(a, b)

// Returns the failure of `expr` (Status or Result) from the calling function.
#define AXLE_RETURN_IF_ERROR(expr)                                                                    \
  do {                                                                                                \
    if (auto axle_status_ = ::axle::detail::to_status(expr); !axle_status_.ok()) return axle_status_; \
  } while (false)

// Declares or assigns `lhs` from the Result `expr`, or returns its failure.
#define AXLE_ASSIGN_OR_RETURN(lhs, expr) AXLE_ASSIGN_OR_RETURN_INNER(AXLE_CONCAT(axle_result_, __LINE__), lhs, expr)
#define AXLE_ASSIGN_OR_RETURN_INNER(result, lhs, expr)       \
  auto result = (expr);                                      \
  if (!result.has_value()) return std::move(result).error(); \
  lhs = std::move(result).value()

namespace detail {
inline Status to_status(Status status) { return status; }
template <typename T>
Status to_status(Result<T> result) {
  return std::move(result).status();
}
}  // namespace detail

}  // namespace axle
