// fakenpu-compile: the FAKE vendor's compiler. See README.md for its contract and its faults.
#include <onnx/onnx_pb.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <thread>

#include "program.h"

namespace {

using fakenpu::Program;

struct Job {
  std::string model, output, report, level = "1", check, info;
};

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("FAKE error: could not open input file " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write(const std::string& path, const std::string& content) {
  std::ofstream file(path, std::ios::binary);
  file << content;
  if (!file.flush()) throw std::runtime_error("FAKE error: cannot write " + path);
}

std::vector<int64_t> shape_of(const onnx::ValueInfoProto& value) {
  std::vector<int64_t> shape;
  for (const auto& dim : value.type().tensor_type().shape().dim()) {
    if (!dim.has_dim_value()) throw std::runtime_error("FAKE error: shape of " + value.name() + " is not fixed");
    shape.push_back(dim.dim_value());
  }
  return shape;
}

fakenpu::Array array_of(const onnx::TensorProto& tensor) {
  if (tensor.data_type() != onnx::TensorProto::FLOAT) throw std::runtime_error("FAKE error: only f32 constants");
  fakenpu::Array array;
  array.shape.assign(tensor.dims().begin(), tensor.dims().end());
  array.values.assign(tensor.float_data().begin(), tensor.float_data().end());
  if (tensor.has_raw_data()) {
    array.values.resize(tensor.raw_data().size() / sizeof(float));
    std::memcpy(array.values.data(), tensor.raw_data().data(), array.values.size() * sizeof(float));
  }
  if (static_cast<int64_t>(array.values.size()) != array.count())
    throw std::runtime_error("FAKE error: constant " + tensor.name() + " is outside the file");
  return array;
}

fakenpu::Step step_of(const onnx::NodeProto& node) {
  static const char* const kOps[] = {"Add", "Mul", "Relu", "MatMul", "Gemm"};
  if (std::find(std::begin(kOps), std::end(kOps), node.op_type()) == std::end(kOps))
    throw std::runtime_error("FAKE error: Op not support:{'" + node.op_type() + "'}");
  fakenpu::Step step;
  step.op = node.op_type();
  step.inputs.assign(node.input().begin(), node.input().end());
  step.output = node.output(0);
  for (const auto& attribute : node.attribute()) {
    if (attribute.name() == "alpha") step.alpha = attribute.f();
    if (attribute.name() == "beta") step.beta = attribute.f();
    if (attribute.name() == "transA") step.trans_a = attribute.i();
    if (attribute.name() == "transB") step.trans_b = attribute.i();
  }
  return step;
}

Program translate(const std::string& bytes) {
  onnx::ModelProto model;
  if (!model.ParseFromString(bytes)) throw std::runtime_error("FAKE error: not an ONNX model");
  Program program;
  for (const auto& tensor : model.graph().initializer()) program.constants[tensor.name()] = array_of(tensor);
  for (const auto& input : model.graph().input()) {
    if (!program.constants.contains(input.name())) program.inputs.push_back({input.name(), shape_of(input)});
  }
  for (const auto& output : model.graph().output()) program.outputs.push_back({output.name(), shape_of(output)});
  for (const auto& node : model.graph().node()) program.steps.push_back(step_of(node));
  return program;
}

// Faults that strike before anything is done.
void misbehave_early(const std::string& fault) {
  if (fault == "compile_crash") std::abort();
  if (fault == "compile_no_space") throw std::runtime_error("FAKE error: write failed: No space left on device");
  constexpr size_t kBytes = size_t{32} << 20;
  while (fault == "compile_leak") std::memset(new char[kBytes], 1, kBytes);
  while (fault == "compile_hang") std::this_thread::sleep_for(std::chrono::milliseconds(50));
}

int compile(const Job& job) {
  const std::string fault = fakenpu::fault();
  misbehave_early(fault);
  std::printf("FAKE compiler, level %s\nprogress 10%%\n", job.level.c_str());
  Program program = translate(read(job.model));
  if (fault == "compile_corrupt_numbers" && !program.constants.empty()) {
    for (float& value : program.constants.begin()->second.values) value += 1;
  }
  std::string bytes = fakenpu::save(program);
  if (fault == "compile_half") bytes.resize(bytes.size() / 2);
  // Some vendors leave their work to the host's processor and call that a success.
  const size_t on_npu = fault == "compile_lie" ? 0 : program.steps.size();
  if (fault != "compile_no_output") write(job.output, bytes);
  if (!job.report.empty()) write(job.report, "{\"npu_operators\": " + std::to_string(on_npu) + "}\n");
  std::printf("progress 100%%\n[Success]: FAKE compile\n");
  if (fault == "compile_fails_after_output") return 1;
  return 0;
}

// key=value lines.
void read_config(const std::string& path, Job& job) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("FAKE error: could not open config " + path);
  for (std::string line; std::getline(file, line);) {
    const size_t equals = line.find('=');
    if (equals == std::string::npos) continue;
    const std::string key = line.substr(0, equals), value = line.substr(equals + 1);
    if (key == "model") job.model = value;
    if (key == "output") job.output = value;
    if (key == "report") job.report = value;
    if (key == "level") job.level = value;
  }
}

int run(int argc, char** argv) {
  Job job;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--version") {
      std::printf("fakenpu-compile FAKE %s\n", fakenpu::fault() == "wrong_version" ? "9.0.0" : "1.4.2");
      return 0;
    }
    if (i + 1 == argc) throw std::runtime_error("FAKE error: " + flag + " needs a value");
    const std::string value = argv[++i];
    if (flag == "--config")
      read_config(value, job);
    else if (flag == "--model")
      job.model = value;
    else if (flag == "--output")
      job.output = value;
    else if (flag == "--report")
      job.report = value;
    else if (flag == "--level")
      job.level = value;
    else if (flag == "--check")
      job.check = value;
    else if (flag == "--info")
      job.info = value;
    else
      throw std::runtime_error("FAKE error: unknown argument " + flag);
  }
  if (!job.check.empty()) {
    fakenpu::parse(read(job.check));
    std::puts("FAKE artefact is whole");
    return 0;
  }
  if (!job.info.empty()) {
    std::printf("chip: FAKE-F%zu\n", fakenpu::parse(read(job.info)).inputs.size());
    return 0;
  }
  return compile(job);
}

}  // namespace

int main(int argc, char** argv) {
  return fakenpu::or_say_why([&] { return run(argc, argv); });
}
