// Artefacts that were compiled on another machine, with the FAKE vendor: two machines whose plugin and tools differ in every digest, as
// those of two architectures do.
#include "runtime/loading/portable.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "axle/compile.h"
#include "axle/lock_check.h"
#include "axle/session.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "base/text.h"
#include "model/testing/model_builder.h"
#include "planner/planner.h"
#include "runtime/runtime_state.h"
#include "spec/planner_input_json.h"

namespace axle {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::IsOk;
using ::testing::SizeIs;
using testing::StatusIs;

constexpr const char* kVendor = AXLE_BINARY_DIR "/lib/axle/testing/fakenpu";
constexpr const char* kPlugin = AXLE_BINARY_DIR "/lib/axle/engines/libaxle_engine_described.so";
constexpr const char* kDevices = "/sys/bus/pci/devices";

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  const size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return at == std::string::npos ? text : text.replace(at, what.size(), with);
}

void copy_with_another_digest(const std::string& from, const std::string& to) {
  fs::create_directories(fs::path(to).parent_path());
  std::string bytes = read_file(from, size_t{1} << 30).value_or("");
  ASSERT_FALSE(bytes.empty()) << from;
  ASSERT_THAT(write_file_atomic(to, bytes + to, kPrivateFileMode), IsOk());
  ASSERT_EQ(::chmod(to.c_str(), 0755), 0);
}

Result<Model> model_of(const std::string& op) {
  testing::ModelBuilder builder;
  builder.input("x", testing::kF32, {4}).output("y", testing::kF32, {4});
  builder.node(op, {"x"}, {"y"}, "only");
  return Model::from_bytes(testing::as_bytes(builder.serialise()));
}

NamedTensor some_floats() {
  auto tensor = Tensor::allocate(DataType::kFloat32, {4});
  EXPECT_THAT(tensor, IsOk());
  const auto values = tensor->mutable_as<float>();
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) - 2;
  return {"x", *std::move(tensor)};
}

struct Installed {
  std::string name;  // of its folders
  std::string runtime_version = "3.1";
  bool compiler = true;
};

// A PCI device of this machine stands in for the NPU: what it is does not matter to the FAKE vendor.
class PortableTest : public ::testing::Test {
 protected:
  void SetUp() override {
#ifdef AXLE_SANITIZED
    GTEST_SKIP() << "the FAKE vendor's tools are instrumented too: they look for leaks by tracing, which a worker refuses";
#endif
    if (!fs::exists(std::string(kVendor) + "/bin/fakenpu-compile")) GTEST_SKIP() << "the FAKE vendor is not built";
    const auto devices = list_dir(kDevices);
    if (!devices.ok() || devices->empty()) GTEST_SKIP() << "this machine has no PCI device that could stand in for one";
    pci_address_ = devices->front().name;
    pci_id_ = id_in("vendor") + ":" + id_in("device");
    if (pci_id_.size() < 9) GTEST_SKIP() << "the first PCI device of this machine does not say what it is";
    AXLE_ASSERT_OK_AND_ASSIGN(ScratchDir scratch, ScratchDir::create(""));
    scratch_ = std::make_unique<ScratchDir>(std::move(scratch));
    AXLE_ASSERT_OK_AND_ASSIGN(model_, model_of("Relu"));
    ASSERT_THAT(make_dirs(file("descriptions"), 0700), IsOk());
    ASSERT_THAT(write_file_atomic(file("descriptions/fakenpu.toml"), description(), kPrivateFileMode), IsOk());
  }
  void TearDown() override { ::unsetenv("FAKENPU_HOME"); }

  std::string file(const std::string& name) const { return scratch_->file(name); }
  std::string id_in(const std::string& name) const {
    const std::string path = std::string(kDevices) + "/" + pci_address_ + "/" + name;
    return std::string(trim(read_file(path, 64).value_or("0x"))).substr(2);
  }

  // Portable; the compiler is needed where one compiles, and the runtime says what it is.
  std::string description() const {
    std::string text = read_file(AXLE_SOURCE_DIR "/tests/fakevendor/fakenpu.toml", 1u << 20).value_or("");
    text = replaced(text, "simulated = true\nbackend = \"FAKE NPU, computed on the host's CPU\"\n", "simulated = false\n");
    text = replaced(text, "tags = [\"fake\"]", "pci_ids = [\"" + pci_id_ + "\"]");
    text = replaced(text, "versions = \">=1.2, <2\"\n", "versions = \">=1.2, <2\"\nonly_to_compile = true\n");
    text = replaced(text, "file = \"libfakenpu.so\"\n",
                    "file = \"libfakenpu.so\"\nversion_argv = [\"/bin/cat\", \"${tool}.version\"]\n"
                    "version_pattern = \"runtime ([0-9.]+)\"\n");
    text = replaced(text, "files = [\"program.fnpu\"]\n", "files = [\"program.fnpu\"]\nportable = true\n");
    return replaced(text,
                    "name = \"chip\"\nargv = [\"${tool.compiler}\", \"--info\", \"${artefact}/program.fnpu\"]\n"
                    "pattern = \"chip: (.+)\"\n",
                    "name = \"runtime\"\ntext = \"${version.runtime}\"\n");
  }

