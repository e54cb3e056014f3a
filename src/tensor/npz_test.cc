#include "tensor/npz.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdlib>
#include <cstring>

#include "base/file.h"
#include "base/subprocess.h"
#include "base/testing/file_faults.h"
#include "base/testing/status_matchers.h"
#include "tensor/npy.h"
#include "tensor/zip.h"

namespace axle {
namespace {

using testing::IsOk;
using testing::StatusIs;

std::span<const std::byte> as_bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string npy_of(int32_t value) {
  Tensor tensor = Tensor::allocate(DataType::kInt32, {1}).value();
  tensor.mutable_as<int32_t>()[0] = value;
  const auto image = encode_npy(tensor).value();
  return image->header + std::string(reinterpret_cast<const char*>(image->payload.data()), image->payload.size());
}

std::string deflated(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

void put(std::string& out, uint64_t value, size_t width) {
  for (size_t i = 0; i < width; ++i) out += static_cast<char>(value >> (8 * i));
}

// A one-member archive in which every field can be made wrong.
struct Archive {
  std::string name = "a.npy";
  std::string data = npy_of(7);
  uint16_t flags = 0;
  uint16_t method = 0;
  uint32_t crc = static_cast<uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(data.data()), data.size()));
  uint64_t size = data.size();
  uint32_t offset = 0;
  uint16_t members = 1;
  bool zip64 = false;

