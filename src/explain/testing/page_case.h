// A plan of two partitions with every fact behind it, for tests of the page: x -> Conv -> Relu | Gelu -> MatMul -> y.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "axle/plan.h"
#include "explain/page_facts.h"
#include "trace/recorder.h"

namespace axle::testing {

inline NodeFacts node_facts(std::string name, std::string op, uint64_t flops, uint64_t weights, uint64_t activations) {
  NodeFacts node;
  node.name = std::move(name);
  node.op_type = std::move(op);
  node.flops = flops;
  node.weight_bytes = weights;
  node.activation_bytes = activations;
  return node;
}

inline TensorFacts tensor_facts(std::string name, uint64_t bytes, int32_t producer, std::vector<int32_t> consumers) {
  TensorFacts tensor;
  tensor.name = std::move(name);
  tensor.type = "f32[1," + std::to_string(bytes / 4) + "]";
  tensor.bytes = bytes;
  tensor.producer = producer;
  tensor.consumers = std::move(consumers);
  return tensor;
}

inline ModelFacts four_nodes() {
  ModelFacts model;
  model.format = "onnx";
  model.float_dtype = "f32";
  model.cost_exact = true;
  model.nodes = {node_facts("conv1", "Conv", 4'000'000, 4000, 1200), node_facts("relu1", "Relu", 200, 0, 1600),
                 node_facts("gelu1", "Gelu", 400, 0, 1600), node_facts("matmul1", "MatMul", 1'000'000, 8000, 840)};
  model.tensors = {tensor_facts("x", 400, -1, {0}), tensor_facts("a", 800, 0, {1}), tensor_facts("b", 800, 1, {2}),
                   tensor_facts("c", 800, 2, {3}), tensor_facts("y", 40, 3, {})};
  model.outputs.resize(1);
  model.outputs[0].name = "y";
  return model;
}

inline Machine two_core_machine() {
  Machine machine;
  machine.architecture = "x86_64";
  machine.isa = {"avx", "avx2"};
  machine.cpus = {{.id = 0, .core = 0, .max_khz = 3'000'000}, {.id = 1, .core = 1, .max_khz = 3'000'000}};
  machine.allowed_cpus = {0, 1};
  Resource cpu;
  cpu.id = "cpu:0";
  cpu.cpus = {0, 1};
  Resource npu;
  npu.id = "npu:0";
  npu.kind = ResourceKind::kNpu;
  npu.simulated = true;
  machine.resources = {cpu, npu};
  return machine;
}

inline Plan two_part_plan() {
  Plan plan;
  plan.partitions.resize(2);
  plan.partitions[0].candidate = {"fast", "cpu:0", "f32", 2, "default"};
  plan.partitions[0].nodes = {"conv1", "relu1"};
  plan.partitions[0].expected_ns = 200'000;
  plan.partitions[0].expected_from_evidence = true;
  plan.partitions[1].id = 1;
  plan.partitions[1].candidate = {"wide", "npu:0", "f16", 1, "default"};
  plan.partitions[1].resource_kind = ResourceKind::kNpu;
  plan.partitions[1].simulated = true;
  plan.partitions[1].nodes = {"gelu1", "matmul1"};
  plan.partitions[1].expected_ns = 300'000;
  plan.transfers = {{-1, 0, "x", 400, "host", "host"}, {0, 1, "b", 800, "host", "device"}, {1, -1, "y", 40, "device", "host"}};
  plan.decisions.resize(1);
  plan.decisions[0].candidate = "mixed:fast+wide";
  plan.decisions[0].verdict = DecisionVerdict::kChosen;
  plan.decisions[0].reason = "no engine can run all of it";
  return plan;
}

inline VerdictRow refusal_of(const std::string& engine, const std::string& resource, uint32_t node, const std::string& why) {
  VerdictRow row;
  row.engine = engine;
  row.resource = resource;
  row.precision = "f32";
  row.verdict.graph.kind = VerdictKind::kNo;
  row.verdict.otherwise.kind = VerdictKind::kYes;
  row.verdict.nodes = {{node, {VerdictKind::kNo, "UNSUPPORTED_OP", why, -1}}};
  return row;
}

inline PlannerInput two_part_input() {
  PlannerInput input;
  input.model = four_nodes();
  input.machine = two_core_machine();
  input.verdicts = {refusal_of("fast", "cpu:0", 2, "Gelu is unknown to fast"),
                    refusal_of("wide", "npu:0", 0, "Conv is unknown to wide")};
  return input;
}

// A run of one millisecond in which each named kernel took a tenth.
inline TraceLog recorded_run(const std::vector<std::string>& kernels) {
  TraceRecorder recorder(64);
  TraceEvent event;
  event.category = TraceCategory::kRun;
  event.name = recorder.intern("run");
  event.start_ns = 1000;
  event.duration_ns = 1'000'000;
  event.thread = 7;
  recorder.record(event);
  event.category = TraceCategory::kKernel;
  event.duration_ns = 100'000;
  event.partition = 0;
  for (const std::string& kernel : kernels) {
    event.name = recorder.intern(kernel);
    recorder.record(event);
    event.start_ns += event.duration_ns;
  }
  return recorder.log();
}

}  // namespace axle::testing
