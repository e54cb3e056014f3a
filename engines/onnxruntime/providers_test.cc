// Execution providers by our names, on a library that writes down what is asked of it.
#include "providers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/recorded_library.h"
#include "testing/thrown_error.h"

namespace axle::ort {
namespace {

using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using testing::Recording;

class ProvidersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    said_ = testing::new_recording(AXLE_ORT_RECORDED_LIBRARY);
    ASSERT_NE(said_, nullptr);
    host_.host = &logged_;
    host_.log = [](void* host, int32_t, axle_text_t, axle_text_t text) {
      static_cast<std::vector<std::string>*>(host)->emplace_back(text.data, text.size);
    };
  }
  void TearDown() override {
    if (said_ == nullptr) return;
    EXPECT_EQ(said_->beyond, 0) << "called what ONNX Runtime " << said_->version << " does not have";
    EXPECT_EQ(said_->live_options, 0);
  }

  // Of the library as the recording describes it now.
  std::unique_ptr<Providers> providers() const {
    return std::make_unique<Providers>(Runtime::create(kit::Host(&host_), args(), ORT_LOGGING_LEVEL_ERROR));
  }
  static std::vector<std::string> names_of(Providers& providers) {
    std::vector<std::string> names;
    for (const OfferedProvider& one : providers.offered()) names.push_back(one.name + "@" + one.resource);
    return names;
  }
  // What one append asked for.
  std::vector<std::string> append(Providers& providers, const std::string& name, const std::string& resource,
                                  const std::string& precision = "f32", bool allow_cpu_fallback = false) const {
    providers.offered();
    said_->appended.clear();
    Settings settings;
    settings.provider = name;
    settings.allow_cpu_fallback = allow_cpu_fallback;
    const Api api = open_vendor_library(args()).api;
    const auto options = make<OrtSessionOptions>(api, api->ReleaseSessionOptions, "making session options",
                                                 [&](OrtSessionOptions** out) { return api->CreateSessionOptions(out); });
    providers.append(options.get(), settings, resource, precision);
    return said_->appended;
  }
  static kit::CreateArgs args() {
    kit::CreateArgs args;
    args.library_path = AXLE_ORT_RECORDED_LIBRARY;
    return args;
  }

  Recording* said_ = nullptr;
  axle_host_api_t host_{};
  std::vector<std::string> logged_;
};

TEST_F(ProvidersTest, OffersWhatIsCompiledInByOurNames) {
  said_->compiled_in = {"TensorrtExecutionProvider", "CUDAExecutionProvider", "XnnpackExecutionProvider",
                        "QNNExecutionProvider",      "CPUExecutionProvider",  "SomebodysExecutionProvider"};
  const auto made = providers();
  EXPECT_THAT(names_of(*made), ElementsAre("cpu@cpu:0", "tensorrt@gpu:0", "cuda@gpu:0", "xnnpack@cpu:0", "qnn@npu:0"));
  std::vector<std::string> resources;
  for (const kit::ResourceInfo& resource : made->resources()) resources.push_back(resource.id + " " + resource.kind);
  EXPECT_THAT(resources, ElementsAre("cpu:0 cpu", "gpu:0 gpu", "npu:0 npu"));
  EXPECT_THAT(made->names_on("gpu:0"), ElementsAre("tensorrt", "cuda"));
  EXPECT_EQ(error_of([&] { made->names_on("gpu:1"); }).code(), AXLE_NOT_FOUND);
}

TEST_F(ProvidersTest, TheCpuIsAppendedByNobody) {
  const auto made = providers();
  EXPECT_THAT(append(*made, "cpu", "cpu:0"), IsEmpty());
  EXPECT_THAT(said_->entries, IsEmpty());
}

// Each has an entry point of its own, and defaults of its own that lower precision unasked.
TEST_F(ProvidersTest, KeepF32WhereItIsAsked) {
  said_->compiled_in = {"TensorrtExecutionProvider", "CUDAExecutionProvider",    "OpenVINOExecutionProvider",
                        "QNNExecutionProvider",      "XnnpackExecutionProvider", "MIGraphXExecutionProvider"};
  const auto made = providers();
  EXPECT_THAT(append(*made, "cuda", "gpu:0"), ElementsAre("CUDAExecutionProvider use_tf32=0"));
  EXPECT_THAT(append(*made, "tensorrt", "gpu:0"), ElementsAre("TensorrtExecutionProvider trt_fp16_enable=0 trt_int8_enable=0"));
  EXPECT_THAT(append(*made, "openvino", "cpu:0"), ElementsAre("OpenVINOExecutionProvider precision=FP32"));
  EXPECT_THAT(append(*made, "qnn", "npu:0"), ElementsAre("by name: QNN backend_type=htp enable_htp_fp16_precision=0"));
  EXPECT_THAT(append(*made, "xnnpack", "cpu:0"), ElementsAre("by name: XNNPACK"));
  EXPECT_THAT(append(*made, "migraphx", "gpu:0"), ElementsAre("by name: MIGraphX"));
  EXPECT_THAT(append(*made, "cuda", "gpu:0", "f16"), ElementsAre("CUDAExecutionProvider"));
  EXPECT_THAT(append(*made, "openvino", "cpu:0", "bf16"), ElementsAre("OpenVINOExecutionProvider"));
}

TEST_F(ProvidersTest, NothingFallsBackToTheCpuUnasked) {
  said_->compiled_in = {"CUDAExecutionProvider"};
  const auto made = providers();
  append(*made, "cuda", "gpu:0");
  EXPECT_THAT(said_->entries, ElementsAre(Pair("session.disable_cpu_ep_fallback", "1")));
  append(*made, "cuda", "gpu:0", "f32", true);
  EXPECT_THAT(said_->entries, IsEmpty());
}