  void deflate() {
    data = deflated(data);
    method = 8;
  }
  std::string text() const {
    std::string common, extra, out;
    put(common, 45, 2);
    put(common, flags, 2);
    put(common, method, 2);
    put(common, 0, 4);
    put(common, crc, 4);
    put(common, zip64 ? 0xFFFFFFFF : data.size(), 4);
    put(common, zip64 ? 0xFFFFFFFF : size, 4);
    put(common, name.size(), 2);
    if (zip64) {
      put(extra, 1, 2);
      put(extra, 16, 2);
      put(extra, size, 8);
      put(extra, data.size(), 8);
    }
    put(common, extra.size(), 2);
    out = "PK\3\4" + common + name + extra + data;
    const size_t begin = out.size();
    for (int i = 0; i < members; ++i) {
      out += std::string("PK\1\2\0\0", 6) + common + std::string(10, '\0');
      put(out, offset, 4);
      out += name + extra;
    }
    const size_t length = out.size() - begin;
    out += std::string("PK\5\6\0\0\0\0", 8);
    put(out, members, 2);
    put(out, members, 2);
    put(out, length, 4);
    put(out, begin, 4);
    put(out, 0, 2);
    return out;
  }
};

Result<std::vector<NamedTensor>> parse(const std::string& text) { return parse_npz(as_bytes(text)); }

TEST(Npz, ReadsStoredAndDeflatedMembers) {
  for (const bool deflate : {false, true}) {
    for (const bool zip64 : {false, true}) {
      Archive archive;
      if (deflate) archive.deflate();
      archive.zip64 = zip64;
      AXLE_ASSERT_OK_AND_ASSIGN(const std::vector<NamedTensor> tensors, parse(archive.text()));
      ASSERT_EQ(tensors.size(), 1u);
      EXPECT_EQ(tensors[0].name, "a");
      EXPECT_EQ(tensors[0].tensor.as<int32_t>()[0], 7);
    }
  }
}

TEST(Npz, AnEmptyArchiveHoldsNothing) {
  Archive archive;
  archive.members = 0;
  EXPECT_TRUE(parse(archive.text())->empty());
}

TEST(Npz, RefusesDamage) {
  const auto refused = [](auto&& change, StatusCode code, const char* text) {
    Archive archive;
    change(archive);
    EXPECT_THAT(parse(archive.text()), StatusIs(code, text));
  };
  refused([](Archive& a) { a.crc ^= 1; }, StatusCode::kDataLoss, "a.npy: its bytes do not match");
  refused([](Archive& a) { a.size += 1; }, StatusCode::kDataLoss, "two sizes");
  refused([](Archive& a) { a.offset = 5; }, StatusCode::kDataLoss, "local header");
  refused([](Archive& a) { a.offset = 0xFFFFFF; }, StatusCode::kDataLoss, "local header");
  refused([](Archive& a) { a.flags = 1; }, StatusCode::kUnimplemented, "encrypted");
  refused([](Archive& a) { a.method = 12; }, StatusCode::kUnimplemented, "another method");
  refused([](Archive& a) { a.name = "a.txt"; }, StatusCode::kInvalidArgument, "not an .npy array");
  refused([](Archive& a) { a.name = "\xff.npy"; }, StatusCode::kInvalidArgument, "unusable name");
  refused([](Archive& a) { a.name.clear(); }, StatusCode::kInvalidArgument, "unusable name");
  refused([](Archive& a) { a.members = 2; }, StatusCode::kInvalidArgument, "twice");
  refused([](Archive& a) { a.members = 5000; }, StatusCode::kResourceExhausted, "5000 members");
  refused([](Archive& a) { a.deflate(), a.size -= 1; }, StatusCode::kDataLoss, "unpack");
  refused([](Archive& a) { a.deflate(), a.size += 1; }, StatusCode::kDataLoss, "unpack");
  refused([](Archive& a) { a.deflate(), a.data += "x"; }, StatusCode::kDataLoss, "unpack");
  refused([](Archive& a) { a.deflate(), a.data.pop_back(); }, StatusCode::kDataLoss, "unpack");
}

TEST(Npz, RefusesClaimsThatDeflateCannotReach) {
  Archive archive;
  archive.deflate();
  archive.size = 2'000'000'000;
  EXPECT_THAT(parse(archive.text()), StatusIs(StatusCode::kInvalidArgument, "claims 2000000000 bytes"));
  archive.zip64 = true;
  archive.size = UINT64_MAX - 1;
  EXPECT_FALSE(parse(archive.text()).ok());
}

TEST(Npz, EveryTruncationIsAnError) {
  const std::string whole = Archive().text();
  for (size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(parse(whole.substr(0, size)).ok()) << size;
}

TEST(Npz, RefusesOverlappingMembers) {
  // Two records of different names that share one local header.
  Archive first, second;
  second.name = "b.npy";
  const std::string a = first.text(), b = second.text();
  const size_t local = 30 + 5 + first.data.size(), record = 46 + 5;
  std::string text = a.substr(0, local + record) + b.substr(local, record);
  text += std::string("PK\5\6\0\0\0\0", 8);
  put(text, 2, 2);
  put(text, 2, 2);
  put(text, 2 * record, 4);
  put(text, local, 4);
  put(text, 0, 2);
  EXPECT_THAT(parse(text), StatusIs(StatusCode::kInvalidArgument, "overlap"));
}

TEST(Zip, TotalSizeIsLimited) {
  const std::string text = Archive().text();
  EXPECT_THAT(list_zip(as_bytes(text), {.max_total_bytes = 100}), StatusIs(StatusCode::kResourceExhausted, "100 bytes"));
}

class NpzFileTest : public ::testing::Test {
 protected:
  void SetUp() override { folder_.emplace(ScratchDir::create().value()); }
  std::string path(std::string_view name) const { return folder_->file(name); }

  static std::vector<NamedTensor> example() {
    std::vector<NamedTensor> tensors(3);
    tensors[0] = {"x", Tensor::allocate(DataType::kFloat32, {2, 3}).value()};
    for (size_t i = 0; i < 6; ++i) tensors[0].tensor.mutable_as<float>()[i] = static_cast<float>(i) / 2;
    tensors[1] = {"group/\xc3\xa9", Tensor::from_strings({2}, {"a", "\xe2\x82\xac"}).value()};
    tensors[2] = {"empty", Tensor::allocate(DataType::kInt64, {0}).value()};
    return tensors;
  }
  std::optional<ScratchDir> folder_;
};

TEST_F(NpzFileTest, RoundTrips) {
  const std::vector<NamedTensor> tensors = example();
  ASSERT_THAT(save_npz(path("t.npz"), tensors), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const std::vector<NamedTensor> back, load_npz(path("t.npz")));
  ASSERT_EQ(back.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(back[i].name, tensors[i].name);
    EXPECT_EQ(back[i].tensor.shape(), tensors[i].tensor.shape());
  }
  EXPECT_EQ(back[0].tensor.as<float>()[5], 2.5f);
  EXPECT_EQ(back[1].tensor.strings()[1], "\xe2\x82\xac");
}

TEST_F(NpzFileTest, EqualContentGivesEqualBytes) {
  ASSERT_THAT(save_npz(path("a.npz"), example()), IsOk());
  ASSERT_THAT(save_npz(path("b.npz"), example()), IsOk());
  EXPECT_EQ(read_file(path("a.npz"), 1 << 20).value(), read_file(path("b.npz"), 1 << 20).value());
}

TEST_F(NpzFileTest, RefusesTwoArraysOfOneName) {
  std::vector<NamedTensor> tensors = example();
  tensors[1].name = "x";
  EXPECT_THAT(save_npz(path("t.npz"), tensors), StatusIs(StatusCode::kInvalidArgument, "\"x\""));
  tensors[1].name = std::string("a\0b", 3);
  EXPECT_THAT(save_npz(path("t.npz"), tensors), StatusIs(StatusCode::kInvalidArgument, "name"));
  EXPECT_TRUE(list_dir(folder_->path())->empty());
}

TEST_F(NpzFileTest, FailedWritesLeaveNothing) {
  int steps = 0;
  {
    const testing::FileFaults count(-1);
    ASSERT_THAT(save_npz(path("t.npz"), example()), IsOk());
    steps = count.steps();
  }
  ASSERT_THAT(remove_tree(path("t.npz")), IsOk());
  for (int step = 0; step < steps; ++step) {
    const testing::FileFaults fail(step);
    EXPECT_THAT(save_npz(path("t.npz"), example()), StatusIs(StatusCode::kResourceExhausted)) << step;
    EXPECT_TRUE(list_dir(folder_->path())->empty()) << step;
  }
}

// Runs a Python program with numpy in the folder, or skips.
#define RUN_NUMPY(script)                                                                 \
  do {                                                                                    \
    SubprocessOptions options;                                                            \
    const char* python = std::getenv("AXLE_TEST_PYTHON");                                 \
    options.argv = {python ? python : "python3", "-c", "import numpy"};                   \
    const auto probe = run_subprocess(options);                                           \
    if (!probe.ok() || !probe->succeeded()) GTEST_SKIP() << "no python3 with numpy here"; \
    options.argv[2] = script;                                                             \
    options.cwd = folder_->path();                                                        \
    const auto ran = run_subprocess(options);                                             \
    ASSERT_TRUE(ran.ok() && ran->succeeded()) << ran->stderr_text;                        \
  } while (false)

TEST_F(NpzFileTest, NumpyReadsWhatWeWrite) {
  ASSERT_THAT(save_npz(path("t.npz"), example()), IsOk());
  RUN_NUMPY(
      "import numpy as np; z = np.load('t.npz'); assert sorted(z) == ['empty', 'group/\\u00e9', 'x'], sorted(z)\n"
      "assert z['x'].dtype == np.float32 and z['x'].tolist() == [[0, .5, 1], [1.5, 2, 2.5]]\n"
      "assert z['group/\\u00e9'].tolist() == ['a', '\\u20ac'] and z['empty'].shape == (0,)\n");
}

TEST_F(NpzFileTest, ReadsWhatNumpyWrites) {
  RUN_NUMPY(
      "import numpy as np; a = np.arange(6, dtype=np.int16).reshape(2, 3)\n"
      "np.savez_compressed('c.npz', a=a, f=np.asfortranarray(a), b=a.astype('>i2'), u=np.array(['x', 'yz']), "
      "z=np.zeros(100000))\n"
      "np.savez('s.npz', a=a, f=np.asfortranarray(a), b=a.astype('>i2'), u=np.array(['x', 'yz']), z=np.zeros(100000))\n");
  for (const char* name : {"c.npz", "s.npz"}) {
    AXLE_ASSERT_OK_AND_ASSIGN(const std::vector<NamedTensor> tensors, load_npz(path(name)));
    ASSERT_EQ(tensors.size(), 5u);
    for (size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(tensors[i].tensor.shape(), (Shape{2, 3}));
      for (int16_t k = 0; k < 6; ++k) EXPECT_EQ(tensors[i].tensor.as<int16_t>()[static_cast<size_t>(k)], k) << tensors[i].name;
    }
    EXPECT_EQ(tensors[3].tensor.strings()[1], "yz");
    EXPECT_EQ(tensors[4].tensor.element_count(), 100000);
  }
}

}  // namespace
}  // namespace axle
