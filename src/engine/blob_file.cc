#include "engine/blob_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstring>
#include <utility>

namespace axle {

std::optional<SharedMemory> file_of(const std::string& path, std::string_view data) {
  if (path.empty() || data.empty()) return std::nullopt;
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status{};
  if (!fd || ::fstat(fd.get(), &status) != 0 || static_cast<uint64_t>(status.st_size) != data.size()) return std::nullopt;
  auto memory = SharedMemory::adopt_file(std::move(fd), data.size());
  // The name may stand for another file by now; what was verified is `data`.
  if (!memory || std::memcmp(memory->bytes().data(), data.data(), data.size()) != 0) return std::nullopt;
  return std::optional<SharedMemory>(*std::move(memory));
}

}  // namespace axle
