// The folder of real models that some tests use: $AXLE_SHARED_MODELS, else ../shared/models beside the checkout.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace axle::testing {

inline std::string shared_model(const std::string& relative_path) {
  const char* folder = std::getenv("AXLE_SHARED_MODELS");
  const std::filesystem::path root =
      folder != nullptr ? std::filesystem::path(folder) : std::filesystem::path(AXLE_SOURCE_DIR) / "../shared/models";
  return (root / relative_path).lexically_normal().string();
}

}  // namespace axle::testing

// Skips the running test when the model is not there.
#define AXLE_SHARED_MODEL_OR_SKIP(variable, relative_path)                   \
  const std::string variable = ::axle::testing::shared_model(relative_path); \
  if (!std::filesystem::exists(variable)) GTEST_SKIP() << "no model at " << variable << "; set AXLE_SHARED_MODELS"
