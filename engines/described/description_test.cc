#include "description.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "patterns.h"
#include "placeholders.h"
#include "vendor_function.h"

namespace axle::described {
namespace {

using axle::testing::IsOk;
using axle::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

std::string fake_description(const std::string& name) {
  const auto text = read_file(std::string(AXLE_SOURCE_DIR) + "/tests/fakevendor/" + name, kMaxDescriptionBytes);
  EXPECT_THAT(text, IsOk());
  return text.value_or("");
}

// The FAKE description with `before` replaced by `after`, parsed.
Result<Description> changed(const std::string& before, const std::string& after) {
  std::string text = fake_description("fakenpu.toml");
  const size_t at = text.find(before);
  EXPECT_NE(at, std::string::npos) << before;
  if (at != std::string::npos) text.replace(at, before.size(), after);
  return parse_description(text, "npu.toml");
}

TEST(VendorShape, HasOnesBeforeItUpToTheLeastRank) {
  const auto text = [](std::vector<int64_t> sizes, size_t least_rank) -> std::string {
    const auto shape = vendor_shape(sizes, least_rank);
    if (!shape) return shape.error().message();
    std::string out = std::to_string(shape->rank) + ":";
    for (int32_t i = 0; i < shape->rank; ++i) out += " " + std::to_string(shape->sizes[static_cast<size_t>(i)]);
    return out;
  };
  EXPECT_EQ(text({}, 0), "0:");
  EXPECT_EQ(text({}, 1), "1: 1");
  EXPECT_EQ(text({5}, 1), "1: 5");
  EXPECT_EQ(text({5}, 3), "3: 1 1 5");
  EXPECT_EQ(text({1, 2, 3, 4, 5, 6, 7, 8}, 1), "8: 1 2 3 4 5 6 7 8");
  EXPECT_THAT(text({1, 2, 3, 4, 5, 6, 7, 8, 9}, 1), HasSubstr("at most 8 sizes"));
  EXPECT_THAT(text({int64_t{1} << 31}, 1), HasSubstr("of 32 bits"));
}

TEST(Description, LeastRankIsOfTheRuntime) {
  const std::string before = "file = \"program.fnpu\"\n\n[runtime.functions]";
  const auto read = changed(before, "file = \"program.fnpu\"\nleast_rank = 1\n\n[runtime.functions]");
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->runtime.least_rank, 1u);
  EXPECT_THAT(changed(before, "file = \"program.fnpu\"\nleast_rank = 9\n\n[runtime.functions]"),
              StatusIs(StatusCode::kInvalidArgument, "least_rank"));
}

TEST(Description, ReadsConfigFileCompilerAndLibraryRuntime) {
  const auto read = parse_description(fake_description("fakenpu.toml"), "npu.toml");
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->info.name, "fakenpu");
  EXPECT_TRUE(read->info.closed);
  EXPECT_TRUE(read->simulated);
  EXPECT_TRUE(read->resource.simulated);
  EXPECT_EQ(read->resource.id, "fakenpu:0");
  EXPECT_EQ(read->resource.memory_bytes, 64u << 20);
  ASSERT_THAT(read->tools, SizeIs(2));
  EXPECT_TRUE(read->tools[1].is_library);
  ASSERT_THAT(read->compile, SizeIs(2));
  EXPECT_THAT(read->compile[0].configs, SizeIs(1));
  EXPECT_EQ(read->compile[0].timeout_ns, 5'000'000'000);
  EXPECT_EQ(read->compile[0].memory_bytes, 1u << 30);
  EXPECT_EQ(read->compile[0].success.reports.at(0).json, "/npu_operators");
  EXPECT_THAT(read->artefact_files, ElementsAre("program.fnpu"));
  EXPECT_EQ(read->runtime.kind, RuntimeKind::kLibrary);
  EXPECT_THAT(read->runtime.functions.at("load").at(0).arguments, ElementsAre("path"));
  EXPECT_EQ(read->failures.size(), 5u);
  EXPECT_TRUE(read->capability.needs_compile);
}

TEST(Description, ReadsCommandRuntime) {
  const auto read = parse_description(fake_description("fakenpu_cli.toml"), "npu.toml");
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->runtime.kind, RuntimeKind::kCommand);
  EXPECT_EQ(read->runtime.input_files, TensorFiles::kRaw);
  EXPECT_EQ(read->runtime.input_file, "input${index}.bin");
  EXPECT_EQ(read->runtime.step.argv.at(3).each, "input");
}

