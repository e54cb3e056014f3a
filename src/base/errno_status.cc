#include "base/errno_status.h"

#include <cerrno>
#include <system_error>

namespace axle {
namespace {

StatusCode code_of(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR: return StatusCode::kNotFound;
    case EEXIST: return StatusCode::kAlreadyExists;
    case EACCES:
    case EPERM:
    case EROFS: return StatusCode::kPermissionDenied;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case EAGAIN: return StatusCode::kResourceExhausted;
    case EISDIR:
    case EINVAL:
    case ELOOP:
    case ENAMETOOLONG: return StatusCode::kInvalidArgument;
    case EIO: return StatusCode::kDataLoss;
    default: return StatusCode::kUnknown;
  }
}

const char* hint_of(int error) {
  switch (error) {
    case ENOTDIR: return "check the path: a part of it is a file";
    case EACCES:
    case EPERM:
    case EROFS: return "check the permissions there, or choose another place";
    case ENOSPC:
    case EDQUOT: return "free space there, or choose another folder";
    case EFBIG: return "raise the file size limit (ulimit -f), or choose another folder";
    case EMFILE:
    case ENFILE: return "raise the limit on open files (ulimit -n)";
    default: return "";
  }
}

}  // namespace

Status errno_status(int error, const std::string& what) {
  return Status(code_of(error), what + ": " + std::generic_category().message(error))
      .with_detail("errno", std::to_string(error))
      .with_hint(hint_of(error));
}

}  // namespace axle
