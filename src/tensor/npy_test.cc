#include "tensor/npy.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/file.h"
#include "base/testing/file_faults.h"
#include "base/testing/status_matchers.h"
#include "tensor/npy_header.h"

namespace axle {
namespace {

using testing::IsOk;
using testing::StatusIs;

SharedBytes shared(std::string_view text) {
  SharedBytes bytes = allocate_bytes(text.size()).value();
  if (!text.empty()) std::memcpy(bytes.owner.get(), text.data(), text.size());
  return bytes;
}

// A version 1 file with any dictionary.
std::string file_with(const std::string& dictionary, std::string_view payload = "") {
  std::string file = "\x93NUMPY";
  file += {'\x01', '\x00', static_cast<char>(dictionary.size() & 0xFF), static_cast<char>(dictionary.size() >> 8)};
  return file + dictionary + std::string(payload);
}

std::string file_of(const std::string& descr, const std::string& shape, std::string_view payload, bool fortran = false) {
  return file_with(
      "{'descr': '" + descr + "', 'fortran_order': " + (fortran ? "True" : "False") + ", 'shape': " + shape + ", }\n", payload);
}

Result<Tensor> parse(std::string_view text) { return parse_npy(shared(text)); }

template <typename T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

class NpyFileTest : public ::testing::Test {
 protected:
  void SetUp() override { folder_.emplace(ScratchDir::create().value()); }
  std::string path(std::string_view name) const { return folder_->file(name); }
  std::optional<ScratchDir> folder_;
};

TEST_F(NpyFileTest, EveryTypeRoundTrips) {
  for (int i = 1; i < kDataTypeCount; ++i) {
    const auto type = static_cast<DataType>(i);
    if (type == DataType::kString) continue;
    AXLE_ASSERT_OK_AND_ASSIGN(Tensor tensor, Tensor::allocate(type, {2, 3}));
    for (size_t b = 0; b < tensor.size_bytes(); ++b) {
      static_cast<uint8_t*>(tensor.mutable_data())[b] = type == DataType::kBool ? 1 : static_cast<uint8_t>(b * 37 + 1);
    }
    if (data_type_bits(type) == 2) static_cast<uint8_t*>(tensor.mutable_data())[1] &= 0x0F;  // no stray padding
    ASSERT_THAT(save_npy(path("t.npy"), tensor), IsOk()) << data_type_name(type);
    AXLE_ASSERT_OK_AND_ASSIGN(const Tensor raw, load_npy(path("t.npy")));
    AXLE_ASSERT_OK_AND_ASSIGN(const Tensor back, raw_as(raw, type));
    EXPECT_EQ(back.dtype(), type);
    EXPECT_EQ(back.shape(), tensor.shape());
    ASSERT_EQ(back.size_bytes(), tensor.size_bytes());
    EXPECT_EQ(std::memcmp(back.data(), tensor.data(), tensor.size_bytes()), 0) << data_type_name(type);
  }
}

TEST_F(NpyFileTest, ShapesRoundTrip) {
  for (const Shape& shape : {Shape{}, Shape{0}, Shape{1}, Shape{5}, Shape{2, 0, 3}, Shape{1, 2, 3, 4}}) {
    AXLE_ASSERT_OK_AND_ASSIGN(const Tensor tensor, Tensor::allocate(DataType::kFloat32, shape));
    ASSERT_THAT(save_npy(path("t.npy"), tensor), IsOk());
    AXLE_ASSERT_OK_AND_ASSIGN(const Tensor back, load_npy(path("t.npy")));
    EXPECT_EQ(back.shape(), shape);
  }
}

TEST_F(NpyFileTest, StringsRoundTripAsUnicodeElseAsBytes) {
  for (const std::vector<std::string>& texts :
       {std::vector<std::string>{"", "a", "\xe2\x82\xac\xf0\x9f\x98\x80"}, {"", "", ""}, {"\xff\xfe", "x", ""}}) {
    AXLE_ASSERT_OK_AND_ASSIGN(const Tensor tensor, Tensor::from_strings({3}, texts));
    ASSERT_THAT(save_npy(path("t.npy"), tensor), IsOk());
    AXLE_ASSERT_OK_AND_ASSIGN(const Tensor back, load_npy(path("t.npy")));
    EXPECT_EQ(std::vector<std::string>(back.strings().begin(), back.strings().end()), texts);
  }
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor nul, Tensor::from_strings({1}, {std::string("a\0", 2)}));
  EXPECT_THAT(save_npy(path("t.npy"), nul), StatusIs(StatusCode::kInvalidArgument, "NUL"));
}

TEST_F(NpyFileTest, LoadingDoesNotCopyWhatNumpyAligned) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor tensor, Tensor::allocate(DataType::kFloat64, {100}));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto image, encode_npy(tensor));
  EXPECT_EQ(image->header.size() % 64, 0u);
  EXPECT_EQ(image->payload.data(), tensor.bytes().data());
  const SharedBytes file = shared(image->header + std::string(800, '\0'));
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor back, parse_npy(file));
  EXPECT_EQ(back.bytes().data(), file.bytes.data() + image->header.size());
}