  // A machine of its own: plugin, tools and cache. Its engine is opened, since the environment is the process's.
  std::shared_ptr<Runtime> open(const Installed& installed, const Machine* machine = nullptr) {
    const std::string home = file(installed.name + "/vendor");
    if (installed.compiler)
      copy_with_another_digest(std::string(kVendor) + "/bin/fakenpu-compile", home + "/bin/fakenpu-compile");
    copy_with_another_digest(std::string(kVendor) + "/lib/libfakenpu.so", home + "/lib/libfakenpu.so");
    EXPECT_THAT(write_file_atomic(home + "/lib/libfakenpu.so.version", "runtime " + installed.runtime_version + "\n", 0644),
                IsOk());
    copy_with_another_digest(kPlugin, file(installed.name + "/engines/libaxle_engine_described.so"));
    ::setenv("FAKENPU_HOME", home.c_str(), 1);
    RuntimeOptions options;
    options.cache_folder = file(installed.name + "/cache");
    options.engine_folders = {file(installed.name + "/engines")};
    options.engine_descriptions = {file("descriptions")};
    options.engines = {"fakenpu"};
    auto runtime = Runtime::create(options);
    EXPECT_THAT(runtime, IsOk());
    if (!runtime) return nullptr;
    if (machine != nullptr) {
      (*runtime)->state().registry->bind_machine(*machine);
      (*runtime)->state().machine = *machine;
    }
    EXPECT_THAT((*runtime)->state().engine("fakenpu", **runtime), IsOk());
    return *runtime;
  }

  // The machine with the NPU, whose processor is another.
  Machine board(Runtime& runtime, const std::string& driver = "fake 1.0") const {
    Machine machine = *runtime.machine();
    machine.cpu_model = "another processor";
    machine.isa = {"asimd"};
    Resource npu;
    npu.id = "npu:0";
    npu.kind = ResourceKind::kNpu;
    npu.vendor = "FAKE Silicon";
    npu.name = "FAKE NPU F1";
    npu.driver = driver;
    npu.pci_address = pci_address_;
    npu.attributes["pci_id"] = pci_id_;
    machine.resources.push_back(npu);
    return machine;
  }

  static Result<Plan> plan(Runtime& runtime, const Model& model, const Machine* machine) {
    PlanRequest request;
    request.machine = machine;
    request.policy.engines.allow = {"fakenpu"};
    AXLE_RETURN_IF_ERROR(apply_policy_flag(request.policy, "device", "npu"));
    AXLE_ASSIGN_OR_RETURN(const PlanReport report, make_plan(runtime, model, request));
    return report.plan;
  }

  // What a build server leaves: the archive, and the digest of the engine that made it.
  void compile_on_server(const Installed& installed = {"server"}) {
    const auto server = open(installed);
    ASSERT_NE(server, nullptr);
    board_ = board(*server);
    server_digest_ = (*server->state().engine("fakenpu", *server))->library_digest();
    AXLE_ASSERT_OK_AND_ASSIGN(const Plan planned, plan(*server, *model_, &board_));
    CompileOptions options;
    options.machine = &board_;
    AXLE_ASSERT_OK_AND_ASSIGN(const auto parts, compile_plan(*server, *model_, planned, options));
    ASSERT_THAT(parts, SizeIs(1));
    EXPECT_EQ(parts[0].cache, "miss");
    key_ = parts[0].key_digest;
    ASSERT_THAT(server->cache()->export_archive(file("board.axc")), IsOk());
  }

