#include "base/json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "base/testing/status_matchers.h"

namespace axle {
namespace {

using testing::IsOk;
using testing::IsOkAndHolds;
using testing::StatusIs;

std::string number_text(uint64_t bits) {
  double value = 0;
  std::memcpy(&value, &bits, sizeof value);
  return canonical_json(Json(value)).value_or("?");
}

// RFC 8785, appendix B.
TEST(CanonicalJson, WritesNumbersAsEcmascriptDoes) {
  EXPECT_EQ(number_text(0x0000000000000000), "0");
  EXPECT_EQ(number_text(0x8000000000000000), "0");
  EXPECT_EQ(number_text(0x0000000000000001), "5e-324");
  EXPECT_EQ(number_text(0x8000000000000001), "-5e-324");
  EXPECT_EQ(number_text(0x7fefffffffffffff), "1.7976931348623157e+308");
  EXPECT_EQ(number_text(0x4340000000000000), "9007199254740992");
  EXPECT_EQ(number_text(0x4430000000000000), "295147905179352830000");
  EXPECT_EQ(number_text(0x44b52d02c7e14af5), "9.999999999999997e+22");
  EXPECT_EQ(number_text(0x44b52d02c7e14af6), "1e+23");
  EXPECT_EQ(number_text(0x444b1ae4d6e2ef4e), "999999999999999700000");
  EXPECT_EQ(number_text(0x444b1ae4d6e2ef50), "1e+21");
  EXPECT_EQ(number_text(0x3eb0c6f7a0b5ed8c), "9.999999999999997e-7");
  EXPECT_EQ(number_text(0x3eb0c6f7a0b5ed8d), "0.000001");
  EXPECT_EQ(number_text(0x41b3de4355555553), "333333333.3333332");
  EXPECT_EQ(number_text(0xbecbf647612f3696), "-0.0000033333333333333333");
  EXPECT_EQ(number_text(0x43143ff3c1cb0959), "1424953923781206.2");
}

TEST(CanonicalJson, KeepsIntegersExact) {
  const Json value = {std::numeric_limits<int64_t>::min(), std::numeric_limits<uint64_t>::max(), -1, 1.0};
  EXPECT_THAT(canonical_json(value), IsOkAndHolds("[-9223372036854775808,18446744073709551615,-1,1]"));
}

TEST(CanonicalJson, RefusesWhatJsonCannotSay) {
  EXPECT_THAT(canonical_json(Json(std::nan(""))), StatusIs(StatusCode::kInvalidArgument, "NaN"));
  EXPECT_THAT(canonical_json(Json(INFINITY)), StatusIs(StatusCode::kInvalidArgument, "infinite"));
  EXPECT_THAT(canonical_json(Json("\xff")), StatusIs(StatusCode::kInvalidArgument, "UTF-8"));
  EXPECT_THAT(canonical_json(Json{{"\xed\xa0\x80", 1}}), StatusIs(StatusCode::kInvalidArgument, "UTF-8"));
}

TEST(CanonicalJson, SortsKeysByUtf16AndEscapesMinimally) {
  Json object;
  object["\xef\xac\xb3"] = 1;      // U+FB33
  object["\xf0\x9f\x98\x80"] = 2;  // U+1F600: before U+FB33 in UTF-16
  object["1"] = "\x01\n\"\\/\xe2\x82\xac";
  object["10"] = nullptr;
  object["\r"] = Json::array({true, Json::object()});
  EXPECT_THAT(canonical_json(object), IsOkAndHolds("{\"\\r\":[true,{}],\"1\":\"\\u0001\\n\\\"\\\\/\xe2\x82\xac\",\"10\":null,"
                                                   "\"\xf0\x9f\x98\x80\":2,\"\xef\xac\xb3\":1}"));
}

TEST(CanonicalJson, ReadsBackToTheSameBytes) {
  const std::string text = R"({"a":[1,2.5,-3e-9,"x"],"b":{"c":null,"d":false}})";
  AXLE_ASSERT_OK_AND_ASSIGN(const Json value, parse_json(text));
  EXPECT_THAT(canonical_json(value), IsOkAndHolds(R"({"a":[1,2.5,-3e-9,"x"],"b":{"c":null,"d":false}})"));
}

TEST(ParseJson, NamesLineAndColumn) {
  EXPECT_THAT(parse_json("{\n  \"a\": 1,\n  oops\n}"), StatusIs(StatusCode::kInvalidArgument, "line 3, column 3"));
  EXPECT_THAT(parse_json("[1, 2"), StatusIs(StatusCode::kInvalidArgument, "line 1"));
  EXPECT_THAT(parse_json(""), StatusIs(StatusCode::kInvalidArgument, "line 1, column 1"));
  EXPECT_THAT(parse_json("1 2"), StatusIs(StatusCode::kInvalidArgument, "line 1, column 3"));
  EXPECT_THAT(parse_json("1e999"), StatusIs(StatusCode::kInvalidArgument, "range"));
}

TEST(ParseJson, RefusesDuplicateKeys) {
  EXPECT_THAT(parse_json("{\"a\": 1,\n\"a\": 2}"), StatusIs(StatusCode::kInvalidArgument, "line 2"));
  EXPECT_THAT(parse_json(R"([{"a":1},{"a":2}])"), IsOk());
}

TEST(ParseJson, BoundsDepthAndSize) {
  EXPECT_THAT(parse_json("[[[[1]]]]", 100, 4), IsOk());
  EXPECT_THAT(parse_json("[[[[[1]]]]]", 100, 4), StatusIs(StatusCode::kInvalidArgument, "deeper than 4"));
  EXPECT_THAT(parse_json(std::string(100000, '[')), StatusIs(StatusCode::kInvalidArgument, "deeper"));
  EXPECT_THAT(parse_json("[1, 2, 3]", 5), StatusIs(StatusCode::kInvalidArgument, "limit of 5"));
}

TEST(ParseJson, RefusesInvalidUtf8AndLoneSurrogates) {
  EXPECT_THAT(parse_json("\"\xff\""), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(parse_json(R"("\ud800")"), StatusIs(StatusCode::kInvalidArgument));
}

TEST(JsonReader, ReadsEveryKind) {
  const Json object = {{"t", "x"},
                       {"i", 7},
                       {"n", 0.5},
                       {"b", true},
                       {"ts", {"a", "b"}},
                       {"is", {1, 2}},
                       {"o", Json::object()},
                       {"a", Json::array({1})},
                       {"e", 1e3}};
  JsonReader reader(object, "thing");
  EXPECT_EQ(reader.text("t"), "x");
  EXPECT_EQ(reader.integer("i"), 7);
  EXPECT_EQ(reader.number("n"), 0.5);
  EXPECT_EQ(reader.number("i"), 7.0);
  EXPECT_TRUE(reader.boolean("b"));
  EXPECT_EQ(reader.texts_or_empty("ts"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(reader.integers_or_empty("is"), (std::vector<int64_t>{1, 2}));
  EXPECT_TRUE(reader.object("o").is_object());
  EXPECT_EQ(reader.array("a").size(), 1u);
  EXPECT_EQ(reader.integer("e"), 1000);
  EXPECT_EQ(reader.text_or("absent", "z"), "z");
  EXPECT_EQ(reader.integer_or("absent", 3), 3);
  EXPECT_EQ(reader.optional("absent"), nullptr);
  EXPECT_THAT(reader.finish(), IsOk());
}

TEST(JsonReader, NamesTheNearestKnownKey) {
  const Json object = {{"treads", 2}};
  JsonReader reader(object, "policy.execution");
  EXPECT_EQ(reader.integer_or("threads", 1), 1);
  const Status status = reader.finish();
  EXPECT_THAT(status, StatusIs(StatusCode::kInvalidArgument, "policy.execution has the unknown key \"treads\""));
  EXPECT_EQ(status.hint(), "did you mean \"threads\"?");
}

TEST(JsonReader, FirstFailureSticks) {
  const Json object = {{"a", "text"}, {"b", 1}};
  JsonReader reader(object, "x");
  EXPECT_EQ(reader.integer("a"), 0);
  EXPECT_EQ(reader.integer_or("b", 9), 9);
  EXPECT_TRUE(reader.array("c").is_null());
  EXPECT_THAT(reader.finish(), StatusIs(StatusCode::kInvalidArgument, "x.a must be an integer, not string"));
}

TEST(JsonReader, RefusesWrongTypes) {
  const auto read = [](const Json& object, auto&& access) {
    JsonReader reader(object, "x");
    access(reader);
    return reader.finish();
  };
  EXPECT_THAT(read(Json(3), [](JsonReader&) {}), StatusIs(StatusCode::kInvalidArgument, "must be an object"));
  EXPECT_THAT(read(Json::object(), [](JsonReader& r) { r.text("k"); }), StatusIs(StatusCode::kInvalidArgument, "lacks"));
  EXPECT_THAT(read({{"k", 0.5}}, [](JsonReader& r) { r.integer("k"); }), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(read({{"k", UINT64_MAX}}, [](JsonReader& r) { r.integer("k"); }), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(read({{"k", {1, "a"}}}, [](JsonReader& r) { r.texts_or_empty("k"); }), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(read({{"k", 1}}, [](JsonReader& r) { r.integers_or_empty("k"); }), StatusIs(StatusCode::kInvalidArgument));
}

TEST(NearestWord, FindsTyposAndNothingElse) {
  const std::vector<std::string> words = {"latency", "throughput", "energy"};
  EXPECT_EQ(nearest_word("latancy", words), "latency");
  EXPECT_EQ(nearest_word("enregy", words), "energy");
  EXPECT_EQ(nearest_word("zebra", words), "");
  EXPECT_EQ(nearest_word("", words), "");
}

}  // namespace
}  // namespace axle
