#include <utility>

#include "ai_vmm/types.hpp"

namespace ai_vmm {
namespace {

std::string text_of(const axle::Status& status) {
  return status.hint().empty() ? status.message() : status.message() + " (" + status.hint() + ")";
}

axle::ErrorFamily family_of(ErrorCategory category) {
  switch (category) {
    case ErrorCategory::COMPILATION: return axle::ErrorFamily::kCompilation;
    case ErrorCategory::PERFORMANCE: return axle::ErrorFamily::kPerformance;
    case ErrorCategory::RUNTIME: break;
  }
  return axle::ErrorFamily::kRuntime;
}

// Where the failing layer named no family, some codes still say which one it is.
ErrorCategory category_of(const axle::Status& status, ErrorCategory otherwise) {
  switch (status.family()) {
    case axle::ErrorFamily::kCompilation: return ErrorCategory::COMPILATION;
    case axle::ErrorFamily::kRuntime: return ErrorCategory::RUNTIME;
    case axle::ErrorFamily::kPerformance: return ErrorCategory::PERFORMANCE;
    case axle::ErrorFamily::kNone: break;
  }
  switch (status.code()) {
    case axle::StatusCode::kDeadlineExceeded: return ErrorCategory::PERFORMANCE;
    case axle::StatusCode::kResourceExhausted:
    case axle::StatusCode::kCancelled:
    case axle::StatusCode::kUnavailable: return ErrorCategory::RUNTIME;
    default: return otherwise;
  }
}

}  // namespace

const char* error_category_name(ErrorCategory category) noexcept {
  switch (category) {
    case ErrorCategory::COMPILATION: return "compilation";
    case ErrorCategory::PERFORMANCE: return "performance";
    case ErrorCategory::RUNTIME: break;
  }
  return "runtime";
}

Error::Error(ErrorCategory category, axle::Status status)
    : std::runtime_error(text_of(status)), category_(category), status_(std::move(status).with_family(family_of(category))) {}
Error::~Error() = default;

CompilationError::CompilationError(axle::Status status) : Error(ErrorCategory::COMPILATION, std::move(status)) {}
CompilationError::~CompilationError() = default;
RuntimeError::RuntimeError(axle::Status status) : Error(ErrorCategory::RUNTIME, std::move(status)) {}
RuntimeError::~RuntimeError() = default;
PerformanceError::PerformanceError(axle::Status status) : Error(ErrorCategory::PERFORMANCE, std::move(status)) {}
PerformanceError::~PerformanceError() = default;

void throw_error(axle::Status status, ErrorCategory otherwise) {
  switch (category_of(status, otherwise)) {
    case ErrorCategory::COMPILATION: throw CompilationError(std::move(status));
    case ErrorCategory::PERFORMANCE: throw PerformanceError(std::move(status));
    case ErrorCategory::RUNTIME: break;
  }
  throw RuntimeError(std::move(status));
}

}  // namespace ai_vmm
