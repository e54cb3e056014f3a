#include "axle/evidence_store.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <utility>

#include "bind.h"
#include "errors.h"
#include "unlocked.h"

namespace nb = nanobind;

namespace axle::python {
namespace {

EvidenceFilter filter_of(const std::string& model_digest, const std::string& candidate, const std::string& machine) {
  return {model_digest, candidate, machine};
}

// `goes` is asked before anything is removed, so that its exception removes nothing and it may use the store.
uint64_t remove_if(EvidenceStore& store, nb::handle goes, const EvidenceFilter& filter) {
  std::vector<EvidenceRow> gone;
  for (EvidenceRow& row : take(unlocked([&] { return store.find(filter); }))) {
    if (nb::cast<bool>(nb::bool_(nb::object(goes(row))))) gone.push_back(std::move(row));
  }
  const auto is_gone = [&](const EvidenceRow& row) { return std::find(gone.begin(), gone.end(), row) != gone.end(); };
  return take(unlocked([&] { return store.rm_if(filter, is_gone); }));
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
          "rm_if",
          [](EvidenceStore& store, nb::handle goes, const std::string& model, const std::string& candidate,
             const std::string& machine) { return remove_if(store, goes, filter_of(model, candidate, machine)); },
          nb::arg("goes"), nb::arg("model_digest") = "", nb::arg("candidate") = "", nb::arg("machine") = "",
          nb::sig("def rm_if(self, goes: collections.abc.Callable[[EvidenceRow], bool], model_digest: str = '', candidate: str "
                  "= '', machine: str = '') -> int"),
          "Remove the matching rows for which goes(row) is true, asked on this thread; their number.")
      .def(
          "append",
          [](EvidenceStore& store, const std::vector<EvidenceRow>& rows) {
            check(unlocked([&] { return store.append(rows); }));
          },
          nb::arg("rows"), "Record rows, all or none. ResourceExhaustedError: no space.")
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
