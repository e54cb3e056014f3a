#include "axle/dlpack.h"

#include <gtest/gtest.h>

#include <cstddef>

#include "base/testing/status_matchers.h"

namespace axle {
namespace {

using testing::IsOk;
using testing::StatusIs;
using namespace dlpack;

// The ABI of dlpack.h on 64-bit systems.
static_assert(sizeof(View) == 48 && offsetof(View, device) == 8 && offsetof(View, rank) == 16);
static_assert(offsetof(View, dtype) == 20 && offsetof(View, shape) == 24 && offsetof(View, strides) == 32);
static_assert(offsetof(View, byte_offset) == 40 && sizeof(ElementType) == 4);
static_assert(sizeof(ManagedTensor) == 64 && offsetof(ManagedTensor, context) == 48 && offsetof(ManagedTensor, deleter) == 56);
static_assert(sizeof(ManagedTensorVersioned) == 80 && offsetof(ManagedTensorVersioned, context) == 8);
static_assert(offsetof(ManagedTensorVersioned, flags) == 24 && offsetof(ManagedTensorVersioned, view) == 32);

// A structure as another framework would make it; counts calls of its deleter.
struct Producer {
  Producer() {
    managed.view.data = values;
    managed.view.rank = 2;
    managed.view.dtype = {2, 32, 1};
    managed.view.shape = shape;
    managed.context = this;
    managed.deleter = [](ManagedTensor* self) { ++static_cast<Producer*>(self->context)->deleted; };
  }
  float values[8] = {0, 1, 2, 3, 4, 5, 6, 7};
  int64_t shape[2] = {2, 3};
  int64_t strides[2] = {3, 1};
  ManagedTensor managed;
  int deleted = 0;
};

TEST(Dlpack, ImportSharesTheBytesAndDeletesOnce) {
  Producer producer;
  producer.managed.view.strides = producer.strides;
  producer.managed.view.byte_offset = 4;
  {
    AXLE_ASSERT_OK_AND_ASSIGN(Tensor tensor, from_dlpack(&producer.managed));
    EXPECT_EQ(tensor.data(), producer.values + 1);
    EXPECT_EQ(tensor.shape(), (Shape{2, 3}));
    const Tensor copy = tensor;
    EXPECT_EQ(producer.deleted, 0);
  }
  EXPECT_EQ(producer.deleted, 1);
}

TEST(Dlpack, StridesOfSizeOneDoNotMatter) {
  Producer producer;
  producer.shape[0] = 1;
  producer.strides[0] = 99;
  producer.managed.view.strides = producer.strides;
  EXPECT_THAT(from_dlpack(&producer.managed), IsOk());
}

TEST(Dlpack, RefusalsLeaveTheStructureToTheCaller) {
  const auto refused = [](auto&& change, StatusCode code, const char* text) {
    Producer producer;
    producer.managed.view.strides = producer.strides;
    change(producer);
    EXPECT_THAT(from_dlpack(&producer.managed), StatusIs(code, text));
    EXPECT_EQ(producer.deleted, 0);
  };
  refused([](Producer& p) { p.strides[0] = 4; }, StatusCode::kInvalidArgument, "strided");
  refused([](Producer& p) { p.strides[1] = -1; }, StatusCode::kInvalidArgument, "strided");
  refused([](Producer& p) { p.managed.view.device.type = 2; }, StatusCode::kUnimplemented, "CUDA");
  refused([](Producer& p) { p.managed.view.dtype.lanes = 4; }, StatusCode::kUnimplemented, "4 lanes");
  refused([](Producer& p) { p.managed.view.dtype.code = 3; }, StatusCode::kUnimplemented, "code 3");
  refused([](Producer& p) { p.managed.view.rank = -1; }, StatusCode::kInvalidArgument, "rank");
  refused([](Producer& p) { p.managed.view.shape = nullptr; }, StatusCode::kInvalidArgument, "rank");
  refused([](Producer& p) { p.shape[0] = -2; }, StatusCode::kOutOfRange, "negative");
  refused([](Producer& p) { p.shape[0] = int64_t{1} << 62; }, StatusCode::kOutOfRange, "");
  refused([](Producer& p) { p.managed.view.byte_offset = 1; }, StatusCode::kInvalidArgument, "aligned");
  refused([](Producer& p) { p.managed.view.data = nullptr; }, StatusCode::kInvalidArgument, "no data");
  EXPECT_THAT(from_dlpack(static_cast<ManagedTensor*>(nullptr)), StatusIs(StatusCode::kInvalidArgument));
}

TEST(Dlpack, ExportSharesTheBytesUntilDeleted) {
  auto owner = std::make_shared<std::vector<float>>(6);
  const std::weak_ptr<std::vector<float>> watch = owner;
  ManagedTensor* managed = nullptr;
  {
    float* data = owner->data();
    AXLE_ASSERT_OK_AND_ASSIGN(const Tensor tensor, Tensor::borrow(DataType::kFloat32, {2, 3}, data, 24, std::move(owner)));
    AXLE_ASSERT_OK_AND_ASSIGN(managed, to_dlpack(tensor));
    EXPECT_EQ(managed->view.data, data);
  }
  EXPECT_FALSE(watch.expired());
  EXPECT_EQ(managed->view.strides[0], 3);
  managed->deleter(managed);
  EXPECT_TRUE(watch.expired());
}

TEST(Dlpack, EveryTypeRoundTrips) {
  for (int i = 1; i < kDataTypeCount; ++i) {
    const auto type = static_cast<DataType>(i);
    AXLE_ASSERT_OK_AND_ASSIGN(const Tensor tensor, Tensor::allocate(type, {3}));
    const auto managed = to_dlpack_versioned(tensor);
    if (type == DataType::kString) {
      EXPECT_THAT(managed, StatusIs(StatusCode::kInvalidArgument, "string"));
      continue;
    }
    ASSERT_THAT(managed, IsOk()) << data_type_name(type);
    AXLE_ASSERT_OK_AND_ASSIGN(const Tensor back, from_dlpack(*managed));
    EXPECT_EQ(back.dtype(), type);
    EXPECT_EQ(back.data(), tensor.data());
  }
  EXPECT_THAT(to_dlpack(Tensor()), StatusIs(StatusCode::kInvalidArgument));
}

TEST(Dlpack, ReadOnlyIsSaidOrRefused) {
  const float value = 1;
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor tensor, Tensor::borrow_const(DataType::kFloat32, {1}, &value, 4));
  EXPECT_THAT(to_dlpack(tensor), StatusIs(StatusCode::kFailedPrecondition, "read-only"));
  AXLE_ASSERT_OK_AND_ASSIGN(ManagedTensorVersioned* const managed, to_dlpack_versioned(tensor));
  EXPECT_EQ(managed->flags, kReadOnly);
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor back, from_dlpack(managed));
  EXPECT_TRUE(back.read_only());
}

TEST(Dlpack, OtherMajorVersionsAndPaddedElementsAreRefused) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor tensor, Tensor::allocate(DataType::kInt4, {3}));
  AXLE_ASSERT_OK_AND_ASSIGN(ManagedTensorVersioned* const managed, to_dlpack_versioned(tensor));
  managed->flags = kSubBytePadded;
  EXPECT_THAT(from_dlpack(managed), StatusIs(StatusCode::kUnimplemented, "padded"));
  managed->version.major = 2;
  EXPECT_THAT(from_dlpack(managed), StatusIs(StatusCode::kUnimplemented, "version 2.1"));
  managed->deleter(managed);
}

}  // namespace
}  // namespace axle
