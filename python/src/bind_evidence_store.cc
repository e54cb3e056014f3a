#include "axle/evidence_store.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bind.h"
#include "errors.h"
#include "unlocked.h"

namespace nb = nanobind;

namespace axle::python {
namespace {

EvidenceFilter filter_of(const std::string& model_digest, const std::string& candidate, const std::string& machine) {
  return {model_digest, candidate, machine};
}

}  // namespace

void bind_evidence_store(nb::module_& module) {
  nb::class_<EvidenceStats>(module, "EvidenceStats", "Size of the evidence store.")
      .def_ro("rows", &EvidenceStats::rows)
      .def_ro("unreadable", &EvidenceStats::unreadable)
      .def_ro("bytes", &EvidenceStats::bytes);
  nb::class_<EvidenceStore>(module, "EvidenceStore",
                            "The measurements of this user (docs/formats/evidence-store.md). In every filter, \"\" = any.")
      .def_static(
          "open", [](const std::string& folder, bool read_only) { return take(EvidenceStore::open(folder, read_only)); },
          nb::arg("folder") = "", nb::arg("read_only") = false, "The store in the cache folder; \"\" = the default one.")
      .def_prop_ro("path", &EvidenceStore::path)
      .def(
          "find",
          [](const EvidenceStore& store, const std::string& model, const std::string& candidate, const std::string& machine) {
            return take(unlocked([&] { return store.find(filter_of(model, candidate, machine)); }));
          },
          nb::arg("model_digest") = "", nb::arg("candidate") = "", nb::arg("machine") = "",
          "Rows in the order in which they were recorded.")
      .def(
          "stats", [](const EvidenceStore& store) { return take(unlocked([&] { return store.stats(); })); }, "Rows and bytes.")
      .def(
          "rm",
          [](EvidenceStore& store, const std::string& model, const std::string& candidate, const std::string& machine,
             bool all) { return take(unlocked([&] { return store.rm(filter_of(model, candidate, machine), all); })); },
          nb::arg("model_digest") = "", nb::arg("candidate") = "", nb::arg("machine") = "", nb::arg("all") = false,
          "Remove rows; their number. Without a filter only with all=True.")
      .def(
          "export_json",
          [](const EvidenceStore& store, const std::string& model, const std::string& candidate, const std::string& machine) {
            return take(unlocked([&] { return store.export_json(filter_of(model, candidate, machine)); }));
          },
          nb::arg("model_digest") = "", nb::arg("candidate") = "", nb::arg("machine") = "",
          "Canonical JSON of the rows (docs/formats/evidence.md).")
      .def(
          "import_json",
          [](EvidenceStore& store, const std::string& json) { return take(unlocked([&] { return store.import_json(json); })); },
          nb::arg("json"), "Number of rows that were new. InvalidArgumentError imports nothing.")
      .def(
          "compact", [](EvidenceStore& store) { check(unlocked([&] { return store.compact(); })); },
          "Drop damaged lines and all but the newest rows of each key.")
      .def("__repr__", [](const EvidenceStore& store) { return "<axle.EvidenceStore " + store.path() + ">"; });
}

}  // namespace axle::python