TEST(Description, APortableArtefactNeedsTheVersionOfWhatCompilesIt) {
  EXPECT_THAT(changed("[artefact]\n", "[artefact]\nportable = true\n"), IsOk());
  std::string text = fake_description("fakenpu.toml");
  for (const std::string& line : {std::string("version_argv = [\"--version\"]\n"), std::string("versions = \">=1.2, <2\"\n"),
                                  std::string("version_pattern = \"fakenpu-compile FAKE ([0-9.]+)\"\n")})
    text.erase(text.find(line), line.size());
  EXPECT_THAT(parse_description(text, "npu.toml"), IsOk());
  text.insert(text.find("files = [\"program.fnpu\"]"), "portable = true\n");
  EXPECT_THAT(parse_description(text, "npu.toml"),
              StatusIs(StatusCode::kInvalidArgument, "needs a version of the tool \"compiler\", which compiles"));
}

struct Refusal {
  const char* before;
  const char* after;
  const char* message;
};

class DescriptionRefusal : public ::testing::TestWithParam<Refusal> {};

TEST_P(DescriptionRefusal, NamesPlaceAndCause) {
  const auto read = changed(GetParam().before, GetParam().after);
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(read.status().to_string(), HasSubstr(GetParam().message));
  EXPECT_THAT(read.status().message(), ::testing::StartsWith("npu.toml:"));
}

INSTANTIATE_TEST_SUITE_P(
    All, DescriptionRefusal,
    ::testing::Values(
        Refusal{"simulated = true", "simulatd = true", "engine.simulated is missing"},
        Refusal{"deterministic = true", "deterministc = true",
                "npu.toml:13:1: unknown key \"deterministc\" in [engine] (did you mean \"deterministic\"?)"},
        Refusal{"format = 1", "format = 2", "format 2 is not known; this axle reads 1"},
        Refusal{"backend = \"FAKE NPU, computed on the host's CPU\"\n", "", "engine.backend is missing or empty"},
        Refusal{"name = \"fakenpu\"", "name = \"Fake NPU\"", "\"Fake NPU\" is no engine name"},
        Refusal{"kind = \"npu\"", "kind = \"gpus\"", "resource.kind is \"gpus\" (one of cpu, gpu, npu"},
        Refusal{"memory = \"64MiB\"", "memory = \"many\"", "npu.toml:18:10: \"many\" is not a size"},
        Refusal{"version_pattern = \"fakenpu-compile FAKE ([0-9.]+)\"", "version_pattern = \"[0-9\"", "is wrong"},
        Refusal{"version_pattern = \"fakenpu-compile FAKE ([0-9.]+)\"", "version_pattern = \"x\"", "needs a group"},
        Refusal{"versions = \">=1.2, <2\"", "versions = \"newest\"", "\"newest\" is no version range"},
        Refusal{"dtypes = [\"f32\"]\nprecisions", "dtypes = [\"float\"]\nprecisions", "\"float\" is no element type"},
        Refusal{"default = \"1\"", "default = \"9\"", "the default \"9\" of the option \"level\" is not within its bounds"},
        Refusal{"${option.level}", "${option.levl}", "the placeholder ${option.levl} has no meaning here"},
        Refusal{"${work}/compile.cfg\"]", "${wrk}/compile.cfg\"]", "the placeholder ${wrk} has no meaning here"},
        Refusal{"progress = \"progress ([0-9]+)%\"", "progress = \"progress ([0-9]{1,3})%\"", "counts repetitions"},
        Refusal{"json = \"/npu_operators\"", "json = \"npu_operators\"", "a JSON pointer begins with '/'"},
        Refusal{"minimum = 1\n", "", "a report needs minimum, maximum or equals"},
        Refusal{"timeout = \"5s\"", "timeout = \"0s\"", "a timeout lies between"},
        Refusal{"files = [\"program.fnpu\"]", "files = [\"../program.fnpu\"]", "is no name for a file of an artefact"},
        Refusal{"[[artefact.compatibility]]\nname = \"chip\"\nargv = [\"${tool.compiler}\", \"--info\", "
                "\"${artefact}/program.fnpu\"]\n"
                "pattern = \"chip: (.+)\"\n",
                "portable = true\n", "artefact.portable needs artefact.compatibility"},
        Refusal{"[artefact]\n", "[artefact]\nportable = \"yes\"\n", "artefact.portable"},
        Refusal{"versions = \">=1.2, <2\"\n", "versions = \">=1.2, <2\"\nonly_to_compile = true\n",
                "the placeholder ${tool.compiler} has no meaning here"},
        Refusal{"code = \"DATA_LOSS\"", "code = \"OK\"", "\"OK\" is no code of a failure"},
        Refusal{"signature = \"handle(path)\"", "signature = \"handle(file)\"", "\"file\" is no argument"},
        Refusal{"signature = \"handle(path)\"", "signature = \"status(path)\"", "gives the handle"},
        Refusal{"unload = {", "unlod = {", "runtime.functions.unload is missing"},
        Refusal{"library = \"runtime\"", "library = \"compiler\"", "there is no tool \"compiler\" of kind library"},
        Refusal{"[resource]\n", "[ressource]\n", "the section [resource] is missing"},
        Refusal{"[[tool]]\nname = \"runtime\"", "[[tool]]\nname = \"compiler\"", "there are two tools named \"compiler\""}));

