// The conformance suite: what the ABI promises, checked on any engine. Link axle_conformance_suite and GoogleTest, then
//   axle::conformance::Target target;
//   target.name = "acme";
//   target.open = [registry] { return registry->open("acme"); };
//   axle::conformance::register_conformance(target);
// before RUN_ALL_TESTS.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "engine/engine.h"

namespace axle::conformance {

struct Target {
  std::string name;  // first part of the tests' names
  std::function<Result<std::shared_ptr<Engine>>()> open;  // a failure skips every check, with its reason
  std::string resource;  // the machine's id; "" = cpu:0 if the engine has it, else its first
  std::map<std::string, std::string> skip;  // check -> reason: known faults of the vendor, said
  // Check -> reason: what the engine lacks. The check must fail, so that the list stays honest, and counts as skipped.
  std::map<std::string, std::string> unsupported;
};

// Lines "unsupported CHECK reason" of `list_folder`/<engine>.txt, # comments; nothing where there is no such file. With the environment
// variable AXLE_CHECK_LIST_OUT checks judge nothing, and the lines that a list needs are appended to the file it names.
std::map<std::string, std::string> unsupported_of(const std::string& engine, const std::string& list_folder);

// What of the suite cannot be asked of an engine that a description makes: the facts of its plugin are not its own. For Target::skip.
std::map<std::string, std::string> skip_of(const EngineRegistry& registry, const std::string& engine);

// The resource that an engine is checked on.
std::string resource_of(const Target& target, const Engine& engine);

void register_conformance(const Target& target);
// The ONNX backend node tests (onnx/backend/test/data/node of the onnx package) found below `folder`, one test each.
// `list_folder`/<engine>.txt: lines "unsupported NAME" (may be refused) and "fails NAME reason" (expected wrong); # comments.
void register_node_tests(const Target& target, const std::string& folder, const std::string& list_folder);

}  // namespace axle::conformance
