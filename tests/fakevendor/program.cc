#include "program.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace fakenpu {
namespace {

constexpr const char* kMagic = "FAKENPU 1";

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error("FAKE error: " + what); }

void write_shape(std::ostringstream& out, const std::vector<int64_t>& shape) {
  out << ' ' << shape.size();
  for (const int64_t size : shape) out << ' ' << size;
}

std::vector<int64_t> read_shape(std::istringstream& line) {
  size_t rank = 0;
  if (!(line >> rank) || rank > 8) fail("corrupt artefact");
  std::vector<int64_t> shape(rank);
  for (int64_t& size : shape) {
    if (!(line >> size) || size < 0) fail("corrupt artefact");
  }
  return shape;
}

const Array& value_of(const std::map<std::string, Array>& values, const std::string& name) {
  const auto found = values.find(name);
  if (found == values.end()) fail("value " + name + " is used before it is made");
  return found->second;
}

// Element `index` of `array` seen in the wider shape `shape`.
int64_t broadcast_offset(const Array& array, const std::vector<int64_t>& shape, int64_t index) {
  int64_t offset = 0, stride = 1;
  for (size_t i = 0; i < shape.size(); ++i) {
    const int64_t size = shape[shape.size() - 1 - i];
    const int64_t at = index % size;
    index /= size;
    if (i >= array.shape.size()) continue;
    const int64_t own = array.shape[array.shape.size() - 1 - i];
    if (own != 1) offset += at * stride;
    stride *= own;
  }
  return offset;
}

Array elementwise(const Array& a, const Array& b, bool multiply) {
  Array out;
  const size_t rank = std::max(a.shape.size(), b.shape.size());
  for (size_t i = 0; i < rank; ++i) {
    const auto size = [&](const Array& array) {
      const size_t missing = rank - array.shape.size();
      return i < missing ? int64_t{1} : array.shape[i - missing];
    };
    if (size(a) != size(b) && size(a) != 1 && size(b) != 1) fail("shapes do not broadcast");
    out.shape.push_back(std::max(size(a), size(b)));
  }
  for (int64_t i = 0; i < out.count(); ++i) {
    const float x = a.values[static_cast<size_t>(broadcast_offset(a, out.shape, i))];
    const float y = b.values[static_cast<size_t>(broadcast_offset(b, out.shape, i))];
    out.values.push_back(multiply ? x * y : x + y);
  }
  return out;
}

Array matmul(const Array& a, const Array& b, bool trans_a, bool trans_b) {
  if (a.shape.size() != 2 || b.shape.size() != 2) fail("only matrices are multiplied");
  const int64_t rows = a.shape[trans_a ? 1 : 0], inner = a.shape[trans_a ? 0 : 1], columns = b.shape[trans_b ? 0 : 1];
  if (inner != b.shape[trans_b ? 1 : 0]) fail("matrices do not fit");
  Array out{{rows, columns}, {}};
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) {
      double sum = 0;
      for (int64_t k = 0; k < inner; ++k) {
        const float x = a.values[static_cast<size_t>(trans_a ? k * rows + i : i * inner + k)];
        const float y = b.values[static_cast<size_t>(trans_b ? j * inner + k : k * columns + j)];
        sum += static_cast<double>(x) * y;
      }
      out.values.push_back(static_cast<float>(sum));
    }
  }
  return out;
}

Array scaled(Array array, float factor) {
  for (float& value : array.values) value *= factor;
  return array;
}

Array run_step(const Step& step, const std::map<std::string, Array>& values) {
  const Array& first = value_of(values, step.inputs.at(0));
  if (step.op == "Relu") {
    Array out = first;
    for (float& value : out.values) value = value > 0 ? value : 0;
    return out;
  }
  const Array& second = value_of(values, step.inputs.at(1));
  if (step.op == "Add" || step.op == "Mul") return elementwise(first, second, step.op == "Mul");
  if (step.op == "MatMul") return matmul(first, second, false, false);
  if (step.op != "Gemm") fail("operator " + step.op + " is not supported");
  Array out = scaled(matmul(first, second, step.trans_a != 0, step.trans_b != 0), step.alpha);
  if (step.inputs.size() < 3) return out;
  return elementwise(out, scaled(value_of(values, step.inputs[2]), step.beta), false);
}

}  // namespace

int64_t Array::count() const {
  int64_t count = 1;
  for (const int64_t size : shape) count *= size;
  return count;
}

// Text lines; the numbers of a constant follow its line as raw bytes. "end" tells a whole file from half a one, and nothing
// tells a changed number: as with real vendors.
std::string save(const Program& program) {
  std::ostringstream out;
  out << kMagic << '\n';
  for (const auto& [word, ports] : {std::pair{"input", &program.inputs}, std::pair{"output", &program.outputs}}) {
    for (const Port& port : *ports) {
      out << word << ' ' << port.name;
      write_shape(out, port.shape);
      out << '\n';
    }
  }
  for (const auto& [name, array] : program.constants) {
    out << "constant " << name;
    write_shape(out, array.shape);
    out << '\n' << std::string(reinterpret_cast<const char*>(array.values.data()), array.values.size() * sizeof(float));
  }
  for (const Step& step : program.steps) {
    out << "step " << step.op << ' ' << step.output << ' ' << step.alpha << ' ' << step.beta << ' ' << step.trans_a << ' '
        << step.trans_b;
    for (const std::string& input : step.inputs) out << ' ' << input;
    out << '\n';
  }
  out << "end\n";
  return out.str();
}

Program parse(const std::string& bytes) {
  Program program;
  size_t at = 0;
  const auto next_line = [&] {
    const size_t end = bytes.find('\n', at);
    if (end == std::string::npos) fail("corrupt artefact");
    const std::string line = bytes.substr(at, end - at);
    at = end + 1;
    return line;
  };
  if (next_line() != kMagic) fail("corrupt artefact");
  for (;;) {
    std::istringstream line(next_line());
    std::string word, name;
    line >> word;
    if (word == "end") return program;
    if (word == "step") {
      Step step;
      line >> step.op >> step.output >> step.alpha >> step.beta >> step.trans_a >> step.trans_b;
      for (std::string input; line >> input;) step.inputs.push_back(input);
      if (step.inputs.empty()) fail("corrupt artefact");
      program.steps.push_back(std::move(step));
      continue;
    }
    line >> name;
    const std::vector<int64_t> shape = read_shape(line);
    if (word == "input")
      program.inputs.push_back({name, shape});
    else if (word == "output")
      program.outputs.push_back({name, shape});
    else if (word != "constant")
      fail("corrupt artefact");
    else {
      Array& array = program.constants[name];
      array.shape = shape;
      const size_t size = static_cast<size_t>(array.count()) * sizeof(float);
      if (size > bytes.size() - at) fail("corrupt artefact");
      array.values.resize(static_cast<size_t>(array.count()));
      std::memcpy(array.values.data(), bytes.data() + at, size);
      at += size;
    }
  }
}

void run(const Program& program, std::map<std::string, Array>& values) {
  for (const auto& [name, array] : program.constants) values[name] = array;
  for (const Step& step : program.steps) values[step.output] = run_step(step, values);
}

std::string fault() {
  const char* path = std::getenv("FAKENPU_FAULT_FILE");
  std::ifstream file(path == nullptr ? "" : path);
  std::string word;
  file >> word;
  return word;
}

int or_say_why(const std::function<int()>& tool) {
  try {
    return tool();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}

}  // namespace fakenpu
