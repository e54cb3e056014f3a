// fakenpu-run --program P --input NAME=FILE ... --output NAME=FILE ...: raw f32 files in and out. FAKE.
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

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("FAKE error: could not open input file " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

int run(int argc, char** argv) {
  const std::string fault = fakenpu::fault();
  if (fault == "run_crash") std::abort();
  while (fault == "run_hang") std::this_thread::sleep_for(std::chrono::milliseconds(50));
  fakenpu::Program program;
  std::map<std::string, fakenpu::Array> values;
  std::map<std::string, std::string> outputs;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i], value = argv[i + 1];
    const size_t equals = value.find('=');
    if (flag == "--program") program = fakenpu::parse(read(value));
    if (flag == "--output") outputs[value.substr(0, equals)] = value.substr(equals + 1);
    if (flag != "--input") continue;
    for (const fakenpu::Port& port : program.inputs) {
      if (port.name != value.substr(0, equals)) continue;
      const std::string bytes = read(value.substr(equals + 1));
      fakenpu::Array& array = values[port.name];
      array.shape = port.shape;
      array.values.resize(static_cast<size_t>(array.count()));
      if (bytes.size() != array.values.size() * sizeof(float))
        throw std::runtime_error("FAKE error: an input has the wrong size");
      std::memcpy(array.values.data(), bytes.data(), bytes.size());
    }
  }
  fakenpu::run(program, values);
  for (const auto& [name, path] : outputs) {
    const fakenpu::Array& made = values.at(name);
    size_t size = made.values.size() * sizeof(float);
    if (fault == "run_half") size /= 2;
    std::ofstream(path, std::ios::binary) << std::string(reinterpret_cast<const char*>(made.values.data()), size);
  }
  std::puts("FAKE run done");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return fakenpu::or_say_why([&] { return run(argc, argv); });
}
