// The examples of the orchestrator in C++, over the FAKE vendor and the CPU engines.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>

#include "axle/build_log.h"
#include "axle/cache.h"
#include "rm_abstract/binary_adapter.hpp"
#include "rm_abstract/device_runtime.hpp"
#include "rm_abstract/plugin.hpp"
#include "rm_abstract/resource.hpp"
#include "rm_abstract/resource_manager.hpp"
#include "testing/tiny_model.h"

namespace rm_abstract {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// y = Relu(x), both [2, 3], and where tools and caches of a test lie.
class RmAbstractTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "rm_abstract_test-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    model_ = ai_vmm::testing::write_model(ai_vmm::testing::relu_model(), folder_, "model");
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string file(const std::string& name) const { return folder_ + "/" + name; }

  // The vendor of the example: a program with the flags of the profile, which others end in an error.
  void write_tools() const {
    std::ofstream(file("npu_compile")) << "#!/bin/sh\nwhile [ $# -gt 0 ]; do\n  case $1 in\n    --input) input=$2 ;;\n"
                                          "    --output) output=$2 ;;\n"
                                          "    --optimization-level | --precision) echo \"$1 is $2\" ;;\n"
                                          "    *) echo \"unknown argument $1\" >&2; exit 2 ;;\n  esac\n  shift 2\ndone\n"
                                       << "exec " FAKENPU_FOLDER
                                          "/bin/fakenpu-compile --model \"$input\" --output \"$output\"\n";
    ::chmod(file("npu_compile").c_str(), 0755);
    fs::create_symlink(FAKENPU_FOLDER "/lib/libfakenpu.so", file("libnpu_runtime.so"));
  }
  static bool has_vendor() { return fs::exists(FAKENPU_FOLDER "/bin/fakenpu-compile"); }

  BuildProfile profile() const {
    return {ResourceType::NPU, "vendor_npu_compiler", "2.0", {{"precision", "fp16"}, {"optimization_level", "3"}}, "cli"};
  }
  CompilerOptions options() const {
    CompilerOptions options;
    options.search_paths = {folder_};
    options.cache_folder = file("cache");
    return options;
  }
  static std::vector<axle::NamedTensor> inputs() {
    auto tensor = axle::Tensor::allocate(axle::DataType::kFloat32, {2, 3});
    EXPECT_TRUE(tensor.ok());
    const auto values = tensor->mutable_as<float>();
    std::iota(values.begin(), values.end(), -2.0F);
    return {{"x", *std::move(tensor)}};
  }
  static void expect_relu(const axle::Result<std::vector<axle::NamedTensor>>& outputs) {
    ASSERT_TRUE(outputs.ok()) << outputs.status().to_string();
    ASSERT_EQ(outputs->size(), 1u);
    EXPECT_EQ(outputs->front().name, "y");
    EXPECT_THAT(outputs->front().tensor.as<float>(), ElementsAre(0, 0, 0, 1, 2, 3));
  }

  std::string folder_, model_;
};

TEST_F(RmAbstractTest, TheCompilerAndRuntimeOfTheExample) {
  if (!has_vendor()) GTEST_SKIP() << "the FAKE vendor is not built: target axle_fakenpu";
  write_tools();
  CLICompilerAdapter compiler(profile(), "npu_compile", options());
  const auto artifact = compiler.compile(model_, file("engine.bin"), "llama-7b");
  ASSERT_TRUE(artifact.ok()) << artifact.status().to_string();
  EXPECT_EQ(artifact->model_id, "llama-7b");
  EXPECT_EQ(artifact->cache, "miss");
  EXPECT_THAT(artifact->log, HasSubstr("--precision is fp16"));
  EXPECT_THAT(artifact->log, HasSubstr("--optimization-level is 3"));
  EXPECT_TRUE(fs::is_regular_file(artifact->path));
  EXPECT_EQ(compiler.compile(model_, file("again.bin"), "llama-7b")->cache, "hit");

  BinaryRuntimeOptions runtime_options;
  runtime_options.cache_folder = file("cache");
  BinaryRuntimeAdapter runtime(*artifact, file("libnpu_runtime.so"), runtime_options);
  EXPECT_EQ(runtime.run(inputs()).status().code(), axle::StatusCode::kFailedPrecondition);
  const axle::Status loaded = runtime.load();
  ASSERT_TRUE(loaded.ok()) << loaded.to_string();
  expect_relu(runtime.run(inputs()));
  EXPECT_TRUE(runtime.session()->plan().partitions[0].isolated);
  EXPECT_TRUE(runtime.session()->plan().partitions[0].simulated) << "nothing shows that a device computed";
  runtime.unload();
  std::ofstream(artifact->path, std::ios::app) << "more";
  EXPECT_EQ(runtime.load().code(), axle::StatusCode::kDataLoss);
}

