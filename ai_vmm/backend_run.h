// A registered ComputeBackend, and what runs a model that it compiled.
#pragma once

#include <exception>
#include <memory>
#include <new>
#include <string>

#include "ai_vmm/compute_backend.hpp"
#include "axle/engine_kit.h"

namespace ai_vmm {

// What is registered in one slot; never given back.
struct Registered {
  std::shared_ptr<ComputeBackend> backend;
  std::string name;
  HardwareCapabilities capabilities;
};

// Whatever a backend throws becomes an error of its engine, with its words.
template <typename F>
auto speaking_for(const Registered& owner, const char* verb, F&& body) -> decltype(body()) {
  try {
    return body();
  } catch (const axle::kit::Error&) {
    throw;
  } catch (const Error& error) {
    throw axle::kit::Error(static_cast<axle_code_t>(error.code()), error.message()).hint(error.hint());
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    throw axle::kit::Error(AXLE_UNKNOWN, "backend " + owner.name + ", " + verb + ": " + error.what());
  }
}

// Executes through the owner, which outlives it.
std::unique_ptr<axle::kit::Executable> make_backend_executable(const Registered& owner, Model model, axle::kit::Io io);

}  // namespace ai_vmm