  Result<Session> load(const std::shared_ptr<Runtime>& device, const Model& model) {
    AXLE_ASSIGN_OR_RETURN(const Plan planned, plan(*device, model, nullptr));
    SessionOptions options;
    options.runtime = device;
    return Session::load(model, planned, options);
  }
  static void expect_relu(const Session& session) {
    const std::vector<NamedTensor> inputs = {some_floats()};
    AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, session.run(inputs));
    ASSERT_THAT(outputs, SizeIs(1));
    EXPECT_THAT(outputs[0].tensor.as<float>(), ElementsAre(0, 0, 0, 1));
  }

  // What a build server writes beside the archive, or a machine for itself.
  static Result<Lock> lock_of(Runtime& runtime, const Model& model, const Machine* machine) {
    PlanRequest request;
    request.machine = machine;
    request.keep_input = true;
    request.policy.engines.allow = {"fakenpu"};
    AXLE_RETURN_IF_ERROR(apply_policy_flag(request.policy, "device", "npu"));
    AXLE_ASSIGN_OR_RETURN(const PlanReport report, make_plan(runtime, model, request));
    return make_lock(report.plan, report.input_json);
  }
  LockCheck check(const std::shared_ptr<Runtime>& device, const Lock& lock) {
    LockCheckOptions options;
    options.model = &*model_;
    auto checked = check_lock(*device, lock, options);
    EXPECT_THAT(checked, IsOk());
    return checked ? *std::move(checked) : LockCheck();
  }

  std::unique_ptr<ScratchDir> scratch_;
  std::optional<Model> model_;
  std::string pci_address_, pci_id_;
  Machine board_;
  std::string server_digest_, key_;
};

TEST_F(PortableTest, AnotherBuildOfPluginAndToolsFindsIt) {
  compile_on_server();
  const auto device = open({"device"}, &board_);
  AXLE_ASSERT_OK_AND_ASSIGN(const auto engine, device->state().engine("fakenpu", *device));
  EXPECT_NE(engine->library_digest(), server_digest_);
  ASSERT_THAT(device->cache()->import_archive(file("board.axc")), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, load(device, *model_));
  EXPECT_EQ(session.timing().cache, "hit");
  expect_relu(session);
  AXLE_ASSERT_OK_AND_ASSIGN(const auto entries, device->cache()->ls());
  ASSERT_THAT(entries, SizeIs(1)) << "nothing was compiled here";
  EXPECT_EQ(entries[0].key_digest, key_);
  EXPECT_EQ(entries[0].key.isa, "");
  EXPECT_THAT(entries[0].compatibility_json, HasSubstr("\"library_digest\":\"" + server_digest_ + "\""));
  AXLE_ASSERT_OK_AND_ASSIGN(const CacheStats stats, device->cache()->stats());
  EXPECT_EQ(stats.misses, 0u);
}

TEST_F(PortableTest, WhatIsCompiledHereKeepsItsStrictKey) {
  compile_on_server();
  const auto device = open({"device"}, &board_);
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, load(device, *model_));
  EXPECT_EQ(session.timing().cache, "miss");
  AXLE_ASSERT_OK_AND_ASSIGN(const auto entries, device->cache()->ls());
  ASSERT_THAT(entries, SizeIs(1));
  EXPECT_NE(entries[0].key_digest, key_);
  AXLE_ASSERT_OK_AND_ASSIGN(const auto engine, device->state().engine("fakenpu", *device));
  EXPECT_EQ(entries[0].key.library_digests.at("fakenpu"), engine->library_digest());
}

TEST_F(PortableTest, ADeviceWithoutTheCompilerRunsIt) {
  compile_on_server();
  const auto device = open({.name = "device", .compiler = false}, &board_);
  ASSERT_THAT(device->cache()->import_archive(file("board.axc")), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, load(device, *model_));
  EXPECT_EQ(session.timing().cache, "hit");
  expect_relu(session);
  testing::ModelBuilder twice;
  twice.input("x", testing::kF32, {4}).output("y", testing::kF32, {4});
  twice.node("Add", {"x", "x"}, {"y"}, "only");
  AXLE_ASSERT_OK_AND_ASSIGN(const Model unknown, Model::from_bytes(testing::as_bytes(twice.serialise())));
  const auto none = load(device, unknown);
  EXPECT_THAT(none, StatusIs(StatusCode::kUnavailable, "can only run here what was compiled elsewhere"));
}

TEST_F(PortableTest, ForAnotherDeviceItIsNotTakenAndTheDifferenceIsNamed) {
  compile_on_server();
  const Machine newer = [&] {
    Machine machine = board_;
    machine.resources.back().driver = "fake 2.0";
    return machine;
  }();
  const auto device = open({.name = "device", .compiler = false}, &newer);
  ASSERT_THAT(device->cache()->import_archive(file("board.axc")), IsOk());
  EXPECT_THAT(load(device, *model_),
              StatusIs(StatusCode::kUnavailable,
                       "compiled elsewhere for another device: 'FAKE Silicon FAKE NPU F1 fake 1.0', here it "
                       "is 'FAKE Silicon FAKE NPU F1 fake 2.0'"));
}

