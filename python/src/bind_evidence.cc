#include "axle/evidence.h"

#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bind.h"

namespace nb = nanobind;

namespace axle::python {

void bind_evidence(nb::module_& module) {
  nb::class_<EvidenceKey>(module, "EvidenceKey", "Everything that must be equal for a measurement to count.")
      .def_ro("model_digest", &EvidenceKey::model_digest)
      .def_ro("candidate", &EvidenceKey::candidate, "\"onnxruntime@cpu:0/f32/t2/default\"")
      .def_ro("part", &EvidenceKey::part, "\"\" = the whole model")
      .def_ro("shapes", &EvidenceKey::shapes)
      .def_ro("concurrency", &EvidenceKey::concurrency)
      .def_ro("batch", &EvidenceKey::batch, "rows that were computed together at most; 1 = requests one by one")
      .def_ro("batch_wait_ns", &EvidenceKey::batch_wait_ns)
      .def_ro("samples_digest", &EvidenceKey::samples_digest)
      .def_ro("library_digest", &EvidenceKey::library_digest)
      .def_ro("machine", &EvidenceKey::machine, "identity fingerprint");
  nb::class_<OutputFigures>(module, "OutputFigures", "Error of one output against the reference run.")
      .def_ro("name", &OutputFigures::name)
      .def_ro("max_relative", &OutputFigures::max_relative, "max|a-b| / max|b|")
      .def_ro("relative_l2", &OutputFigures::relative_l2)
      .def_ro("cosine", &OutputFigures::cosine)
      .def_ro("top1_agreement", &OutputFigures::top1_agreement, "share of rows with the same largest element")
      .def_ro("mismatches", &OutputFigures::mismatches, "of integer or string elements");
  nb::class_<ErrorFigures>(module, "ErrorFigures", "Error against the reference run; the worst output counts.")
      .def_ro("max_relative", &ErrorFigures::max_relative, "max|a-b| / max|b|")
      .def_ro("relative_l2", &ErrorFigures::relative_l2)
      .def_ro("cosine", &ErrorFigures::cosine)
      .def_ro("top1_agreement", &ErrorFigures::top1_agreement)
      .def_ro("mismatches", &ErrorFigures::mismatches, "of integer or string elements")
      .def_ro("reference", &ErrorFigures::reference)
      .def_ro("worst_output", &ErrorFigures::worst_output)
      .def_ro("outputs", &ErrorFigures::outputs, "each output, in the model's order; of more than 64 the 64 worst");
  nb::class_<EvidenceRow::Paired>(module, "EvidencePaired", "A comparison with a rival that was made in the same run.")
      .def_ro("rival", &EvidenceRow::Paired::rival, "candidate")
      .def_ro("ratio", &EvidenceRow::Paired::ratio, "median of the rival's time over this one's")
      .def_ro("low", &EvidenceRow::Paired::low, "95 % interval")
      .def_ro("high", &EvidenceRow::Paired::high)
      .def_ro("pairs", &EvidenceRow::Paired::pairs);
  nb::class_<EvidenceRow>(module, "EvidenceRow", "One recorded measurement of a candidate.")
      .def_ro("key", &EvidenceRow::key)
      .def_prop_ro(
          "kind", [](const EvidenceRow& row) { return row.kind == EvidenceKind::kFailed ? "failed" : "measured"; },
          "\"measured\" or \"failed\"")
      .def_prop_ro(
          "failed", [](const EvidenceRow& row) { return row.kind == EvidenceKind::kFailed; },
          "True when the row records a failure (failure_code, failure_text).")
      .def_ro("simulated", &EvidenceRow::simulated)
      .def_ro("recorded_unix_s", &EvidenceRow::recorded_unix_s)
      .def_ro("block_ns", &EvidenceRow::block_ns, "block medians per call, in the order taken")
      .def_ro("runs", &EvidenceRow::runs, "calls behind block_ns")
      .def_ro("p50_ns", &EvidenceRow::p50_ns)
      .def_ro("p95_ns", &EvidenceRow::p95_ns)
      .def_ro("p99_ns", &EvidenceRow::p99_ns)
      .def_ro("load_ns", &EvidenceRow::load_ns)
      .def_ro("compile_ns", &EvidenceRow::compile_ns)
      .def_ro("first_run_ns", &EvidenceRow::first_run_ns)
      .def_ro("peak_memory_bytes", &EvidenceRow::peak_memory_bytes, "0 = not measured")
      .def_ro("energy_pj", &EvidenceRow::energy_pj, "picojoules of one run by counters; 0 = no counter was read")
      .def_ro("energy_source", &EvidenceRow::energy_source, "those counters: \"rapl package-0\"")
      .def_ro("error", &EvidenceRow::error)
      .def_ro("paired", &EvidenceRow::paired)
      .def_ro("failure_code", &EvidenceRow::failure_code)
      .def_ro("failure_text", &EvidenceRow::failure_text)
      .def_ro("state_json", &EvidenceRow::state_json, "machine state at the time, as JSON")
      .def_ro("made_with", &EvidenceRow::made_with, "{engine: version, \"os\": ..., \"driver gpu:0\": ...} at the time")
      .def_ro("hardware", &EvidenceRow::hardware, "fingerprint of the hardware without os and drivers; \"\" = not recorded")
      .def("__eq__", [](const EvidenceRow& a,
                        nb::handle b) { return nb::isinstance<EvidenceRow>(b) && a == nb::cast<const EvidenceRow&>(b); })
      .def("__repr__", [](const EvidenceRow& row) {
        return "<axle.EvidenceRow " + row.key.candidate + ", p50 " + std::to_string(row.p50_ns) + " ns>";
      });
}

}  // namespace axle::python