std::string whole_runtime(const std::string& runtime) {
  std::string text = fake_description("fakenpu.toml");
  return text.substr(0, text.find("[runtime]")) + runtime;
}

constexpr const char* kOwnTensors = R"toml([runtime]
kind = "library"
library = "runtime"
[runtime.functions]
load = [
  { symbol = "open", library = "runtime", signature = "status(&device, 0)" },
  { symbol = "load", signature = "handle(@device:i32, path)" },
  { symbol = "tensors", signature = "void(handle, &first, &count, &out)" },
]
run = { symbol = "forward", signature = "bool(handle, @first, @count:i32, @out[0])" }
unload = { symbol = "free", signature = "void(handle)" }
[runtime.tensors]
inputs = "first"
outputs = "out"
input_count = "count"
stride = 64
data = { symbol = "data", signature = "handle(tensor)" }
size = { symbol = "bytes", signature = "size(tensor)" }
)toml";

TEST(Description, ReadsCallsVariablesAndTensorsOfTheRuntime) {
  const auto read = parse_description(whole_runtime(kOwnTensors), "npu.toml");
  ASSERT_THAT(read, IsOk());
  ASSERT_THAT(read->runtime.functions.at("load"), SizeIs(3));
  EXPECT_EQ(read->runtime.functions.at("load")[0].library, "runtime");
  EXPECT_THAT(read->runtime.functions.at("run").at(0).arguments, ElementsAre("handle", "@first", "@count:i32", "@out[0]"));
  EXPECT_EQ(read->runtime.tensors.stride, 64u);
  EXPECT_EQ(read->runtime.tensors.data.symbol, "data");
}

TEST(Description, WhatNothingSetsIsRefused) {
  for (const auto& [before, after, message] :
       {std::tuple<std::string, std::string, std::string>{"&first, ", "", "nothing sets @first"},
        {"input_count = \"count\"", "input_count = \"counts\"", "nothing sets \"counts\""},
        {"@count:i32", "@count:i8", "only numbers have a type"},
        {"&count", "&Count", "\"&Count\" is no argument"},
        {"\"size(tensor)\"", "\"status(tensor)\"", "size is a function \"size(tensor)\""},
        {"stride = 64", "", "stride is missing"},
        {"library = \"runtime\", signature", "library = \"compiler\", signature",
         "there is no tool \"compiler\" of kind library"}}) {
    std::string runtime = kOwnTensors;
    ASSERT_NE(runtime.find(before), std::string::npos) << before;
    runtime.replace(runtime.find(before), before.size(), after);
    EXPECT_THAT(parse_description(whole_runtime(runtime), "npu.toml"), StatusIs(StatusCode::kInvalidArgument, message));
  }
}

TEST(Description, CompilerWithoutARuntimeSaysWhy) {
  const auto read =
      parse_description(whole_runtime("[runtime]\nkind = \"none\"\nreason = \"it sits in a toaster\"\n"), "npu.toml");
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->runtime.kind, RuntimeKind::kNone);
  EXPECT_EQ(read->resource.attributes.at("runs"), "no");
  EXPECT_THAT(parse_description(whole_runtime("[runtime]\nkind = \"none\"\n"), "npu.toml"),
              StatusIs(StatusCode::kInvalidArgument, "runtime.reason is missing"));
}

