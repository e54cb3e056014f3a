// How weights are cut over banks, what does not fit, and what the model says that it costs.
#include "bank_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "axle/device_profile.h"

namespace axle::pim {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kMebibyte = uint64_t{1} << 20;

Geometry small_banks(int64_t banks, uint64_t mebibytes) {
  Geometry geometry;
  geometry.banks = banks;
  geometry.bank_bytes = mebibytes * kMebibyte;
  return geometry;
}

TEST(CutRows, GivesEveryRowOneBankAndEveryBankTheSameRoom) {
  std::mt19937 random(7);
  for (int i = 0; i < 2000; ++i) {
    const Geometry geometry = small_banks(1 + random() % 300, 5 + random() % 60);
    const int64_t rows = 1 + random() % 5000;
    const uint64_t row_bytes = 1 + random() % 3000;
    const Cut cut = cut_rows(geometry, rows, row_bytes, 1 + random() % 400, 0);
    if (!cut.fits()) continue;
    const Layout& layout = cut.layout;
    ASSERT_LE(layout.banks, geometry.banks);
    ASSERT_EQ(layout.rows_per_bank % 2, 0);
    ASSERT_EQ(layout.padded_row_bytes() % kWordBytes, 0u);
    ASSERT_GE(layout.padded_row_bytes(), row_bytes);
    ASSERT_LE(layout.bank_bytes() + kExchangeBytes, geometry.bank_bytes);
    int64_t held = 0;
    for (int64_t bank = 0; bank < layout.banks; ++bank) {
      ASSERT_GT(layout.row_count(bank), 0) << "an empty bank";
      ASSERT_EQ(layout.first_row(bank), held);
      ASSERT_EQ(layout.bank_of(held), bank);
      held += layout.row_count(bank);
    }
    ASSERT_EQ(held, rows);
  }
}

TEST(CutRows, TakesMoreBanksThanWantedWhereFewerHoldLess) {
  const Geometry geometry = small_banks(64, 5);  // 1 MiB of each is left for weights
  const Cut cut = cut_rows(geometry, 4096, 1024, 1, 0);
  ASSERT_TRUE(cut.fits()) << cut.refusal;
  EXPECT_EQ(cut.layout.banks, 4);
  EXPECT_EQ(cut.layout.rows_per_bank, 1024);
}

TEST(CutRows, SaysWhatDoesNotFit) {
  const Geometry geometry = small_banks(4, 5);
  EXPECT_THAT(cut_rows(geometry, 8192, 1024, 4, 0).refusal,
              HasSubstr("8192 rows of 1024 bytes need 2.0 MiB in each of 4 banks: 1.0 MiB of 5.0 MiB are left in each bank"));
  EXPECT_THAT(cut_rows(geometry, 2, 600 * 1024, 4, 0).refusal, HasSubstr("two rows of 614400 bytes do not fit into a bank"));
  EXPECT_TRUE(cut_rows(geometry, 4096, 1024, 4, 0).fits());
  EXPECT_THAT(cut_rows(geometry, 4096, 1024, 4, kMebibyte).refusal, HasSubstr("0.0 MiB of 5.0 MiB are left"));
}

TEST(ProductBanks, MoreWorkIsSharedByMoreBanks) {
  const Geometry geometry;
  const int64_t few = product_banks(geometry, 64, 64, 1, byte_cycles());
  const int64_t many = product_banks(geometry, 65536, 4096, 1, byte_cycles());
  EXPECT_LT(few, many);
  EXPECT_LE(many, geometry.banks);
  EXPECT_GE(few, 1);
}

// It is the least: neither half nor twice as many banks are faster.
TEST(ProductBanks, IsTheFastestNumber) {
  const Geometry geometry;
  for (const int64_t rows : {256, 4096, 30000}) {
    constexpr int64_t kLength = 1024;
    const int64_t best = product_banks(geometry, rows, kLength, 4, float_cycles());
    const auto time = [&](int64_t banks) {
      const Cut cut = cut_rows(geometry, rows, kLength * 4, banks, 0);
      return product_cost(geometry, cut.layout, kLength, 4, float_cycles(), 0).modelled_ns;
    };
    EXPECT_LE(static_cast<double>(time(best)), 1.15 * static_cast<double>(time(std::max<int64_t>(best / 2, 1)))) << rows;
    EXPECT_LE(static_cast<double>(time(best)), 1.15 * static_cast<double>(time(std::min(best * 2, geometry.banks)))) << rows;
  }
}

TEST(Costs, CountWhatArrivesAndWhatLeaves) {
  const Geometry geometry = small_banks(4, 64);
  const Layout layout = cut_rows(geometry, 7, 12, 4, 0).layout;  // 2, 2, 2 and 1 rows of 3 floats, padded to 16 bytes
  ASSERT_EQ(layout, (Layout{7, 12, 4, 2}));
  EXPECT_EQ(residence_cost(geometry, layout).to_banks_bytes, 4u * 2 * 16);
  const Cost product = product_cost(geometry, layout, 3, 4, float_cycles(), 0);
  EXPECT_EQ(product.to_banks_bytes, 4u * 16);  // the vector, to each
  EXPECT_EQ(product.from_banks_bytes, 4u * 8);  // two results of each, the last one's padding with them
  EXPECT_EQ(product.bank_cycles, 2u * 3 * float_cycles().multiply_add);
  EXPECT_GT(product.modelled_ns, geometry.launch_ns);
  const Cost lookup = lookup_cost(geometry, layout, 3, 2);  // three of one bank, fewer of another
  EXPECT_EQ(lookup.to_banks_bytes, 2u * 16);
  EXPECT_EQ(lookup.from_banks_bytes, 2u * 3 * 16);
  EXPECT_EQ(lookup_cost(geometry, layout, 0, 0).modelled_ns, 0u);
  const Cost sum = elementwise_cost(geometry, 10, 4, 2, float_cycles().add);
  EXPECT_EQ(sum.from_banks_bytes, 3u * 16);  // four numbers in each of three banks
  EXPECT_EQ(sum.to_banks_bytes, 2u * sum.from_banks_bytes);
}

TEST(Costs, BytesAreMuchFasterThanFloats) {
  const Geometry geometry;
  const Layout layout = cut_rows(geometry, 8192, 8192, geometry.banks, 0).layout;
  const Cost bytes = product_cost(geometry, layout, 8192, 1, byte_cycles(), 0);
  const Cost floats = product_cost(geometry, layout, 8192, 4, float_cycles(), 0);
  EXPECT_GT(floats.bank_cycles, 20 * bytes.bank_cycles);
}

// What is run and what is planned for are one device.
TEST(Geometry, IsThatOfTheProfile) {
  const auto& known = known_device_profiles();
  const auto found =
      std::find_if(known.begin(), known.end(), [](const DeviceProfile& p) { return p.name == "upmem-pim-20dimm"; });
  ASSERT_NE(found, known.end());
  const BankFigures& banks = found->banks;
  const Geometry geometry;
  EXPECT_EQ(banks.count.value, static_cast<uint64_t>(geometry.banks));
  EXPECT_EQ(banks.memory.value, geometry.bank_bytes);
  EXPECT_EQ(banks.working_memory.value, geometry.working_bytes);
  EXPECT_EQ(banks.frequency.value, geometry.megahertz);
  EXPECT_EQ(banks.to_banks.value, geometry.to_banks);
  EXPECT_EQ(banks.broadcast.value, geometry.broadcast);
  EXPECT_EQ(banks.from_banks.value, geometry.from_banks);
  EXPECT_EQ(found->node_launch.value, geometry.launch_ns);
}

}  // namespace
}  // namespace axle::pim