TEST_F(NpyFileTest, FailedWritesLeaveNothing) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor tensor, Tensor::allocate(DataType::kFloat32, {4}));
  for (int step = 0; step < 5; ++step) {
    const testing::FileFaults fail(step);
    EXPECT_THAT(save_npy(path("t.npy"), tensor), StatusIs(StatusCode::kResourceExhausted)) << step;
    EXPECT_TRUE(list_dir(folder_->path())->empty()) << step;
  }
  EXPECT_THAT(save_npy(path("t.npy"), Tensor()), StatusIs(StatusCode::kInvalidArgument, "t.npy"));
}

TEST_F(NpyFileTest, ErrorsNameTheFile) {
  EXPECT_THAT(load_npy(path("absent.npy")), StatusIs(StatusCode::kNotFound, "absent.npy"));
  ASSERT_THAT(write_file_atomic(path("bad.npy"), "hello world"), IsOk());
  EXPECT_THAT(load_npy(path("bad.npy")), StatusIs(StatusCode::kInvalidArgument, "bad.npy: not an .npy file"));
}

TEST(Npy, ReadsWhatNumpyWrites) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor tensor, parse(file_of("<i4", "(2, 3)", bytes_of<int32_t>({1, 2, 3, 4, 5, 6}))));
  EXPECT_EQ(tensor.dtype(), DataType::kInt32);
  EXPECT_EQ(tensor.as<int32_t>()[5], 6);
  EXPECT_THAT(parse(file_of("|b1", "()", "\1")), IsOk());
  EXPECT_THAT(parse(file_of("<f8", "(0L,)", "")), IsOk()) << "written by Python 2";
}

TEST(Npy, TransposesFortranOrder) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor tensor, parse(file_of("<i4", "(2, 3)", bytes_of<int32_t>({1, 4, 2, 5, 3, 6}), true)));
  EXPECT_EQ(bytes_of<int32_t>({1, 2, 3, 4, 5, 6}), std::string(static_cast<const char*>(tensor.data()), 24));
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor texts, parse(file_of("|S1", "(2, 2)", "acbd", true)));
  EXPECT_EQ(texts.strings()[1], "b");
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor cube, parse(file_of("|u1", "(2, 2, 2)", std::string("\0\4\2\6\1\5\3\7", 8), true)));
  for (uint8_t i = 0; i < 8; ++i) EXPECT_EQ(cube.as<uint8_t>()[i], i);
}

TEST(Npy, SwapsBigEndian) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor tensor, parse(file_of(">i2", "(2,)", std::string("\x01\x02\x00\x03", 4))));
  EXPECT_EQ(tensor.as<int16_t>()[0], 0x0102);
  EXPECT_EQ(tensor.as<int16_t>()[1], 3);
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor text, parse(file_of(">U1", "(1,)", std::string("\0\0\0a", 4))));
  EXPECT_EQ(text.strings()[0], "a");
}

TEST(Npy, ReadsVersions2And3) {
  for (const char version : {'\2', '\3'}) {
    const std::string dictionary = "{'descr': '|u1', 'fortran_order': False, 'shape': (1,), }\n";
    std::string file = "\x93NUMPY";
    file += {version, '\0', static_cast<char>(dictionary.size()), '\0', '\0', '\0'};
    EXPECT_THAT(parse(file + dictionary + "x"), IsOk());
  }
}

TEST(Npy, CopiesMisalignedPayloads) {
  std::string dictionary = "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }";
  while ((10 + dictionary.size()) % 8 == 0) dictionary += ' ';
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor tensor, parse(file_with(dictionary, bytes_of<double>({2.5}))));
  EXPECT_EQ(tensor.as<double>()[0], 2.5);
}

