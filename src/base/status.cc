#include "axle/status.h"

#include <array>
#include <cstdio>
#include <cstdlib>

namespace axle {
namespace {

struct CodeRow {
  StatusCode code;
  std::string_view name;
  int exit_code;
  int http_status;
};

// One table maps codes to names, exit codes and HTTP; the Python one stands in python/.
constexpr std::array<CodeRow, 17> kCodes = {{
    {StatusCode::kOk, "OK", 0, 200},
    {StatusCode::kCancelled, "CANCELLED", 8, 499},
    {StatusCode::kUnknown, "UNKNOWN", 6, 500},
    {StatusCode::kInvalidArgument, "INVALID_ARGUMENT", 3, 400},
    {StatusCode::kDeadlineExceeded, "DEADLINE_EXCEEDED", 7, 504},
    {StatusCode::kNotFound, "NOT_FOUND", 3, 404},
    {StatusCode::kAlreadyExists, "ALREADY_EXISTS", 3, 409},
    {StatusCode::kPermissionDenied, "PERMISSION_DENIED", 3, 403},
    {StatusCode::kResourceExhausted, "RESOURCE_EXHAUSTED", 7, 429},
    {StatusCode::kFailedPrecondition, "FAILED_PRECONDITION", 4, 422},
    {StatusCode::kAborted, "ABORTED", 5, 409},
    {StatusCode::kOutOfRange, "OUT_OF_RANGE", 3, 400},
    {StatusCode::kUnimplemented, "UNIMPLEMENTED", 4, 501},
    {StatusCode::kInternal, "INTERNAL", 70, 500},
    {StatusCode::kUnavailable, "UNAVAILABLE", 6, 503},
    {StatusCode::kDataLoss, "DATA_LOSS", 3, 422},
    {StatusCode::kUnauthenticated, "UNAUTHENTICATED", 3, 401},
}};

const CodeRow& row_of(StatusCode code) noexcept {
  const auto index = static_cast<size_t>(code);
  return kCodes[index < kCodes.size() ? index : static_cast<size_t>(StatusCode::kUnknown)];
}

const std::string& empty_text() noexcept {
  static const std::string empty;
  return empty;
}

}  // namespace

struct Status::Rep {
  StatusCode code = StatusCode::kInternal;
  ErrorFamily family = ErrorFamily::kNone;
  int64_t vendor_code = 0;
  std::string message;
  std::string hint;
  std::vector<std::pair<std::string, std::string>> details;
};

std::string_view status_code_name(StatusCode code) noexcept { return row_of(code).name; }

std::optional<StatusCode> parse_status_code(std::string_view name) noexcept {
  for (const CodeRow& row : kCodes) {
    if (row.name == name) return row.code;
  }
  return std::nullopt;
}

std::string_view error_family_name(ErrorFamily family) noexcept {
  switch (family) {
    case ErrorFamily::kCompilation: return "compilation";
    case ErrorFamily::kRuntime: return "runtime";
    case ErrorFamily::kPerformance: return "performance";
    case ErrorFamily::kNone: break;
  }
  return "none";
}

int exit_code_for(StatusCode code) noexcept { return row_of(code).exit_code; }
int http_status_for(StatusCode code) noexcept { return row_of(code).http_status; }

Status::Status(StatusCode code, std::string message) {
  auto rep = std::make_shared<Rep>();
  rep->code = code == StatusCode::kOk ? StatusCode::kInternal : code;
  rep->message = std::move(message);
  rep_ = std::move(rep);
}

StatusCode Status::code() const noexcept { return rep_ ? rep_->code : StatusCode::kOk; }
const std::string& Status::message() const noexcept { return rep_ ? rep_->message : empty_text(); }
const std::string& Status::hint() const noexcept { return rep_ ? rep_->hint : empty_text(); }
ErrorFamily Status::family() const noexcept { return rep_ ? rep_->family : ErrorFamily::kNone; }
int64_t Status::vendor_code() const noexcept { return rep_ ? rep_->vendor_code : 0; }

const std::vector<std::pair<std::string, std::string>>& Status::details() const noexcept {
  static const std::vector<std::pair<std::string, std::string>> none;
  return rep_ ? rep_->details : none;
}

Status::Rep* Status::edit() {
  if (!rep_) return nullptr;
  auto copy = std::make_shared<Rep>(*rep_);
  Rep* raw = copy.get();
  rep_ = std::move(copy);
  return raw;
}

Status Status::with_hint(std::string hint) && {
  if (Rep* rep = edit()) rep->hint = std::move(hint);
  return std::move(*this);
}

Status Status::with_family(ErrorFamily family) && {
  if (Rep* rep = edit()) rep->family = family;
  return std::move(*this);
}

Status Status::with_vendor_code(int64_t code) && {
  if (Rep* rep = edit()) rep->vendor_code = code;
  return std::move(*this);
}

Status Status::with_detail(std::string key, std::string value) && {
  if (Rep* rep = edit()) rep->details.emplace_back(std::move(key), std::move(value));
  return std::move(*this);
}

Status Status::with_context(std::string_view context) && {
  if (Rep* rep = edit()) rep->message = std::string(context) + ": " + rep->message;
  return std::move(*this);
}

std::string Status::to_string() const {
  if (ok()) return "OK";
  std::string text = std::string(status_code_name(code())) + ": " + message();
  if (!hint().empty()) text += " (" + hint() + ")";
  return text;
}

Status cancelled_error(std::string message) { return {StatusCode::kCancelled, std::move(message)}; }
Status unknown_error(std::string message) { return {StatusCode::kUnknown, std::move(message)}; }
Status invalid_argument_error(std::string message) { return {StatusCode::kInvalidArgument, std::move(message)}; }
Status deadline_exceeded_error(std::string message) { return {StatusCode::kDeadlineExceeded, std::move(message)}; }
Status not_found_error(std::string message) { return {StatusCode::kNotFound, std::move(message)}; }
Status already_exists_error(std::string message) { return {StatusCode::kAlreadyExists, std::move(message)}; }
Status permission_denied_error(std::string message) { return {StatusCode::kPermissionDenied, std::move(message)}; }
Status resource_exhausted_error(std::string message) { return {StatusCode::kResourceExhausted, std::move(message)}; }
Status failed_precondition_error(std::string message) { return {StatusCode::kFailedPrecondition, std::move(message)}; }
Status aborted_error(std::string message) { return {StatusCode::kAborted, std::move(message)}; }
Status out_of_range_error(std::string message) { return {StatusCode::kOutOfRange, std::move(message)}; }
Status unimplemented_error(std::string message) { return {StatusCode::kUnimplemented, std::move(message)}; }
Status internal_error(std::string message) { return {StatusCode::kInternal, std::move(message)}; }
Status unavailable_error(std::string message) { return {StatusCode::kUnavailable, std::move(message)}; }
Status data_loss_error(std::string message) { return {StatusCode::kDataLoss, std::move(message)}; }

namespace detail {
void fail_result_access(const Status& status) noexcept {
  std::fprintf(stderr, "axle: value() of a failed Result: %s\n", status.to_string().c_str());
  std::abort();
}
}  // namespace detail

}  // namespace axle