TEST_F(PortableTest, AnotherRuntimeIsRefusedAndNothingIsPoisoned) {
  compile_on_server();
  const Installed newer{.name = "device", .runtime_version = "4.0"};
  {
    const auto device = open(newer, &board_);
    ASSERT_THAT(device->cache()->import_archive(file("board.axc")), IsOk());
    const auto refused = load(device, *model_);
    EXPECT_THAT(refused, StatusIs(StatusCode::kFailedPrecondition, "runtime is 4.0 now, and was 3.1 when it was made"));
    EXPECT_THAT(refused.status().hint(), HasSubstr("axle cache rm " + key_.substr(7, 12)));
    AXLE_ASSERT_OK_AND_ASSIGN(const CacheVerifyReport report, device->cache()->verify());
    EXPECT_THAT(report.problems, IsEmpty());
    EXPECT_THAT(*device->cache()->ls(), SizeIs(1));
  }
  {
    const auto fitting = open({.name = "device", .runtime_version = "3.1"}, &board_);
    AXLE_ASSERT_OK_AND_ASSIGN(const Session session, load(fitting, *model_));
    EXPECT_EQ(session.timing().cache, "hit") << "the runtime that it was made for takes it still";
    expect_relu(session);
  }
  const auto device = open(newer, &board_);
  ASSERT_THAT(device->cache()->rm(key_), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, load(device, *model_));
  EXPECT_EQ(session.timing().cache, "miss");
  expect_relu(session);
}

std::vector<std::string> texts_of(const LockCheck& check) {
  std::vector<std::string> texts;
  for (const Drift& drift : check.drifts) texts.push_back(drift.to_string());
  return texts;
}

TEST_F(PortableTest, ALockOfTheServerHoldsOnTheDeviceAndRuns) {
  compile_on_server();
  const auto server = open({"server"});
  AXLE_ASSERT_OK_AND_ASSIGN(const Lock lock, lock_of(*server, *model_, &board_));
  for (const bool compiler : {true, false}) {
    const auto device = open({.name = compiler ? "device" : "bare device", .compiler = compiler}, &board_);
    AXLE_ASSERT_OK_AND_ASSIGN(const auto engine, device->state().engine("fakenpu", *device));
    const LockCheck checked = check(device, lock);
    EXPECT_EQ(checked.state, LockState::kValid) << ::testing::PrintToString(texts_of(checked));
    EXPECT_THAT(checked.drifts, IsEmpty());
    EXPECT_THAT(checked.notes, ::testing::Contains(HasSubstr("compiler of fakenpu is not here")).Times(compiler ? 0 : 1));
    ASSERT_THAT(device->cache()->import_archive(file("board.axc")), IsOk());
    SessionOptions options;
    options.runtime = device;
    AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::load(*model_, lock, options));
    EXPECT_EQ(session.timing().cache, "hit");
    EXPECT_EQ(session.plan().partitions.front().library_digest, engine->library_digest()) << "what runs, not what planned";
    EXPECT_THAT(session.plan().substitutions, IsEmpty());
    expect_relu(session);
  }
}

TEST_F(PortableTest, ALockOfTheServerStandsOnVersionsOfTheToolchain) {
  compile_on_server();
  const auto server = open({"server"});
  AXLE_ASSERT_OK_AND_ASSIGN(const Lock lock, lock_of(*server, *model_, &board_));
  AXLE_ASSERT_OK_AND_ASSIGN(PlannerInput input, parse_planner_input(lock.input_json));
  std::string& version = input.engines.front().info.toolchain.at("tool.compiler");
  const std::string here = std::exchange(version, "1.9.9");
  AXLE_ASSERT_OK_AND_ASSIGN(const PlannerOutput output, make_plan(input));
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string text, planner_input_to_json(input));
  AXLE_ASSERT_OK_AND_ASSIGN(const Lock other, make_lock(output.plan, text));
  const LockCheck checked = check(open({"device"}, &board_), other);
  EXPECT_EQ(checked.state, LockState::kDrifted);
  EXPECT_THAT(texts_of(checked), ElementsAre("engine_version of fakenpu tool.compiler: " + here + ", locked 1.9.9"));
}

// What was planned where it runs stands on the very files, as ever.
TEST_F(PortableTest, ALockOfTheDeviceStandsOnItsFiles) {
  compile_on_server();
  const auto device = open({"device"}, &board_);
  AXLE_ASSERT_OK_AND_ASSIGN(const Lock lock, lock_of(*device, *model_, nullptr));
  EXPECT_EQ(check(device, lock).state, LockState::kValid);
  const LockCheck elsewhere = check(open({"other device"}, &board_), lock);
  EXPECT_EQ(elsewhere.state, LockState::kDrifted);
  EXPECT_THAT(texts_of(elsewhere), ::testing::Contains(HasSubstr("plugin of fakenpu: sha256:")));
}

}  // namespace
}  // namespace axle
