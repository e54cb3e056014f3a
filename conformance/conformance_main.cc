// axle_conformance ENGINE [gtest flags]: the suite on one engine that AXLE_ENGINE_PATH or AXLE_ENGINE_DESCRIPTIONS lead to. Exit 2: no such
// engine.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "conformance.h"

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  if (argc != 2) {
    std::fprintf(stderr, "usage: axle_conformance ENGINE [gtest flags]\n");
    return 2;
  }
  const auto registry = axle::EngineRegistry::create();
  if (!registry.ok()) {
    std::fprintf(stderr, "%s\n", registry.status().to_string().c_str());
    return 2;
  }
  const std::string name = argv[1];
  // Here an absent engine is an error: somebody asked for it by name.
  const auto engine = (*registry)->open(name);
  if (!engine.ok()) {
    std::fprintf(stderr, "%s\n", engine.status().to_string().c_str());
    return 2;
  }
  if (const char* list = std::getenv("AXLE_CHECK_LIST_OUT")) {
    const auto& library = (*engine)->info().library;
    std::ofstream(list, std::ios::app) << "# " << name << ' ' << (library ? library->version : "") << '\n';
  }
  axle::conformance::Target target;
  target.name = name;
  target.skip = axle::conformance::skip_of(**registry, name);
  target.open = [registry = *registry, name] { return registry->open(name); };
  axle::conformance::register_conformance(target);
  return RUN_ALL_TESTS();
}
