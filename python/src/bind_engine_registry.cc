// The registry of axle/engine.h, and plugins that a program adds by itself.
#include "engine_registry.h"

#include <dlfcn.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <filesystem>

#include "bind.h"
#include "errors.h"
#include "unlocked.h"

namespace nb = nanobind;

namespace axle::python {
namespace {

PythonRegistry create(const std::vector<std::string>& plugin_folders, const std::vector<std::string>& descriptions,
                      bool default_folders, const std::vector<std::string>& only,
                      const std::map<std::string, std::string>& libraries,
                      const std::map<std::string, std::map<std::string, std::string>>& engine_options,
                      const std::string& scratch_folder, const std::string& digest_memo) {
  EngineRegistryOptions options{plugin_folders, descriptions,   default_folders, only, libraries,
                                engine_options, scratch_folder, digest_memo,     {}};
  return {take(unlocked([&] { return EngineRegistry::create(std::move(options)); })), nullptr};
}

// The library stays for the life of the process, as the registry demands.
Status register_plugin(const std::string& path, const std::string& name) {
  if (!std::filesystem::exists(path)) return not_found_error("there is no plugin " + path);
  void* library = ::dlopen(std::filesystem::absolute(path).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* reason = ::dlerror();
    return unavailable_error(path + " cannot be loaded: " + (reason == nullptr ? "" : reason));
  }
  void* symbol = ::dlsym(library, "axle_engine_query");
  if (symbol == nullptr) {
    return invalid_argument_error(path + " is no engine plugin: it exports no axle_engine_query")
        .with_hint("docs/guides/add-an-engine.md");
  }
  return register_engine(reinterpret_cast<axle_engine_query_t>(symbol), name);
}

}  // namespace

void bind_engine_registry(nb::module_& module) {
  nb::class_<PythonRegistry>(module, "EngineRegistry", "The engines that are known here: finds, loads and lists them.")
      .def_static(
          "create", &create, nb::arg("plugin_folders") = std::vector<std::string>(),
          nb::arg("descriptions") = std::vector<std::string>(), nb::arg("default_folders") = true,
          nb::arg("only") = std::vector<std::string>(), nb::arg("libraries") = std::map<std::string, std::string>(),
          nb::arg("engine_options") = std::map<std::string, std::map<std::string, std::string>>(),
          nb::arg("scratch_folder") = "", nb::arg("digest_memo") = "",
          "A registry of one's own, to look around with; a Runtime has its own (Runtime.engines).\n\n"
          "plugin_folders and descriptions are searched first, alone unless default_folders; only: names, empty = all;\n"
          "libraries: engine -> the vendor's library; engine_options: engine -> settings it is created with;\n"
          "scratch_folder: \"\" = a private one; digest_memo: a file that remembers digests, \"\" = hash at each start.")
      .def(
          "names", [](PythonRegistry& registry) { return registry.get().names(); }, "Sorted; nothing is opened for it.")
      .def(
          "state",
          [](PythonRegistry& registry, const std::string& name) {
            return take(unlocked([&] { return registry.get().state(name); }));
          },
          nb::arg("name"), "One engine, which is opened. NotFoundError only for an unknown name.")
      .def(
          "peek", [](PythonRegistry& registry, const std::string& name) { return take(registry.get().peek(name)); },
          nb::arg("name"), "The same without opening it: until it was opened, only its name and plugin_path.")
      .def(
          "states", [](PythonRegistry& registry) { return unlocked([&] { return registry.get().states(); }); },
          "All of them, each opened; sorted by name.")
      .def(
          "problems", [](PythonRegistry& registry) { return registry.get().problems(); },
          "Plugins that could not even be read, one sentence each.")
      .def(
          "bind_machine", [](PythonRegistry& registry, const Machine& machine) { registry.get().bind_machine(machine); },
          nb::arg("machine"),
          "Give what engines report the ids of this machine's resources. Once; a Runtime does it by itself.");
  module.def(
      "register_engine",
      [](const std::string& path, const std::string& name) { check(unlocked([&] { return register_plugin(path, name); })); },
      nb::arg("path"), nb::arg("name"),
      "Load an engine plugin (docs/guides/add-an-engine.md) from a file into this process and add it to every registry, those\n"
      "that exist too. `name` is the one it describes. The file is code: register what you trust.\n\n"
      "NotFoundError: no such file; UnavailableError: it cannot be loaded; InvalidArgumentError: it is no plugin;\n"
      "AlreadyExistsError: the name is taken.");
  module.def(
      "join_resources",
      [](const Machine& machine, std::vector<EngineResource> resources) {
        join_resources(machine, resources);
        return resources;
      },
      nb::arg("machine"), nb::arg("resources"),
      "The resources with the machine's ids where PCI address or UUID agree; EngineState has them joined already.");
}

}  // namespace axle::python
