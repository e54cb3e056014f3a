// A folder of its own and a runtime whose cache lies in it, with the null engine and nothing from outside.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>

#include "ai_vmm/vmm.hpp"

namespace ai_vmm::testing {

class VmmTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/ai-vmm-test-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern), nullptr);
    folder_ = pattern;
  }
  void TearDown() override {
    runtime_.reset();
    std::filesystem::remove_all(folder_);
  }

  // A VMM that sees only these engines; empty = all that are here.
  VMM vmm(std::vector<std::string> engines = {"null"}) {
    axle::RuntimeOptions options;
    options.cache_folder = folder_ + "/cache";
    options.engines = std::move(engines);
    auto runtime = axle::Runtime::create(options);
    EXPECT_TRUE(runtime.ok()) << runtime.status().to_string();
    runtime_ = *runtime;
    return VMM({runtime_, nullptr, nullptr});
  }

  std::string folder_;
  std::shared_ptr<axle::Runtime> runtime_;
};

// The error that `body` throws, as a value.
template <typename E, typename F>
std::shared_ptr<E> error_of(F&& body) {
  try {
    body();
  } catch (const E& error) {
    return std::make_shared<E>(error);
  } catch (const std::exception& error) {
    ADD_FAILURE() << "another exception: " << error.what();
    return nullptr;
  }
  ADD_FAILURE() << "no exception";
  return nullptr;
}

}  // namespace ai_vmm::testing
