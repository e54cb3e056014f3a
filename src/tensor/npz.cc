#include "tensor/npz.h"

#include <fmt/core.h>

#include <array>
#include <set>

#include "base/file.h"
#include "base/text.h"
#include "tensor/npy.h"
#include "tensor/zip.h"

namespace axle {
namespace {

constexpr std::string_view kSuffix = ".npy";

}  // namespace

Result<std::vector<NamedTensor>> parse_npz(std::span<const std::byte> archive) {
  AXLE_ASSIGN_OR_RETURN(const std::vector<ZipMember> members, list_zip(archive));
  std::vector<NamedTensor> tensors;
  for (const ZipMember& member : members) {
    const std::string shown = printable(member.name, 80);
    if (!member.name.ends_with(kSuffix)) {
      return invalid_argument_error(fmt::format("{} in the archive is not an .npy array", shown));
    }
    Result<Tensor> tensor = read_zip_member(member).and_then(parse_npy);
    if (!tensor.ok()) return std::move(tensor).error().with_context(shown);
    tensors.push_back({member.name.substr(0, member.name.size() - kSuffix.size()), std::move(tensor).value()});
  }
  return tensors;
}

Result<std::vector<NamedTensor>> load_npz(const std::string& path) {
  AXLE_ASSIGN_OR_RETURN(const SharedBytes file, read_file_bytes(path, kMaxArrayFileBytes));
  Result<std::vector<NamedTensor>> tensors = parse_npz(file.bytes);
  if (!tensors.ok()) return std::move(tensors).error().with_context(path);
  return tensors;
}

Status save_npz(const std::string& path, std::span<const NamedTensor> tensors) {
  AXLE_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::create(path));
  ZipWriter zip(file);
  std::set<std::string> names;
  for (const NamedTensor& named : tensors) {
    const std::string shown = printable(named.name, 80);
    if (!names.insert(named.name).second) {
      return invalid_argument_error(fmt::format("{}: two arrays have the name \"{}\"", path, shown));
    }
    Result<std::unique_ptr<NpyImage>> image = encode_npy(named.tensor);
    if (!image.ok()) return std::move(image).error().with_context(fmt::format("{}: \"{}\"", path, shown));
    const NpyImage& parts = **image;
    const std::array<std::span<const std::byte>, 2> pieces = {std::as_bytes(std::span(parts.header)), parts.payload};
    AXLE_RETURN_IF_ERROR(zip.add(named.name + std::string(kSuffix), pieces));
  }
  AXLE_RETURN_IF_ERROR(zip.finish());
  return file.commit();
}

}  // namespace axle
