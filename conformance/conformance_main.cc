// axle_conformance ENGINE [gtest flags]: the suite on one plugin that AXLE_ENGINE_PATH leads to. Exit 2: no such engine.
#include <gtest/gtest.h>

#include <cstdio>

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
  if (const auto engine = (*registry)->open(name); !engine.ok()) {
    std::fprintf(stderr, "%s\n", engine.status().to_string().c_str());
    return 2;
  }
  axle::conformance::Target target;
  target.name = name;
  target.skip = axle::conformance::skip_of(**registry, name);
  target.open = [registry = *registry, name] { return registry->open(name); };
  axle::conformance::register_conformance(target);
  return RUN_ALL_TESTS();
}
