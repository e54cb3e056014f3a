#include "engine/flat_message.h"

namespace axle {
namespace {

constexpr int32_t kString = 8;
constexpr size_t kMaxRank = 64;

}  // namespace

FlatWriter& FlatWriter::options(const axle_option_t* options, size_t count) {
  u64(count);
  for (size_t i = 0; i < count; ++i) text(options[i].key).text(options[i].value);
  return *this;
}

FlatReader::FlatReader(std::string_view message) : message_(message) {
  if (message.size() > kMaxFlatBytes) fail("message is too large");
  if (u32() != kFlatMagic) fail("not an engine message");
  if (u32() != kFlatVersion) fail("message of another version");
  const uint32_t verb = u32();
  if (verb == 0 || verb >= kFlatVerbCount) fail("unknown verb");
  if (ok()) verb_ = static_cast<FlatVerb>(verb);
}

void FlatReader::fail(const char* what) {
  if (status_.ok()) status_ = invalid_argument_error(std::string("engine message: ") + what);
}

const char* FlatReader::take(size_t size) {
  if (!status_.ok()) return nullptr;
  if (size > message_.size() - at_) {
    fail("truncated");
    return nullptr;
  }
  const char* from = message_.data() + at_;
  at_ += size;
  return from;
}

std::string_view FlatReader::text() {
  const uint64_t size = u64();
  if (!ok()) return {};
  if (size > message_.size() - at_) {
    fail("text reaches beyond the message");
    return {};
  }
  const char* from = take(static_cast<size_t>(size));
  return {from, static_cast<size_t>(size)};
}

size_t FlatReader::count(size_t least_bytes) {
  const uint64_t count = u64();
  if (!ok()) return 0;
  if (count > (message_.size() - at_) / least_bytes) {
    fail("list reaches beyond the message");
    return 0;
  }
  return static_cast<size_t>(count);
}

std::vector<axle_option_t> FlatReader::options() {
  const size_t size = count(2 * sizeof(uint64_t));
  std::vector<axle_option_t> options;
  options.reserve(size);
  for (size_t i = 0; i < size && ok(); ++i) {
    const axle_text_t key = abi_text();
    options.push_back({key, abi_text()});
  }
  return options;
}

Status FlatReader::finish() {
  if (ok() && at_ != message_.size()) fail("bytes left over");
  return status_;
}

void write_place(FlatWriter& writer, const FlatPlace& place) {
  writer.u32(place.segment).u64(place.offset).u64(place.size_bytes);
}

FlatPlace read_place(FlatReader& reader) {
  FlatPlace place;
  place.segment = reader.u32();
  place.offset = reader.u64();
  place.size_bytes = reader.u64();
  return place;
}

void write_tensor(FlatWriter& writer, const FlatTensor& tensor) {
  writer.i32(tensor.dtype).numbers<int64_t>(tensor.shape);
  write_place(writer, tensor.place);
  if (tensor.dtype != kString) return;
  writer.u64(tensor.texts.size());
  for (const std::string& text : tensor.texts) writer.text(text);
}

FlatTensor read_tensor(FlatReader& reader) {
  FlatTensor tensor;
  tensor.dtype = reader.i32();
  tensor.shape = reader.numbers<int64_t>();
  if (tensor.shape.size() > kMaxRank) reader.fail("tensor of too many axes");
  tensor.place = read_place(reader);
  if (tensor.dtype != kString) return tensor;
  const size_t count = reader.count(sizeof(uint64_t));
  for (size_t i = 0; i < count && reader.ok(); ++i) tensor.texts.emplace_back(reader.text());
  return tensor;
}

void write_error(FlatWriter& writer, const FlatError& error) {
  writer.i32(error.code);
  if (error.code != 0) writer.i64(error.vendor_code).u64(error.required_bytes).text(error.message).text(error.hint);
}

FlatError read_error(FlatReader& reader) {
  FlatError error;
  error.code = reader.i32();
  if (error.code == 0) return error;
  error.vendor_code = reader.i64();
  error.required_bytes = reader.u64();
  error.message = reader.text();
  error.hint = reader.text();
  return error;
}

}  // namespace axle
