// DynamicLibrary: a shared library opened at run time. Never closed (vendor libraries leave threads and handlers behind),
// so symbols stay valid for the life of the process. A value: copies name the same library.
#pragma once

#include <string>

#include "axle/status.h"

namespace axle {

class DynamicLibrary {
 public:
  // A path (with '/') or a name for the system's search. Its symbols stay local; all are bound now, so a library that
  // lacks one fails here. UNAVAILABLE says which: missing, not a library, or not loadable (a dependency or symbol lacks).
  static Result<DynamicLibrary> open(const std::string& path_or_name);

  // UNAVAILABLE when the library has no such symbol.
  Result<void*> symbol(const char* name) const;
  // The same as a function pointer type: function<int (*)(void)>("f").
  template <typename Function>
  Result<Function> function(const char* name) const {
    AXLE_ASSIGN_OR_RETURN(void* const address, symbol(name));
    return reinterpret_cast<Function>(address);
  }
  // Absolute path of the file that was loaded.
  const std::string& path() const noexcept { return path_; }

 private:
  DynamicLibrary(void* handle, std::string path) noexcept : handle_(handle), path_(std::move(path)) {}
  void* handle_;
  std::string path_;
};

}  // namespace axle