TEST_F(RmAbstractTest, ACompilerThatReadsAFile) {
  if (!has_vendor()) GTEST_SKIP() << "the FAKE vendor is not built: target axle_fakenpu";
  BuildProfile profile{ResourceType::NPU, "config_compiler", "", {{"level", "2"}}, "config"};
  ConfigFileCompilerAdapter compiler(profile, FAKENPU_FOLDER "/bin/fakenpu-compile",
                                     "model={input}\noutput={output}\nlevel={level}\n", options());
  const auto artifact = compiler.compile(model_, file("engine.bin"), "m");
  ASSERT_TRUE(artifact.ok()) << artifact.status().to_string();
  EXPECT_THAT(artifact->log, HasSubstr("FAKE compiler, level 2"));
}

TEST_F(RmAbstractTest, ACompilerThatIsMissingOrFailsLeavesNothing) {
  if (!has_vendor()) GTEST_SKIP() << "the FAKE vendor is not built: target axle_fakenpu";
  write_tools();
  CLICompilerAdapter missing(profile(), "no_such_compiler", options());
  EXPECT_FALSE(missing.is_available());
  const auto absent = missing.compile(model_, file("engine.bin"), "m");
  EXPECT_EQ(absent.status().code(), axle::StatusCode::kUnavailable);
  BuildProfile turbo = profile();
  turbo.flags["turbo"] = "true";
  const auto failed = CLICompilerAdapter(turbo, "npu_compile", options()).compile(model_, file("engine.bin"), "m");
  EXPECT_THAT(failed.status().to_string(), HasSubstr("unknown argument --turbo"));
  EXPECT_FALSE(fs::exists(file("engine.bin")));
  const auto cache = axle::Cache::open({file("cache")});
  ASSERT_TRUE(cache.ok());
  const auto logs = axle::build_logs(*cache);
  ASSERT_TRUE(logs.ok());
  ASSERT_EQ(logs->size(), 1u);
  EXPECT_TRUE(logs->front().failed);
  EXPECT_THAT(logs->front().text, HasSubstr("unknown argument --turbo"));
}

