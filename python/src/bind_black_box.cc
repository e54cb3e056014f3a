#include "axle/black_box.h"

#include <nanobind/stl/map.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include "bind.h"
#include "errors.h"

namespace nb = nanobind;

namespace axle::python {
namespace {

ResourceKind kind_of(const std::string& name) {
  const auto kind = parse_resource_kind(name);
  if (!kind) check(invalid_argument_error("'" + name + "' is no kind of resource"));
  return *kind;
}

std::map<std::string, std::pair<std::string, std::string>> functions_of(const BlackBox& box) {
  std::map<std::string, std::pair<std::string, std::string>> functions;
  for (const auto& [verb, function] : box.functions) functions[verb] = {function.symbol, function.signature};
  return functions;
}

void set_functions(BlackBox& box, const std::map<std::string, std::pair<std::string, std::string>>& functions) {
  box.functions.clear();
  for (const auto& [verb, function] : functions) box.functions[verb] = {function.first, function.second};
}

}  // namespace

void bind_black_box(nb::module_& module) {
  nb::class_<BlackBox>(module, "BlackBox",
                       "A vendor's compiler or runtime as a program names it; describe() makes it an engine description.")
      .def(nb::init<>())
      .def_rw("name", &BlackBox::name, "of the engine: [a-z][a-z0-9_]*")
      .def_rw("vendor", &BlackBox::vendor)
      .def_prop_rw(
          "kind", [](const BlackBox& box) { return std::string(resource_kind_name(box.kind)); },
          [](BlackBox& box, const std::string& name) { box.kind = kind_of(name); }, "\"npu\", \"gpu\", ...")
      .def_rw("pci_ids", &BlackBox::pci_ids, "of the devices that the tools serve; without any the engine is called simulated")
      .def_rw("formats", &BlackBox::formats)
      .def_rw("precision", &BlackBox::precision)
      .def_rw("program", &BlackBox::program, "the compiler's file name; \"\" = engine_file was compiled before")
      .def_rw("search_paths", &BlackBox::search_paths, "folders, before PATH")
      .def_rw("arguments", &BlackBox::arguments,
              "words of its command line; {input}, {output}, {config} and {flag} are replaced")
      .def_rw("flags", &BlackBox::flags)
      .def_rw("config", &BlackBox::config, "text of the file {config}; \"\" = there is none")
      .def_rw("version_arguments", &BlackBox::version_arguments)
      .def_rw("version_pattern", &BlackBox::version_pattern, "one group: the version")
      .def_rw("versions", &BlackBox::versions, "accepted: \">=1.2, <2\"; \"\" = any")
      .def_rw("log_must", &BlackBox::log_must, "patterns that its log must have")
      .def_rw("timeout_ns", &BlackBox::timeout_ns)
      .def_rw("engine_file", &BlackBox::engine_file)
      .def_rw("engine_digest", &BlackBox::engine_digest)
      .def_rw("output", &BlackBox::output, "name of the compiled file")
      .def_rw("runtime_library", &BlackBox::runtime_library, "\"\" = what is compiled is not run")
      .def_prop_rw("functions", &functions_of, &set_functions, "{verb: (symbol, signature)}: load, run, unload, last_error")
      .def(
          "describe", [](const BlackBox& box) { return take(describe_black_box(box)); },
          "The engine description (docs/formats/engine-description.md). InvalidArgumentError.")
      .def_static("engine_name_of", &engine_name_of, nb::arg("text"), "The nearest name that an engine may have.")
      .def_static("flag_arguments", &flag_arguments, nb::arg("flags"),
                  "The flags as words: --optimization-level {optimization_level}.");
}

}  // namespace axle::python
