#include "settings.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace axle::ort {
namespace {

kit::Options options_of(const std::vector<axle_option_t>& entries) { return {entries.data(), entries.size()}; }
axle_option_t entry(std::string_view key, std::string_view value) { return {kit::to_text(key), kit::to_text(value)}; }

TEST(Settings, AreDeclaredWithTheDefaultsInForce) {
  const std::map<std::string, std::string> defaults = to_texts(Settings{});
  std::set<std::string> declared;
  for (const kit::Option& option : option_table({"cpu"})) {
    declared.insert(option.name);
    EXPECT_EQ(defaults.at(option.name), option.default_value) << option.name;
    EXPECT_FALSE(option.description.empty()) << option.name;
    EXPECT_TRUE(option.affects_numerics || option.affects_speed || option.affects_memory) << option.name;
  }
  EXPECT_EQ(declared.size(), defaults.size());
}

TEST(Settings, ParseEveryDeclaredValueBack) {
  for (const kit::Option& option : option_table({"cpu"})) {
    std::vector<std::string> values = option.choices;
    if (option.type == kit::OptionType::kBoolean) values = {"true", "false"};
    if (option.type == kit::OptionType::kInteger)
      values = {std::to_string(static_cast<int64_t>(*option.minimum)), std::to_string(static_cast<int64_t>(*option.maximum))};
    for (const std::string& value : values) {
      EXPECT_EQ(to_texts(parse_settings(options_of({entry(option.name, value)}))).at(option.name), value) << option.name;
    }
  }
}

TEST(Settings, RefuseWhatIsNotDeclared) {
  EXPECT_THROW(parse_settings(options_of({entry("grpah_level", "all")})), kit::Error);
  EXPECT_THROW(parse_settings(options_of({entry("graph_optimization_level", "most")})), kit::Error);
  EXPECT_THROW(parse_settings(options_of({entry("inter_op_threads", "0")})), kit::Error);
  EXPECT_THROW(parse_settings(options_of({entry("inter_op_threads", "1000000")})), kit::Error);
  EXPECT_THROW(parse_settings(options_of({entry("arena", "yes")})), kit::Error);
}

TEST(Presets, ParseAndStayWithinTheLimit) {
  EXPECT_LE(preset_table().size(), 16u);
  for (const kit::Preset& preset : preset_table()) {
    std::vector<axle_option_t> entries;
    for (const auto& [key, value] : preset.options) entries.push_back(entry(key, value));
    EXPECT_NO_THROW(parse_settings(options_of(entries))) << preset.name;
  }
}

TEST(DataTypes, MapBothWays) {
  for (int32_t onnx = 1; onnx < static_cast<int32_t>(kit::kDataTypeNames.size()); ++onnx) {
    EXPECT_EQ(from_vendor_type(to_vendor_type(onnx)), onnx) << kit::data_type_name(onnx);
  }
  EXPECT_EQ(to_vendor_type(9999), ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED);
}

TEST(VendorErrors, KeepTheirMeaning) {
  EXPECT_EQ(code_of(ORT_INVALID_ARGUMENT, ""), AXLE_INVALID_ARGUMENT);
  EXPECT_EQ(code_of(ORT_RUNTIME_EXCEPTION, "std::bad_alloc"), AXLE_RESOURCE_EXHAUSTED);
  EXPECT_EQ(code_of(ORT_FAIL, "Exiting due to terminate flag being set to true."), AXLE_CANCELLED);
  EXPECT_EQ(code_of(ORT_FAIL, "something else"), AXLE_UNKNOWN);
}

}  // namespace
}  // namespace axle::ort
