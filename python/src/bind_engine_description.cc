#include "axle/engine_description.h"

#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bind.h"
#include "errors.h"
#include "unlocked.h"

namespace nb = nanobind;

namespace axle::python {

void bind_engine_description(nb::module_& module) {
  nb::class_<AddedDescription>(module, "AddedDescription", "What add_engine_description did.")
      .def_ro("path", &AddedDescription::path, "where it is now")
      .def_ro("replaced", &AddedDescription::replaced, "there was one of that name")
      .def_ro("state", &AddedDescription::state, "of its engine");
  module.def("engine_description_folder", &engine_description_folder,
             "The user's own folder of them: $XDG_CONFIG_HOME/axle/engines, or ~/.config/axle/engines; \"\" without a home.");
  module.def(
      "check_engine_description",
      [](const std::string& path) { return take(unlocked([&] { return check_engine_description(path); })); }, nb::arg("path"),
      "The engine that a description (TOML, docs/formats/engine-description.md) makes, opened: its tools are looked for and\n"
      "their version commands run. A missing tool is no failure: present is False and reason says what to do.\n\n"
      "InvalidArgumentError names file:line:column; NotFoundError; AlreadyExistsError when a plugin has its name.");
  module.def(
      "known_engine_descriptions",
      [](const std::vector<EngineState>& in_use) { return unlocked([&] { return known_engine_descriptions(in_use); }); },
      nb::arg("in_use") = std::vector<EngineState>(),
      "Engines of the descriptions that come with axle and are not among `in_use`, with what to do about each; by name.");
  module.def(
      "add_engine_description",
      [](const std::string& path) { return take(unlocked([&] { return add_engine_description(path); })); }, nb::arg("path"),
      "Check a description, then copy it into the user's folder as NAME.toml. Runtimes made later know its engine. Errors as\n"
      "check_engine_description.");
  module.def(
      "remove_engine_description",
      [](const std::string& name) { return take(unlocked([&] { return remove_engine_description(name); })); }, nb::arg("name"),
      "Take NAME.toml out of the user's folder; its path. NotFoundError names those that are there.");
}

}  // namespace axle::python