TEST(Npy, RefusesTypesThatModelsLack) {
  EXPECT_THAT(parse(file_of("|O", "(1,)", "x")), StatusIs(StatusCode::kInvalidArgument, "object arrays"));
  EXPECT_THAT(parse(file_of("<M8[ns]", "(1,)", "12345678")), StatusIs(StatusCode::kInvalidArgument, "<M8[ns]"));
  EXPECT_THAT(parse(file_of("<f16", "(1,)", std::string(16, 'x'))), StatusIs(StatusCode::kInvalidArgument, "f16"));
  EXPECT_THAT(parse(file_with("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }")),
              StatusIs(StatusCode::kInvalidArgument, "structured"));
}

TEST(Npy, RefusesClaimsThatTheFileDoesNotHold) {
  EXPECT_THAT(parse(file_of("<f4", "(500000000,)", "1234")), StatusIs(StatusCode::kDataLoss, "declares 2000000000 bytes"));
  EXPECT_THAT(parse(file_of("<f4", "(1,)", "12345")), StatusIs(StatusCode::kInvalidArgument, "1 bytes follow"));
  EXPECT_THAT(parse(file_of("<f4", "(9223372036854775807, 2)", "")), StatusIs(StatusCode::kOutOfRange));
  EXPECT_THAT(parse(file_of("<f4", "(99999999999999999999,)", "")), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(parse(file_of("<U0", "(4000000000,)", "")), StatusIs(StatusCode::kOutOfRange, "strings"));
  EXPECT_THAT(parse(file_of("<U4611686018427387904", "(4,)", "")), StatusIs(StatusCode::kOutOfRange));
  EXPECT_THAT(parse(file_of("<U1", "(1,)", std::string("\0\0\0\x7f", 4))),
              StatusIs(StatusCode::kInvalidArgument, "U+7F000000"));
}

TEST(Npy, RefusesMalformedHeaders) {
  const char* const rest = "'fortran_order': False, 'shape': (1,), }";
  for (const std::string& dictionary :
       {std::string(), std::string("{}"), std::string("{'descr': '|u1', ") + rest + " x",
        std::string("{'descr': '|u1', 'x': 1, ") + rest, std::string("{'descr': '|u1', 'descr': '|u1', ") + rest,
        std::string("{'descr': '', ") + rest, std::string("{'descr': '|u1', 'fortran_order': 1, 'shape': (1,)}"),
        std::string("{'descr': '|u1', 'fortran_order': True, 'shape': (-1,)}"),
        std::string("{'descr': '|u1', 'fortran_order': True, 'shape': 1}"), std::string("{'descr': '|u1"),
        std::string("{'descr': '|u1', 'fortran_order': True}")}) {
    EXPECT_THAT(parse(file_with(dictionary, "x")), StatusIs(StatusCode::kInvalidArgument, "malformed .npy header"))
        << dictionary;
  }
  std::string many = "(";
  for (int i = 0; i < 65; ++i) many += "1, ";
  EXPECT_THAT(parse(file_of("|u1", many + ")", "x")), StatusIs(StatusCode::kInvalidArgument, "dimensions"));
}

TEST(Npy, EveryTruncationIsAnError) {
  const std::string whole = file_of("<f4", "(2, 2)", std::string(16, 'x'));
  ASSERT_THAT(parse(whole), IsOk());
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(parse(whole.substr(0, size)).ok()) << size;
  }
  EXPECT_THAT(parse(whole.substr(0, whole.size() - 1)), StatusIs(StatusCode::kDataLoss));
}

TEST(Npy, RefusesOtherVersions) {
  EXPECT_THAT(parse(std::string("\x93NUMPY\x04\x00\x00\x00xxxx", 14)), StatusIs(StatusCode::kInvalidArgument, "version 4.0"));
}

TEST(RawAs, RefusesWhatBytesCannotStandFor) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor bytes, Tensor::allocate(DataType::kUint8, {2}));
  EXPECT_THAT(raw_as(bytes, DataType::kFloat8E4M3FN), IsOk());
  EXPECT_THAT(raw_as(bytes, DataType::kFloat32), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(raw_as(bytes, DataType::kInt8), StatusIs(StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace axle