TEST(BlackBox, QuotesWhatItIsGiven) {
  axle::BlackBox box;
  box.name = axle::engine_name_of("Npu-Compile 2");
  EXPECT_EQ(box.name, "npu_compile_2");
  EXPECT_FALSE(axle::describe_black_box(box).ok()) << "neither a program nor a file";
  box.program = "npu";
  box.flags = {{"name", "a\"b\\c$HOME\n"}};
  box.arguments = axle::flag_arguments(box.flags);
  const auto text = axle::describe_black_box(box);
  ASSERT_TRUE(text.ok());
  EXPECT_THAT(*text, HasSubstr(R"("--name", "a\"b\\c$$HOME\u000a")"));
}

TEST(Resources, ThePoolSelectsByTypeAndTag) {
  ResourcePool pool;
  ASSERT_TRUE(pool.add({"npu:0", ResourceType::NPU, {}, {"low-latency"}}).ok());
  ASSERT_TRUE(pool.add({"npu:1", ResourceType::NPU, {}, {"low-latency", "sim"}}).ok());
  EXPECT_EQ(pool.add({"npu:0", ResourceType::NPU, {}, {}}).code(), axle::StatusCode::kAlreadyExists);
  EXPECT_EQ(pool.select(ResourceType::NPU, {"low-latency"}).size(), 1u);
  EXPECT_EQ(pool.select(ResourceType::NPU, {"sim"}).front().id, "npu:1");
  EXPECT_TRUE(pool.select(ResourceType::GPU).empty());
  ASSERT_TRUE(pool.remove("npu:1").ok());
  EXPECT_EQ(pool.remove("npu:1").code(), axle::StatusCode::kNotFound);
  const Capability capability{8, 4096, {"fp16", "int8"}, true, {"latency"}, {}};
  EXPECT_TRUE(capability.supports("f16", 8, 4096));
  EXPECT_FALSE(capability.supports("fp32"));
  EXPECT_FALSE(capability.supports("fp16", 9));
  EXPECT_FALSE(Capability{}.supports("", 1)) << "what is not known is not promised";
}

int cleanups = 0;

class EchoPlugin final : public Plugin {
 public:
  PluginMetadata metadata() const override {
    return {"echo", "1", "tests", {ResourceType::CPU}, 200, "gives back what it gets"};
  }
  bool is_available() override { return true; }
  axle::Result<Prepared> prepare_resource(const Resource& resource, const BackendConfig&) override {
    return Prepared(std::make_shared<std::string>(resource.id));
  }
  axle::Result<std::vector<axle::NamedTensor>> execute(const Prepared&, std::span<const axle::NamedTensor> inputs) override {
    return std::vector<axle::NamedTensor>(inputs.begin(), inputs.end());
  }
  void cleanup() override { ++cleanups; }
};
RM_ABSTRACT_PLUGIN(EchoPlugin);

TEST_F(RmAbstractTest, AManagerFindsPluginsAndRunsAModel) {
  axle::RuntimeOptions runtime_options;
  runtime_options.cache_folder = file("cache");
  const auto runtime = axle::Runtime::create(runtime_options);
  ASSERT_TRUE(runtime.ok());
  {
    auto manager = ResourceManager::create(*runtime);
    ASSERT_TRUE(manager.ok()) << manager.status().to_string();
    const Resource cpu = (*manager)->pool().select(ResourceType::CPU).front();
    EXPECT_EQ((*manager)->plugins_for(cpu).front(), "echo") << "the highest priority";
    EXPECT_EQ((*manager)->registry().get("ekko").status().code(), axle::StatusCode::kNotFound);
    BackendConfig config;
    config.model = model_;
    config.threads = 1;
    const auto echoed = (*manager)->create_session(cpu, config);
    ASSERT_TRUE(echoed.ok());
    EXPECT_EQ(echoed->execute(inputs())->front().name, "x");
    if ((*manager)->plugins_for(cpu).size() > 1) {
      const auto planned = (*manager)->create_session(cpu, config, "axle");
      ASSERT_TRUE(planned.ok()) << planned.status().to_string();
      expect_relu(planned->execute(inputs()));
    }
    EXPECT_EQ((*manager)->choose({"pim:9", ResourceType::PIM, {}, {}}).status().code(), axle::StatusCode::kFailedPrecondition);
    EXPECT_EQ((*manager)->choose(cpu, "no such").status().code(), axle::StatusCode::kFailedPrecondition);
    EXPECT_TRUE((*manager)->build_profiles(cpu, config)->empty());
  }
  EXPECT_EQ(cleanups, 1);
}

// As the example has it.
class LLMApplication {
 public:
  explicit LLMApplication(DeviceRuntime& runtime) : runtime_(runtime) {}
  axle::Result<std::string> process_request(const std::string& prompt, int32_t max_tokens) {
    return runtime_.generate(prompt, max_tokens);
  }

 private:
  DeviceRuntime& runtime_;
};

TEST_F(RmAbstractTest, TheSameApplicationOverAnyRuntime) {
  GpuRuntime gpu;
  NpuRuntime npu;
  PimRuntime pim;
  for (DeviceRuntime* runtime : std::initializer_list<DeviceRuntime*>{&gpu, &npu, &pim}) {
    const auto text = LLMApplication(*runtime).process_request("hello", 5);
    EXPECT_EQ(text.status().code(), axle::StatusCode::kUnimplemented);
    EXPECT_THAT(text.status().to_string(), HasSubstr("no language model engine yet"));
  }
  DeviceRuntimeOptions options;
  options.device = "npu:77";
  EXPECT_EQ(NpuRuntime(options).load_model(model_).code(), axle::StatusCode::kFailedPrecondition);
  CpuRuntime cpu;
  EXPECT_EQ(cpu.run(inputs()).status().code(), axle::StatusCode::kFailedPrecondition);
  if (const axle::Status loaded = cpu.load_model(model_); loaded.ok()) {
    expect_relu(cpu.run(inputs()));
    cpu.cleanup();
  }
  EXPECT_EQ(cpu.session(), nullptr);
}

}  // namespace
}  // namespace rm_abstract
