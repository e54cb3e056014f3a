#include "base/dynamic_library.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <link.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/text.h"
#include "base/unique_fd.h"

namespace axle {
namespace {

constexpr size_t kMaxErrorBytes = 500;

std::string last_error() {
  const char* text = ::dlerror();
  return text ? printable(text, kMaxErrorBytes) : "unknown error of the dynamic linker";
}

// What can be said before the dynamic linker is asked, in better words than its own.
Status check_file(const std::string& path) {
  const auto unavailable = [&](const std::string& why) {
    return unavailable_error(fmt::format("cannot open the library {}: {}", path, why));
  };
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return unavailable(errno == ENOENT ? "no such file" : std::strerror(errno));
  if (!S_ISREG(status.st_mode)) return unavailable("not a regular file");
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return unavailable("no permission to read it");
  char magic[4] = {};
  if (::read(file.get(), magic, sizeof magic) != sizeof magic || std::memcmp(magic, "\177ELF", 4) != 0) {
    return unavailable("not a shared library");
  }
  return ok_status();
}

std::string loaded_path(void* handle, const std::string& asked) {
  link_map* map = nullptr;
  if (::dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0 || map == nullptr || *map->l_name == '\0') return asked;
  char* resolved = ::realpath(map->l_name, nullptr);
  std::string path = resolved ? resolved : map->l_name;
  std::free(resolved);
  return path;
}

}  // namespace

Result<DynamicLibrary> DynamicLibrary::open(const std::string& path_or_name) {
  if (path_or_name.empty()) return invalid_argument_error("cannot open a library without a name");
  if (path_or_name.find('/') != std::string::npos) AXLE_RETURN_IF_ERROR(check_file(path_or_name));
  ::dlerror();
  void* handle = ::dlopen(path_or_name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    return unavailable_error(fmt::format("cannot open the library {}: {}", path_or_name, last_error()));
  }
  return DynamicLibrary(handle, loaded_path(handle, path_or_name));
}

Result<void*> DynamicLibrary::symbol(const char* name) const {
  ::dlerror();
  void* address = ::dlsym(handle_, name);
  if (address != nullptr) return address;
  return unavailable_error(fmt::format("the library {} has no symbol {}", path_, name))
      .with_hint("it may be too old, or another library than it is taken for");
}

}  // namespace axle
