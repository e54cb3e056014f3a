#include "axle/plan.h"

#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bind.h"
#include "bind_plan.h"
#include "errors.h"

namespace nb = nanobind;

namespace axle::python {
namespace {

void bind_decisions(nb::module_& module) {
  nb::class_<NodeReason>(module, "NodeReason", "Why a node cannot run somewhere.")
      .def_ro("node", &NodeReason::node)
      .def_ro("op", &NodeReason::op)
      .def_ro("code", &NodeReason::code)
      .def_ro("reason", &NodeReason::reason);
  nb::class_<EvidenceSummary>(module, "EvidenceSummary", "What was measured of a candidate.")
      .def_ro("p50_ns", &EvidenceSummary::p50_ns)
      .def_ro("p95_ns", &EvidenceSummary::p95_ns)
      .def_ro("p99_ns", &EvidenceSummary::p99_ns)
      .def_ro("runs", &EvidenceSummary::runs)
      .def_ro("interval_low", &EvidenceSummary::interval_low, "of the paired ratio to the chosen one; 0 = none")
      .def_ro("interval_high", &EvidenceSummary::interval_high)
      .def_ro("error", &EvidenceSummary::error)
      .def_ro("recorded_unix_s", &EvidenceSummary::recorded_unix_s)
      .def_ro("stale", &EvidenceSummary::stale)
      .def_ro("stale_reason", &EvidenceSummary::stale_reason, "what has changed since it was measured; \"\" unless stale");
  nb::class_<Decision>(module, "Decision", "One candidate, taken or not, with the reason.")
      .def_ro("candidate", &Decision::candidate)
      .def_prop_ro(
          "verdict", [](const Decision& decision) { return std::string(decision_verdict_name(decision.verdict)); },
          "\"chosen\", \"rejected\", \"tie\", \"not_measured\" or \"failed\"")
      .def_ro("code", &Decision::code, "the gate that spoke: \"ABSENT\", \"POLICY\", \"SLOWER\", ...")
      .def_ro("reason", &Decision::reason)
      .def_ro("estimate_ns", &Decision::estimate_ns, "roofline estimate; 0 = none")
      .def_ro("evidence", &Decision::evidence)
      .def_ro("nodes", &Decision::nodes)
      .def("__repr__", [](const Decision& decision) {
        return "<axle.Decision " + decision.candidate + ": " + std::string(decision_verdict_name(decision.verdict)) + ", " +
               decision.reason + ">";
      });
}

void bind_parts(nb::module_& module) {
  nb::class_<Candidate>(module, "Candidate", "One way to run a graph or a part.")
      .def_ro("engine", &Candidate::engine)
      .def_ro("resource", &Candidate::resource)
      .def_ro("precision", &Candidate::precision)
      .def_ro("threads", &Candidate::threads)
      .def_ro("preset", &Candidate::preset)
      .def_ro("variant", &Candidate::variant, "name of the copy of the model that it runs; \"\" = the model as it is")
      .def_static(
          "parse", [](const std::string& text) { return take(parse_candidate(text)); }, nb::arg("text"),
          "From its text. InvalidArgumentError.")
      .def("format", &Candidate::format, "\"onnxruntime@cpu:0/f32/t2/default\": its name in evidence, pins and tables.")
      .def("__str__", &Candidate::format)
      .def("__repr__", [](const Candidate& candidate) { return "<axle.Candidate " + candidate.format() + ">"; });
  nb::class_<Variant>(module, "Variant", "A copy of the model at another precision, made by a converter; kept in the cache.")
      .def_ro("kind", &Variant::kind, "\"qdq\": quantised to int8; \"f16\": floats as f16")
      .def_ro("digest", &Variant::digest, "of the copy, as a model")
      .def_ro("converter", &Variant::converter)
      .def_ro("calibration_digest", &Variant::calibration_digest, "of the data its ranges were read from; \"\" = none")
      .def_ro("options", &Variant::options, "of the conversion")
      .def("name", &Variant::name, "\"qdq-1a2b3c4d\": kind and the first 8 hex digits of the digest.")
      .def("__repr__", [](const Variant& variant) { return "<axle.Variant " + variant.name() + ">"; });
  nb::class_<Partition>(module, "Partition", "A part of the model that one engine runs on one resource.")
      .def_ro("id", &Partition::id)
      .def_ro("replica", &Partition::replica, "partitions of one replica compute the whole model")
      .def_ro("candidate", &Partition::candidate)
      .def_ro("engine_version", &Partition::engine_version)
      .def_ro("library_digest", &Partition::library_digest)
      .def_prop_ro("resource_kind", [](const Partition& part) { return std::string(resource_kind_name(part.resource_kind)); })
      .def_ro("simulated", &Partition::simulated)
      .def_ro("nodes", &Partition::nodes, "empty = the whole model")
      .def_ro("inputs", &Partition::inputs)
      .def_ro("outputs", &Partition::outputs)
      .def_ro("options", &Partition::options)
      .def_ro("cpu_set", &Partition::cpu_set)
      .def_ro("axes", &Partition::axes, "open axes that this executable has fixed, by size; empty = none")
      .def_ro("spin", &Partition::spin, "threads may wait by spinning")
      .def_ro("isolated", &Partition::isolated)
      .def_prop_ro(
          "load", [](const Partition& part) { return std::string(load_name(part.load)); },
          "when it serves: \"any\", of a hybrid plan \"low\" or \"high\"")
      .def_ro("expected_ns", &Partition::expected_ns)
      .def_ro("expected_from_evidence", &Partition::expected_from_evidence)
      .def_ro("variant", &Partition::variant, "that runs instead of the model; None = the model itself")
      .def("__repr__", [](const Partition& part) { return "<axle.Partition " + place_of(part) + ">"; });
  nb::class_<Transfer>(module, "Transfer", "A tensor that moves between partitions; -1 = the caller.")
      .def_ro("from_partition", &Transfer::from_partition)
      .def_ro("to_partition", &Transfer::to_partition)
      .def_ro("tensor", &Transfer::tensor)
      .def_ro("bytes", &Transfer::bytes)
      .def_ro("from_space", &Transfer::from_space)
      .def_ro("to_space", &Transfer::to_space)
      .def_ro("type", &Transfer::type, "\"f32[batch,64]\", open axes by their symbol; \"\" = not known");
  nb::class_<Substitution>(module, "Substitution", "An allowed fallback that was taken.")
      .def_ro("wanted", &Substitution::wanted)
      .def_ro("got", &Substitution::got)
      .def_ro("allowed_by", &Substitution::allowed_by, "policy key: \"fallback.resource\"")
      .def_ro("reason", &Substitution::reason)
      .def("__repr__", [](const Substitution& taken) {
        return "<axle.Substitution " + taken.got + " instead of " + taken.wanted + ", allowed by " + taken.allowed_by + ": " +
               taken.reason + ">";
      });
}

}  // namespace

void bind_plan(nb::module_& module) {
  bind_decisions(module);
  bind_parts(module);
  nb::class_<Batching>(module, "Batching", "How requests that wait at the same time are computed together.")
      .def_ro("rows", &Batching::rows, "of one run, at most; 1 = each request is computed alone")
      .def_ro("wait_ns", &Batching::wait_ns, "how long the first of them waits for others")
      .def_ro("runs", &Batching::runs, "at a time")
      .def_ro("axis", &Batching::axis, "the first one of every input and output, by its symbol")
      .def_prop_ro("on", &Batching::on, "whether requests are joined at all");
  nb::class_<Plan>(module, "Plan", "What runs where, and why not otherwise.")
      .def_ro("model_digest", &Plan::model_digest)
      .def_ro("policy_digest", &Plan::policy_digest)
      .def_ro("machine_fingerprint", &Plan::machine_fingerprint)
      .def_ro("schedule", &Plan::schedule)
      .def_ro("each", &Plan::each, "what each replica is where it has several partitions: \"pipeline\" or \"split\"; else \"\"")
      .def_ro("switch_at", &Plan::switch_at, "of a hybrid plan: requests in flight from which the load is high; else 0")
      .def_ro("batching", &Plan::batching)
      .def_ro("partitions", &Plan::partitions, "in execution order, at least one")
      .def_ro("transfers", &Plan::transfers)
      .def_ro("judged_shapes", &Plan::judged_shapes)
      .def_ro("decisions", &Plan::decisions, "every candidate that was looked at, best first")
      .def_ro("substitutions", &Plan::substitutions)
      .def_ro("notes", &Plan::notes)
      .def_ro("expected_ns", &Plan::expected_ns)
      .def("measured", &Plan::measured, "Whether it was judged by evidence, not estimates.")
      .def("digest", &Plan::digest, "\"sha256:...\" over what is executed: not over decisions, notes and expectations.")
      .def(
          "to_json", [](const Plan& plan) { return take(plan_to_json(plan)); }, "Canonical JSON (docs/formats/plan.md).")
      .def_static(
          "parse", [](const std::string& json) { return take(parse_plan(json)); }, nb::arg("json"),
          "From canonical JSON. InvalidArgumentError.")
      .def("__repr__", [](const Plan& plan) {
        std::string text = "<axle.Plan";
        for (const Partition& part : plan.partitions) text += " " + place_of(part);
        return text + ">";
      });
}

}  // namespace axle::python
