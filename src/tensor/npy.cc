#include "tensor/npy.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "base/checked.h"
#include "base/errno_status.h"
#include "base/file.h"
#include "base/utf8.h"
#include "tensor/convert.h"
#include "tensor/npy_header.h"

namespace axle {
namespace {

static_assert(std::endian::native == std::endian::little, "the byte orders below assume a little-endian host");

constexpr uint64_t kMaxStringBytes = uint64_t{4} << 30;
constexpr int64_t kMaxEmptyStrings = 1 << 20;  // '<U0' elements take no bytes in the file

struct TypeRow {
  DataType type;
  char kind;
  int64_t size;
};

// What numpy can name. V and f1 stand for ml_dtypes' types.
constexpr TypeRow kTypes[] = {
    {DataType::kFloat32, 'f', 4},   {DataType::kFloat64, 'f', 8},     {DataType::kFloat16, 'f', 2},
    {DataType::kInt8, 'i', 1},      {DataType::kInt16, 'i', 2},       {DataType::kInt32, 'i', 4},
    {DataType::kInt64, 'i', 8},     {DataType::kUint8, 'u', 1},       {DataType::kUint16, 'u', 2},
    {DataType::kUint32, 'u', 4},    {DataType::kUint64, 'u', 8},      {DataType::kBool, 'b', 1},
    {DataType::kComplex64, 'c', 8}, {DataType::kComplex128, 'c', 16}, {DataType::kBfloat16, 'V', 2},
    {DataType::kUint8, 'V', 1},     {DataType::kFloat8E5M2, 'f', 1},
};

std::optional<DataType> data_type_of(const NpyType& type) {
  for (const TypeRow& row : kTypes) {
    if (row.kind == type.kind && row.size == type.size) return row.type;
  }
  return std::nullopt;
}

std::string descr_of(DataType type) {
  if (is_floating(type) && data_type_bits(type) <= 8) return "<V1";
  for (const TypeRow& row : kTypes) {
    if (row.type == type) return fmt::format("{}{}{}", row.size == 1 ? '|' : '<', row.kind, row.size);
  }
  return "<V1";  // packed types, one element per byte
}

Status check_payload(size_t needed, size_t held) {
  if (held < needed) {
    return data_loss_error(fmt::format("truncated: the header declares {} bytes of elements, {} are there", needed, held));
  }
  if (held > needed) {
    return invalid_argument_error(fmt::format("{} bytes follow the elements", held - needed))
        .with_hint("a file must hold one array");
  }
  return ok_status();
}

// Calls copy(to, from) for every element: `to` counts in row-major, `from` in column-major order.
template <typename Copy>
void for_each_transposed(const Shape& shape, int64_t count, Copy copy) {
  Shape strides(shape.size(), 1);
  for (size_t i = 1; i < shape.size(); ++i) strides[i] = strides[i - 1] * shape[i - 1];
  Shape index(shape.size(), 0);
  int64_t from = 0;
  for (int64_t to = 0; to < count; ++to) {
    copy(static_cast<size_t>(to), static_cast<size_t>(from));
    for (size_t axis = shape.size(); axis-- > 0;) {
      from += strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
}

void swap_bytes(std::span<std::byte> bytes, size_t width) {
  for (size_t at = 0; at + width <= bytes.size(); at += width) std::reverse(bytes.begin() + at, bytes.begin() + at + width);
}

bool needs_transposing(const NpyHeader& header) { return header.fortran_order && header.shape.size() > 1; }

Result<Tensor> parse_numbers(const NpyHeader& header, DataType type, const SharedBytes& file) {
  AXLE_ASSIGN_OR_RETURN(const size_t size, dense_size_bytes(type, header.shape));
  const std::span<const std::byte> payload = file.bytes.subspan(header.data_offset);
  AXLE_RETURN_IF_ERROR(check_payload(size, payload.size()));
  auto* data = const_cast<std::byte*>(payload.data());
  const auto width = static_cast<size_t>(header.type.size);
  const bool complex = header.type.kind == 'c';
  if (header.type.order == '>' && width > 1) swap_bytes({data, size}, complex ? width / 2 : width);
  if (!needs_transposing(header)) {
    // A misaligned payload (only in files that numpy did not write) is copied.
    if (Result<Tensor> view = Tensor::borrow(type, header.shape, data, size, file.owner); view.ok()) return view;
  }
  AXLE_ASSIGN_OR_RETURN(Tensor tensor, Tensor::allocate(type, header.shape));
  auto* out = static_cast<std::byte*>(tensor.mutable_data());
  if (needs_transposing(header)) {
    for_each_transposed(header.shape, tensor.element_count(),
                        [&](size_t to, size_t from) { std::memcpy(out + to * width, data + from * width, width); });
  } else if (size > 0) {
    std::memcpy(out, data, size);
  }
  return tensor;
}

// One element of kind S or U without its padding.
Result<std::string> parse_string(const NpyType& type, std::span<std::byte> element) {
  if (type.kind == 'S') {
    const std::string_view text(reinterpret_cast<const char*>(element.data()), element.size());
    const size_t last = text.find_last_not_of('\0');
    return std::string(last == std::string_view::npos ? std::string_view() : text.substr(0, last + 1));
  }
  if (type.order == '>') swap_bytes(element, sizeof(char32_t));
  std::u32string points(element.size() / sizeof(char32_t), U'\0');
  if (!element.empty()) std::memcpy(points.data(), element.data(), element.size());
  while (!points.empty() && points.back() == U'\0') points.pop_back();
  return encode_utf8(points);
}

Result<Tensor> parse_strings(const NpyHeader& header, const SharedBytes& file) {
  AXLE_ASSIGN_OR_RETURN(const int64_t count, element_count(header.shape));
  const auto width = checked_mul<int64_t>(header.type.size, header.type.kind == 'U' ? 4 : 1);
  const auto size = width ? checked_mul(count, *width) : std::nullopt;
  if (!size || (*width == 0 && count > kMaxEmptyStrings)) {
    return out_of_range_error(fmt::format("{} strings {} do not fit in memory", count, format_shape(header.shape)));
  }
  const std::span<const std::byte> payload = file.bytes.subspan(header.data_offset);
  AXLE_RETURN_IF_ERROR(check_payload(static_cast<size_t>(*size), payload.size()));
  AXLE_ASSIGN_OR_RETURN(Tensor tensor, Tensor::allocate(DataType::kString, header.shape));
  const std::span<std::string> out = tensor.mutable_strings();
  auto* data = const_cast<std::byte*>(payload.data());
  Status failed;
  const auto read = [&](size_t to, size_t from) {
    const auto bytes = static_cast<size_t>(*width);
    Result<std::string> text = parse_string(header.type, {data + from * bytes, bytes});
    if (text.ok()) {
      out[to] = std::move(text).value();
    } else if (failed.ok()) {
      failed = std::move(text).error().with_context(fmt::format("string {}", from));
    }
  };
  if (needs_transposing(header)) {
    for_each_transposed(header.shape, count, read);
  } else {
    for (size_t i = 0; i < out.size(); ++i) read(i, i);
  }
  if (!failed.ok()) return failed;
  return tensor;
}

Status encode_strings(const Tensor& tensor, NpyImage& image) {
  size_t longest_bytes = 0, longest_points = 0;
  bool unicode = true;
  for (const std::string& text : tensor.strings()) {
    if (text.ends_with('\0')) {
      return invalid_argument_error("a string that ends in NUL cannot be written to an .npy file: numpy would drop the NUL");
    }
    longest_bytes = std::max(longest_bytes, text.size());
    const auto points = decode_utf8(text);
    unicode = unicode && points.ok();
    if (unicode) longest_points = std::max(longest_points, points->size());
  }
  // numpy reads a width of 0 but writes at least 1.
  const size_t width = std::max<size_t>(1, unicode ? longest_points : longest_bytes);
  const auto stride = checked_mul<uint64_t>(width, unicode ? 4 : 1);
  const auto size = stride ? checked_mul<uint64_t>(*stride, static_cast<uint64_t>(tensor.element_count())) : std::nullopt;
  if (!size || *size > kMaxStringBytes) {
    return resource_exhausted_error("strings padded to the longest one exceed 4 GiB").with_hint("write them in another format");
  }
  image.own_text.assign(*size, '\0');
  size_t at = 0;
  for (const std::string& text : tensor.strings()) {
    if (unicode) {
      const std::u32string points = decode_utf8(text).value();
      std::memcpy(image.own_text.data() + at, points.data(), points.size() * sizeof(char32_t));
    } else {
      std::memcpy(image.own_text.data() + at, text.data(), text.size());
    }
    at += *stride;
  }
  image.payload = std::as_bytes(std::span(image.own_text));
  AXLE_ASSIGN_OR_RETURN(image.header, format_npy_header(fmt::format("{}{}", unicode ? "<U" : "|S", width), tensor.shape()));
  return ok_status();
}

}  // namespace

Result<SharedBytes> allocate_bytes(size_t size_bytes) {
  const auto padded = checked_round_up<size_t>(std::max<size_t>(size_bytes, 1), 64);
  void* data = padded ? std::aligned_alloc(64, *padded) : nullptr;
  if (data == nullptr) return resource_exhausted_error(fmt::format("no memory for {} bytes", size_bytes));
  return SharedBytes{{static_cast<const std::byte*>(data), size_bytes}, std::shared_ptr<void>(data, std::free)};
}

Result<SharedBytes> read_file_bytes(const std::string& path, uint64_t max_bytes) {
  const auto failed = [&](int error) { return errno_status(error, fmt::format("cannot read {}", path)); };
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return failed(errno);
  AXLE_ASSIGN_OR_RETURN(const FileStamp stamp, FileStamp::of_fd(file.get(), path));
  const auto size = static_cast<size_t>(stamp.size_bytes);
  if (size > max_bytes) {
    return resource_exhausted_error(fmt::format("{} has {} bytes, the limit is {}", path, size, max_bytes));
  }
  AXLE_ASSIGN_OR_RETURN(SharedBytes content, allocate_bytes(size));
  auto* data = static_cast<std::byte*>(content.owner.get());
  for (size_t used = 0; used < size;) {
    const ssize_t got = ::read(file.get(), data + used, size - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(errno);
    if (got == 0) return data_loss_error(fmt::format("{} was truncated while it was read", path));
    used += static_cast<size_t>(got);
  }
  return content;
}

Result<Tensor> parse_npy(const SharedBytes& file) {
  AXLE_ASSIGN_OR_RETURN(const NpyHeader header, parse_npy_header(file.bytes));
  if (header.type.kind == 'S' || header.type.kind == 'U') return parse_strings(header, file);
  const std::optional<DataType> type = data_type_of(header.type);
  if (type) return parse_numbers(header, *type, file);
  return invalid_argument_error(
             fmt::format("the .npy type '{}{}{}' is not supported", header.type.order, header.type.kind, header.type.size))
      .with_hint("convert the array with astype() to a type that models have");
}

Result<std::unique_ptr<NpyImage>> encode_npy(const Tensor& tensor) {
  if (!tensor.defined()) return invalid_argument_error("an undefined tensor cannot be written");
  auto image = std::make_unique<NpyImage>();
  if (tensor.dtype() == DataType::kString) {
    AXLE_RETURN_IF_ERROR(encode_strings(tensor, *image));
    return image;
  }
  image->keep = tensor;
  if (data_type_bits(tensor.dtype()) < 8) {
    AXLE_ASSIGN_OR_RETURN(image->keep, unpack_to_bytes(tensor));
  }
  image->payload = image->keep.bytes();
  AXLE_ASSIGN_OR_RETURN(image->header, format_npy_header(descr_of(tensor.dtype()), tensor.shape()));
  return image;
}

Result<Tensor> raw_as(const Tensor& raw, DataType dtype) {
  if (raw.dtype() == dtype) return raw;
  const int bits = data_type_bits(dtype);
  if (raw.dtype() == DataType::kUint8 && bits > 0 && bits < 8) return pack_from_bytes(raw, dtype);
  if (raw.dtype() == DataType::kUint8 && bits == 8 && is_floating(dtype)) {
    return raw.read_only() ? Tensor::borrow_const(dtype, raw.shape(), raw.data(), raw.size_bytes(), raw.owner())
                           : Tensor::borrow(dtype, raw.shape(), const_cast<void*>(raw.data()), raw.size_bytes(), raw.owner());
  }
  return invalid_argument_error(
      fmt::format("bytes of type {} do not stand for {}", data_type_name(raw.dtype()), data_type_name(dtype)));
}

Result<Tensor> load_npy(const std::string& path) {
  AXLE_ASSIGN_OR_RETURN(const SharedBytes file, read_file_bytes(path, kMaxArrayFileBytes));
  Result<Tensor> tensor = parse_npy(file);
  if (!tensor.ok()) return std::move(tensor).error().with_context(path);
  return tensor;
}

Status save_npy(const std::string& path, const Tensor& tensor) {
  Result<std::unique_ptr<NpyImage>> image = encode_npy(tensor);
  if (!image.ok()) return std::move(image).error().with_context(path);
  AXLE_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::create(path));
  AXLE_RETURN_IF_ERROR(file.write((*image)->header));
  AXLE_RETURN_IF_ERROR(file.write((*image)->payload));
  return file.commit();
}

}  // namespace axle