TEST_F(ProvidersTest, WhatCannotStartHereIsNotOffered) {
  said_->compiled_in = {"CUDAExecutionProvider", "XnnpackExecutionProvider"};
  said_->cannot_start = "CUDAExecutionProvider";
  const auto made = providers();
  EXPECT_THAT(names_of(*made), ElementsAre("cpu@cpu:0", "xnnpack@cpu:0"));
  EXPECT_THAT(logged_, ElementsAre("CUDAExecutionProvider is compiled in but not offered: "
                                   "starting CUDAExecutionProvider: no driver for CUDAExecutionProvider"));
  const kit::Error absent = error_of([&] { append(*made, "cuda", "cpu:0"); });
  EXPECT_EQ(absent.code(), AXLE_UNAVAILABLE);
  EXPECT_THAT(absent.message(), HasSubstr("offers no execution provider 'cuda' on cpu:0"));
  EXPECT_EQ(absent.hint(), "offered here: cpu, xnnpack");
  const kit::Error unknown = error_of([&] { append(*made, "cudda", "cpu:0"); });
  EXPECT_EQ(unknown.code(), AXLE_INVALID_ARGUMENT);
  EXPECT_THAT(unknown.message(), HasSubstr("'cudda', wanted one of cpu, xnnpack"));
}

TEST_F(ProvidersTest, AFailureAtTheLoadIsSaidInTheWordsOfTheLibrary) {
  said_->compiled_in = {"CUDAExecutionProvider"};
  const auto made = providers();
  made->offered();
  said_->cannot_start = "CUDAExecutionProvider";
  const kit::Error error = error_of([&] { append(*made, "cuda", "gpu:0"); });
  EXPECT_EQ(error.message(), "starting CUDAExecutionProvider: no driver for CUDAExecutionProvider");
}

TEST_F(ProvidersTest, ADeviceIsAppendedAsSuch) {
  said_->devices = {{"CPUExecutionProvider", OrtHardwareDeviceType_CPU, ""},
                    {"QNNExecutionProvider", OrtHardwareDeviceType_NPU, ""},
                    {"WebGpuExecutionProvider", OrtHardwareDeviceType_GPU, ""},
                    {"CUDAExecutionProvider", OrtHardwareDeviceType_GPU, ""},
                    {"NewComerExecutionProvider", OrtHardwareDeviceType_GPU, ""}};
  said_->compiled_in = {"QNNExecutionProvider", "CPUExecutionProvider"};  // listed as a device already
  const auto made = providers();
  EXPECT_THAT(names_of(*made), ElementsAre("cpu@cpu:0", "qnn@npu:0", "webgpu@gpu:0", "cuda@gpu:1", "newcomer@gpu:2"));
  EXPECT_THAT(append(*made, "qnn", "npu:0"),
              ElementsAre("QNNExecutionProvider on npu backend_type=htp enable_htp_fp16_precision=0"));
  EXPECT_THAT(append(*made, "cuda", "gpu:1"), ElementsAre("CUDAExecutionProvider on gpu use_tf32=0"));
  EXPECT_THAT(append(*made, "cuda", "gpu:1", "f16"), ElementsAre("CUDAExecutionProvider on gpu"));
  EXPECT_THAT(append(*made, "newcomer", "gpu:2"), ElementsAre("NewComerExecutionProvider on gpu"));
  said_->cannot_start = "QNNExecutionProvider";
  EXPECT_THAT(error_of([&] { append(*made, "qnn", "npu:0"); }).message(),
              HasSubstr("appending QNNExecutionProvider: no driver"));
}

// The library's environment is one per process.
TEST_F(ProvidersTest, APluginThatSomebodyElseRegisteredIsNotOurs) {
  said_->devices = {{"OursExecutionProvider", OrtHardwareDeviceType_GPU, "/opt/ours.so"},
                    {"TheirsExecutionProvider", OrtHardwareDeviceType_GPU, "/opt/theirs.so"}};
  const auto made = providers();
  made->register_libraries("ours=/opt/ours.so");
  EXPECT_THAT(names_of(*made), ElementsAre("cpu@cpu:0", "ours@gpu:0"));
  EXPECT_EQ(error_of([&] { made->register_libraries("/opt/ours.so"); }).code(), AXLE_INVALID_ARGUMENT);
}

// Devices came with 1.22: an older library is asked for none, and keeps what it has compiled in.
TEST_F(ProvidersTest, AnOlderLibraryIsAskedOnlyForWhatItHas) {
  for (const char* version : {"1.18.0", "1.21.1"}) {
    said_->version = version;
    said_->devices = {{"QNNExecutionProvider", OrtHardwareDeviceType_NPU, ""}};
    said_->compiled_in = {"CUDAExecutionProvider"};
    const auto made = providers();
    EXPECT_THAT(names_of(*made), ElementsAre("cpu@cpu:0", "cuda@gpu:0")) << version;
    EXPECT_THAT(append(*made, "cuda", "gpu:0"), ElementsAre("CUDAExecutionProvider use_tf32=0")) << version;
    const kit::Error refused = error_of([&] { made->register_libraries("ours=/opt/ours.so"); });
    EXPECT_EQ(refused.code(), AXLE_UNAVAILABLE);
    EXPECT_THAT(refused.message(), HasSubstr(std::string("ONNX Runtime ") + version + " has no plugin execution providers"));
  }
}

}  // namespace
}  // namespace axle::ort
