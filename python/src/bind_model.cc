#include "axle/model.h"

#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bind.h"
#include "errors.h"
#include "unlocked.h"

namespace nb = nanobind;

namespace axle::python {
namespace {

Result<ModelFormat> format_named(const std::string& name) {
  if (name.empty()) return ModelFormat::kUnknown;
  const auto format = parse_model_format(name);
  if (!format)
    return invalid_argument_error("there is no model format '" + name + "'").with_hint("onnx, openvino-ir, tflite, ...");
  return *format;
}

Model from_bytes(const nb::bytes& bytes, const std::string& folder, const std::string& format) {
  ModelOptions options;
  options.format = take(format_named(format));
  const auto* data = reinterpret_cast<const std::byte*>(bytes.c_str());
  return take(unlocked([&] { return Model::from_bytes({data, bytes.size()}, folder, options); }));
}

Model load(const std::string& path, const std::string& format) {
  ModelOptions options;
  options.format = take(format_named(format));
  return take(unlocked([&] { return Model::load(path, options); }));
}

void bind_summary(nb::module_& module) {
  nb::class_<ModelSummary>(module, "ModelSummary", "Structure and cost of a model on the shapes its file declares.")
      .def_ro("node_count", &ModelSummary::node_count)
      .def_ro("parameter_count", &ModelSummary::parameter_count)
      .def_ro("weight_bytes", &ModelSummary::weight_bytes)
      .def_ro("flops", &ModelSummary::flops, "per run, multiply-add = 2; unknown axes count as 1")
      .def_ro("activation_bytes", &ModelSummary::activation_bytes)
      .def_ro("cost_exact", &ModelSummary::cost_exact, "every shape was static")
      .def_ro("op_counts", &ModelSummary::op_counts)
      .def_ro("dynamic_axes", &ModelSummary::dynamic_axes)
      .def_ro("category", &ModelSummary::category)
      .def_ro("category_reason", &ModelSummary::category_reason)
      .def_ro("issues", &ModelSummary::issues);
}

}  // namespace

void bind_model(nb::module_& module) {
  bind_summary(module);
  nb::class_<Model>(module, "Model", "A model file or folder, read and checked but not yet given to any engine.")
      .def_static("load", &load, nb::arg("path"), nb::arg("format") = "",
                  "Read and hash the files; weights are mapped, not copied. `format`: \"\" = found out from the content.\n\n"
                  "NotFoundError; InvalidArgumentError: not a model, or malformed; DataLossError: truncated;\n"
                  "UnimplementedError: an opset newer than this build knows; ResourceExhaustedError: over a limit.")
      .def_static("from_bytes", &from_bytes, nb::arg("bytes"), nb::arg("folder") = "", nb::arg("format") = "",
                  "The same for bytes in memory, which are copied. `folder`: where external data is; \"\" = none allowed.")
      .def_prop_ro("format", [](const Model& model) { return std::string(model.format_name()); })
      .def_prop_ro("path", &Model::path, "\"\" when made from bytes")
      .def_prop_ro("name", &Model::name)
      .def_prop_ro("digest", &Model::digest, "\"sha256:...\" over the content (docs/formats/model-digest.md)")
      .def_prop_ro("producer", &Model::producer)
      .def_prop_ro("inputs", &Model::inputs)
      .def_prop_ro("outputs", &Model::outputs)
      .def_prop_ro("opsets", &Model::opsets, "domain (\"\" = ai.onnx) -> version")
      .def_prop_ro("metadata", &Model::metadata)
      .def(
          "summary", [](const Model& model) { return take(unlocked([&] { return model.summary(); })); },
          "Structure and cost; runs shape inference on the first call.")
      .def(
          "check_unchanged", [](const Model& model) { check(unlocked([&] { return model.check_unchanged(); })); },
          "Raise AbortedError or NotFoundError when a file changed or went since the model was read.")
      .def("__repr__", [](const Model& model) {
        return "<axle.Model " + model.name() + ", " + std::string(model.format_name()) + ", " + model.digest() + ">";
      });
}

}  // namespace axle::python