TEST(Description, GroupsStandForAnOption) {
  const auto read =
      changed("argv = [\"${tool.compiler}\", \"--config\"",
              "argv = [\"${tool.compiler}\", { when = \"${option.level}\", is = \"3\", args = [\"-O3\"] }, \"--config\"");
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->compile[0].argv.at(1).when, "${option.level}");
  EXPECT_THAT(changed("argv = [\"${tool.compiler}\", \"--config\"",
                      "argv = [\"${tool.compiler}\", { when = \"${option.levl}\", is = \"3\", args = [] }, \"--config\""),
              StatusIs(StatusCode::kInvalidArgument, "${option.levl} has no meaning here"));
}

// All that come with axle can be read.
TEST(Description, ThoseThatComeWithAxleAreRead) {
  const auto files = list_dir(std::string(AXLE_SOURCE_DIR) + "/descriptions");
  ASSERT_THAT(files, IsOk());
  size_t read = 0;
  for (const DirEntry& file : *files) {
    if (!file.name.ends_with(".toml")) continue;
    const auto description = load_description(std::string(AXLE_SOURCE_DIR) + "/descriptions/" + file.name);
    EXPECT_THAT(description, IsOk());
    if (description.ok()) {
      EXPECT_EQ(description->info.name + ".toml", file.name);
    }
    ++read;
  }
  EXPECT_GE(read, 9u);
}

TEST(Description, SyntaxErrorNamesPlace) {
  EXPECT_THAT(parse_description("format = 1\n[engine\n", "npu.toml"), StatusIs(StatusCode::kInvalidArgument, "npu.toml:2:"));
}

TEST(Description, DamagedTextIsRefusedOrReadButNeverMore) {
  const std::string whole = fake_description("fakenpu.toml");
  size_t read = 0;
  for (size_t i = 0; i < whole.size(); i += 11) {
    EXPECT_FALSE(parse_description(whole.substr(0, i), "npu.toml").ok()) << i;
    std::string changed = whole;
    changed[i] = static_cast<char>(changed[i] ^ 0x12);
    const auto again = parse_description(changed, "npu.toml");
    read += again.ok() ? 1 : 0;
    if (!again.ok()) {
      EXPECT_EQ(again.status().code(), StatusCode::kInvalidArgument);
    }
  }
  EXPECT_GT(read, 0u) << "comments and descriptions may hold anything";
}

TEST(Description, FileThatEverybodyMayWriteIsRefused) {
  const auto scratch = ScratchDir::create();
  ASSERT_THAT(scratch, IsOk());
  const std::string path = scratch->file("npu.toml");
  ASSERT_THAT(write_file_atomic(path, fake_description("fakenpu.toml")), IsOk());
  ASSERT_THAT(load_description(path), IsOk());
  ASSERT_EQ(::chmod(path.c_str(), 0666), 0);
  EXPECT_THAT(load_description(path), StatusIs(StatusCode::kPermissionDenied, "everybody may write it"));
}

TEST(VersionRange, ComparesNumbersNotText) {
  const auto bounds = parse_version_bounds(">=1.2, <2");
  ASSERT_THAT(bounds, IsOk());
  EXPECT_TRUE(version_within("1.10.3", *bounds));
  EXPECT_TRUE(version_within("1.2", *bounds));
  EXPECT_TRUE(version_within("1.2.0-rc1", *bounds));
  EXPECT_FALSE(version_within("1.1.99", *bounds));
  EXPECT_FALSE(version_within("2.0", *bounds));
}

TEST(Placeholders, ExpandOnceAndKeepDollars) {
  EXPECT_EQ(*expand("${a}-$$-$5-${a}", {{"a", "${b}"}}), "${b}-$-$5-${b}");
  EXPECT_THAT(expand("${c}", {}), StatusIs(StatusCode::kInvalidArgument, "${c}"));
  EXPECT_THAT(expand("x ${c", {}), StatusIs(StatusCode::kInvalidArgument, "does not end"));
}

TEST(Patterns, MatchLineByLine) {
  EXPECT_EQ(find_line("one\n two 2 \nthree", "two ([0-9])")->group, "2");
  EXPECT_EQ(find_last_line("p 1\np 2\n", "p ([0-9])")->group, "2");
  EXPECT_FALSE(find_line("one\ntwo", "one.two"));
  EXPECT_THAT(check_pattern("(a)\\1"), StatusIs(StatusCode::kInvalidArgument, "refers back"));
  EXPECT_THAT(check_pattern("a{2}"), StatusIs(StatusCode::kInvalidArgument, "counts repetitions"));
}

}  // namespace
}  // namespace axle::described
