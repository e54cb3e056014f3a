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

ModelOptions options_of(const std::string& format, const ModelLimits* limits, const std::vector<std::string>& folders) {
  ModelOptions options;
  options.format = take(format_named(format));
  if (limits != nullptr) options.limits = *limits;
  options.external_data_folders = folders;
  return options;
}

Model from_bytes(const nb::bytes& bytes, const std::string& folder, const std::string& format, const ModelLimits* limits,
                 const std::vector<std::string>& folders) {
  const ModelOptions options = options_of(format, limits, folders);
  const auto* data = reinterpret_cast<const std::byte*>(bytes.c_str());
  return take(unlocked([&] { return Model::from_bytes({data, bytes.size()}, folder, options); }));
}

Model load(const std::string& path, const std::string& format, const ModelLimits* limits,
           const std::vector<std::string>& folders) {
  const ModelOptions options = options_of(format, limits, folders);
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

void bind_files(nb::module_& module) {
  nb::class_<ModelFile>(module, "ModelFile", "One file whose content the model's digest covers.")
      .def_ro("path", &ModelFile::path, "as opened")
      .def_ro("role", &ModelFile::role, "\"-\" the model file, \"weights\", or a relative path")
      .def_ro("size_bytes", &ModelFile::size_bytes)
      .def_ro("stamp", &ModelFile::stamp, "stands for the content while it does not change")
      .def_ro("sha256", &ModelFile::sha256, "64 hex digits");
  nb::class_<ModelLimits>(module, "ModelLimits", "Bounds on what is read; going over one is ResourceExhaustedError.")
      .def(nb::init<>())
      .def_rw("max_structure_bytes", &ModelLimits::max_structure_bytes, "everything of the model file but weights")
      .def_rw("max_weight_bytes", &ModelLimits::max_weight_bytes, "all weight files together")
      .def_rw("max_nodes", &ModelLimits::max_nodes, "functions inlined, subgraphs included")
      .def_rw("max_values", &ModelLimits::max_values)
      .def_rw("max_attributes_per_node", &ModelLimits::max_attributes_per_node)
      .def_rw("max_name_bytes", &ModelLimits::max_name_bytes)
      .def_rw("max_subgraph_depth", &ModelLimits::max_subgraph_depth)
      .def_rw("max_rank", &ModelLimits::max_rank)
      .def_rw("max_files", &ModelLimits::max_files, "external data, folders");
}

}  // namespace

void bind_model(nb::module_& module) {
  bind_summary(module);
  bind_files(module);
  nb::class_<Model>(module, "Model", "A model file or folder, read and checked but not yet given to any engine.")
      .def_static("load", &load, nb::arg("path"), nb::arg("format") = "", nb::arg("limits").none() = nb::none(),
                  nb::arg("external_data_folders") = std::vector<std::string>(),
                  "Read and hash the files; weights are mapped, not copied. `format`: \"\" = found out from the content.\n"
                  "`external_data_folders`: where external data may be through links, beside the model's own folder.\n\n"
                  "NotFoundError; InvalidArgumentError: not a model, or malformed; DataLossError: truncated;\n"
                  "UnimplementedError: an opset newer than this build knows; ResourceExhaustedError: over a limit.")
      .def_static("from_bytes", &from_bytes, nb::arg("bytes"), nb::arg("folder") = "", nb::arg("format") = "",
                  nb::arg("limits").none() = nb::none(), nb::arg("external_data_folders") = std::vector<std::string>(),
                  "The same for bytes in memory, which are copied. `folder`: where external data is; \"\" = none allowed.")
      .def_prop_ro("format", [](const Model& model) { return std::string(model.format_name()); })
      .def_prop_ro("path", &Model::path, "\"\" when made from bytes")
      .def_prop_ro("name", &Model::name)
      .def_prop_ro("digest", &Model::digest, "\"sha256:...\" over the content (docs/formats/model-digest.md)")
      .def_prop_ro("producer", &Model::producer)
      .def_prop_ro("inputs", &Model::inputs)
      .def_prop_ro("outputs", &Model::outputs)
      .def_prop_ro("opsets", &Model::opsets, "domain (\"\" = ai.onnx) -> version")
      .def_prop_ro("metadata", &Model::metadata, "what the file says of itself")
      .def_prop_ro("files", &Model::files, "whose content the digest covers")
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
