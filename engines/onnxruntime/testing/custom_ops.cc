// A library of one custom operator, as a user would bring it: test.axle:Twice doubles f32.
#define ORT_API_MANUAL_INIT
#include <onnxruntime_lite_custom_op.h>
#undef ORT_API_MANUAL_INIT

namespace {

void twice(const Ort::Custom::Tensor<float>& x, Ort::Custom::Tensor<float>& y) {
  float* out = y.Allocate(x.Shape());
  for (int64_t i = 0; i < x.NumberOfElement(); ++i) out[i] = 2 * x.Data()[i];
}

}  // namespace

extern "C" __attribute__((visibility("default"))) OrtStatus* ORT_API_CALL RegisterCustomOps(OrtSessionOptions* options,
                                                                                            const OrtApiBase* base) {
  // The version that every library knows which the plugin accepts.
  Ort::InitApi(base->GetApi(17));
  static Ort::CustomOpDomain domain("test.axle");
  static const std::unique_ptr<Ort::Custom::OrtLiteCustomOp> op(
      Ort::Custom::CreateLiteCustomOp("Twice", "CPUExecutionProvider", twice));
  static const bool added = (domain.Add(op.get()), true);
  (void)added;
  return Ort::GetApi().AddCustomOpDomain(options, domain);
}
