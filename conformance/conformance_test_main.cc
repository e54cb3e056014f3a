// The suite on every plugin of this build, in this process and in axle-worker, and on the null engine through the loopback too.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <set>
#include <vector>

#include "conformance.h"
#include "engine/loopback.h"
#include "engine/worker.h"

namespace {

using namespace axle;

constexpr const char* kCheckLists = AXLE_SOURCE_DIR "/conformance/check_lists";

std::shared_ptr<EngineRegistry> registry_of(EngineRegistryOptions options) {
  auto registry = EngineRegistry::create(std::move(options));
  if (registry.ok()) return *registry;
  std::fprintf(stderr, "%s\n", registry.status().to_string().c_str());
  std::exit(2);
}

// Lives to the end of the process: engines made through it do too.
void register_loopback(const std::string& engine, const std::string& folder) {
  const auto plugin = Plugin::open(folder + "/libaxle_engine_" + engine + ".so");
  if (!plugin.ok()) return;
  auto made = Loopback::create(*plugin);
  if (!made.ok()) return;
  static auto* const kept = new std::vector<std::unique_ptr<Loopback>>;
  Loopback* const loopback = kept->emplace_back(std::move(*made)).get();
  EngineRegistryOptions options;
  options.default_folders = false;
  options.in_process[engine] = loopback->query();
  const auto registry = registry_of(std::move(options));
  conformance::Target target;
  target.name = engine + "_loopback";
  target.open = [registry, engine] { return registry->open(engine); };
  target.skip["EveryFailingAllocationIsSurvived"] = "the two sides of a loopback share one allocator";
  conformance::register_conformance(target);
}

Result<std::shared_ptr<Engine>> open_in_worker(EngineRegistry& registry, const std::string& engine) {
  AXLE_ASSIGN_OR_RETURN(const auto here, registry.open(engine));  // says why when it is absent
  WorkerOptions options;
  options.plugin_path = here->plugin().path();
  AXLE_ASSIGN_OR_RETURN(auto plugin, start_worker(options));
  return Engine::create(std::move(plugin), here->created_with());
}

void register_worker(const std::shared_ptr<EngineRegistry>& registry, const std::string& engine) {
  conformance::Target target;
  target.name = engine + "_worker";
  target.open = [registry, engine] { return open_in_worker(*registry, engine); };
  target.skip = conformance::skip_of(*registry, engine);
  target.skip["EveryFailingAllocationIsSurvived"] = "the worker's allocator is not ours to disturb";
  target.unsupported = conformance::unsupported_of(engine, kCheckLists);
  conformance::register_conformance(target);
}

}  // namespace

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  const std::string folder = std::string(AXLE_BINARY_DIR) + "/lib/axle/engines";
  EngineRegistryOptions options;
  options.default_folders = false;
  options.plugin_folders = {folder};
  // Engines that are descriptions: those of the FAKE vendor, once with a library and once with a program for each run.
  const std::string vendor = std::string(AXLE_BINARY_DIR) + "/lib/axle/testing/fakenpu";
  if (std::filesystem::exists(vendor + "/bin/fakenpu-compile")) {
    ::setenv("FAKENPU_HOME", vendor.c_str(), 1);
    options.descriptions = {std::string(AXLE_SOURCE_DIR) + "/tests/fakevendor"};
  }
  // Vendors' toolchains that run on simulators, where their packages are installed (AXLE_PYTHON_SITE). They read formats of their own.
  const std::set<std::string> own_formats = {"sophgo", "sophgo_bm", "vgf"};
  for (const std::string& name : own_formats)
    options.descriptions.push_back(std::string(AXLE_SOURCE_DIR) + "/descriptions/" + name + ".toml");
  const auto registry = registry_of(std::move(options));
  const char* node_tests = std::getenv("AXLE_ONNX_NODE_TESTS");
  const std::string shared = std::getenv("AXLE_SHARED_MODELS") ? std::getenv("AXLE_SHARED_MODELS")
                                                               : std::string(AXLE_SOURCE_DIR) + "/../shared/models";
  for (const std::string& name : registry->names()) {
    conformance::Target target;
    target.name = name;
    target.open = [registry, name] { return registry->open(name); };
    target.skip = conformance::skip_of(*registry, name);
    target.unsupported = conformance::unsupported_of(name, kCheckLists);
    conformance::register_conformance(target);
    if (own_formats.contains(name)) continue;  // and are asked in a process of their own anyway
    conformance::register_node_tests(target, node_tests ? node_tests : shared + "/onnx-node-tests",
                                     std::string(AXLE_SOURCE_DIR) + "/conformance/node_lists");
    register_worker(registry, name);
  }
  register_loopback("null", folder);
  return RUN_ALL_TESTS();
}
