// Nodes that a provider leaves to the library's CPU provider are listed, or refused, by every version of the library.
#include "executable.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/recorded_library.h"
#include "testing/thrown_error.h"

namespace axle::ort {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Recording;

class FallbackTest : public ::testing::Test {
 protected:
  void SetUp() override {
    said_ = testing::new_recording(AXLE_ORT_RECORDED_LIBRARY);
    ASSERT_NE(said_, nullptr);
    said_->compiled_in = {"CUDAExecutionProvider"};
  }
  void TearDown() override {
    if (said_ == nullptr) return;
    EXPECT_EQ(said_->beyond, 0) << "called what ONNX Runtime " << said_->version << " does not have";
    EXPECT_EQ(said_->live_options, 0);
    EXPECT_EQ(said_->live_sessions, 0);
  }

  kit::Effective load(bool allow_cpu_fallback) const {
    kit::CreateArgs created;
    created.library_path = AXLE_ORT_RECORDED_LIBRARY;
    const auto runtime = Runtime::create(kit::Host(&host_), created, ORT_LOGGING_LEVEL_ERROR);
    Providers providers(runtime);
    const axle_option_t options[] = {{kit::to_text("provider"), kit::to_text("cuda")},
                                     {kit::to_text("allow_cpu_fallback"), kit::to_text(allow_cpu_fallback ? "true" : "false")}};
    kit::LoadArgs args;
    args.blobs = {{"model.onnx", "any bytes", ""}};
    args.resource = "gpu:0";
    args.precision = "f32";
    args.options = kit::Options(options, 2);
    args.threads = 1;
    return load_executable(runtime, providers, args).effective;
  }
  kit::Error error_of(bool allow_cpu_fallback) const {
    return testing::error_of([&] { load(allow_cpu_fallback); });
  }

  Recording* said_ = nullptr;
  axle_host_api_t host_{};
};

TEST_F(FallbackTest, IsListedWhereItIsAllowed) {
  for (const char* version : {"1.24.0", "1.31.1"}) {
    said_->version = version;
    said_->left_to_cpu = {"second"};
    const kit::Effective effective = load(true);
    ASSERT_EQ(effective.fallbacks.size(), 1u) << version;
    EXPECT_EQ(effective.fallbacks[0].node, "second");
    EXPECT_EQ(effective.fallbacks[0].from, "CUDAExecutionProvider");
    EXPECT_EQ(effective.fallbacks[0].to, "CPUExecutionProvider");
  }
}

TEST_F(FallbackTest, IsAnErrorWhereItIsNot) {
  for (const char* version : {"1.18.0", "1.23.2", "1.31.1"}) {
    said_->version = version;
    said_->left_to_cpu = {"second"};
    EXPECT_THAT(error_of(false).message(), HasSubstr("explicitly disabled by the user")) << version;
  }
}

// Guards: an older library does not say which nodes went where, and those on the CPU were listed nowhere.
TEST_F(FallbackTest, IsRefusedWhereNobodyCouldListIt) {
  for (const char* version : {"1.18.0", "1.21.1", "1.23.2"}) {
    said_->version = version;
    said_->left_to_cpu = {"second"};
    const kit::Error error = error_of(true);
    EXPECT_EQ(error.code(), AXLE_FAILED_PRECONDITION);
    EXPECT_THAT(error.message(), HasSubstr(std::string("ONNX Runtime ") + version + " cannot say which ones"));
    EXPECT_THAT(error.hint(), HasSubstr("1.24 or newer"));
  }
}

TEST_F(FallbackTest, IsNotNeededWhereTheProviderTakesEveryNode) {
  for (const char* version : {"1.18.0", "1.23.2", "1.31.1"}) {
    said_->version = version;
    EXPECT_THAT(load(true).fallbacks, IsEmpty()) << version;
    EXPECT_THAT(load(false).fallbacks, IsEmpty()) << version;
  }
}

}  // namespace
}  // namespace axle::ort
