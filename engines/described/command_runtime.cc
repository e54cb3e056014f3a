#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "axle/tensor.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "runtime_adapter.h"
#include "step_runner.h"
#include "tensor/npy.h"

namespace axle::described {
namespace {

Result<Tensor> view_of(const RunTensor& tensor) {
  return Tensor::borrow_const(static_cast<DataType>(tensor.spec->dtype), sizes_of(*tensor.spec), tensor.data,
                              tensor.size_bytes);
}

// Not durable: the file lives for one run.
Status write_bytes(const std::string& path, std::span<const std::byte> first, std::span<const std::byte> second) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  bool written = file != nullptr;
  for (const auto& part : {first, second}) written = written && std::fwrite(part.data(), 1, part.size(), file) == part.size();
  const bool closed = file != nullptr && std::fclose(file) == 0;
  return written && closed ? ok_status() : resource_exhausted_error("cannot write " + path);
}

Status write_tensor(const RunTensor& tensor, TensorFiles files, const std::string& path) {
  if (files == TensorFiles::kRaw) return write_bytes(path, {static_cast<const std::byte*>(tensor.data), tensor.size_bytes}, {});
  AXLE_ASSIGN_OR_RETURN(const Tensor view, view_of(tensor));
  AXLE_ASSIGN_OR_RETURN(const auto image, encode_npy(view));
  return write_bytes(path, std::as_bytes(std::span(image->header)), image->payload);
}

Status give(const Tensor& made, const RunTensor& wanted, const std::string& file) {
  AXLE_ASSIGN_OR_RETURN(const Tensor typed, raw_as(made, static_cast<DataType>(wanted.spec->dtype)));
  if (typed.shape() != sizes_of(*wanted.spec) || typed.size_bytes() != wanted.size_bytes) {
    return unknown_error(fmt::format("the runtime wrote {}{} to {}; output '{}' is {}{}", data_type_name(made.dtype()),
                                     format_shape(std::span<const int64_t>(made.shape())), file, wanted.spec->name,
                                     kit::data_type_name(wanted.spec->dtype),
                                     format_shape(std::span<const int64_t>(sizes_of(*wanted.spec)))));
  }
  if (wanted.size_bytes > 0) std::memcpy(wanted.data, typed.data(), wanted.size_bytes);
  return ok_status();
}

Status read_raw(const RunTensor& wanted, const std::string& path) {
  AXLE_ASSIGN_OR_RETURN(const std::string bytes, read_file(path, wanted.size_bytes + 1));
  if (bytes.size() != wanted.size_bytes)
    return unknown_error(fmt::format("the runtime wrote {} bytes to {}; output '{}' has {}", bytes.size(), path,
                                     wanted.spec->name, wanted.size_bytes));
  std::memcpy(wanted.data, bytes.data(), bytes.size());
  return ok_status();
}

std::string safe_file_name(const std::string& name) {
  std::string safe = name.substr(0, 100);
  for (char& c : safe) c = c == '/' || static_cast<unsigned char>(c) < 0x20 ? '_' : c;
  return safe.starts_with('.') ? "_" + safe : safe;
}

// The files of one direction.
Result<std::vector<TensorItem>> items_of(std::span<const RunTensor> tensors, const std::string& pattern,
                                         const std::string& folder) {
  std::vector<TensorItem> items;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const kit::IoSpec& spec = *tensors[i].spec;
    AXLE_ASSIGN_OR_RETURN(const std::string file,
                          expand(pattern, {{"index", std::to_string(i)}, {"file_name", safe_file_name(spec.name)}}));
    items.push_back({spec.name, i, folder + "/" + file, std::string(kit::data_type_name(spec.dtype)), sizes_of(spec)});
  }
  return items;
}

Status add_items(const std::vector<TensorItem>& items, const std::string& word, Values& values) {
  Json list = Json::array();
  for (const TensorItem& item : items) {
    values[fmt::format("{}.{}", word, item.index)] = item.path;
    list.push_back({{"name", item.name}, {"path", item.path}, {"dtype", item.dtype}, {"shape", item.shape}});
  }
  AXLE_ASSIGN_OR_RETURN(values[word + "s_json"], canonical_json(list));
  return ok_status();
}

class CommandRuntimeAdapter final : public BinaryRuntimeAdapter {
 public:
  explicit CommandRuntimeAdapter(RuntimeLoad load) : load_(std::move(load)), spec_(load_.description->runtime) {}

  Status run(std::span<const RunTensor> inputs, std::span<const RunTensor> outputs, const kit::Cancel& cancel) override {
    AXLE_ASSIGN_OR_RETURN(const ScratchDir folder, ScratchDir::create(load_.scratch, "run"));
    StepContext context{*load_.description, load_.values, folder.file("work"), {}, {}, nullptr, nullptr};
    Values& values = context.values;
    values["work"] = context.work;
    values["in"] = folder.file("in");
    values["out"] = folder.file("out");
    values["scratch"] = folder.path();
    values["private"] = folder.file("private");
    for (const char* name : {"work", "in", "out"}) AXLE_RETURN_IF_ERROR(make_dirs(values[name], 0700));
    AXLE_ASSIGN_OR_RETURN(context.inputs, items_of(inputs, spec_.input_file, values["in"]));
    AXLE_ASSIGN_OR_RETURN(context.outputs, items_of(outputs, spec_.output_file, values["out"]));
    AXLE_RETURN_IF_ERROR(add_items(context.inputs, "input", values));
    AXLE_RETURN_IF_ERROR(add_items(context.outputs, "output", values));
    AXLE_RETURN_IF_ERROR(write_inputs(inputs, context));
    AXLE_RETURN_IF_ERROR(write_configs(spec_.step.configs, values));
    if (cancel.possible()) context.cancelled = [&cancel] { return cancel.cancelled(); };
    std::string log;
    AXLE_RETURN_IF_ERROR(run_step(spec_.step, context, log));
    return read_outputs(outputs, context);
  }

 private:
  Status write_inputs(std::span<const RunTensor> inputs, const StepContext& context) const {
    if (spec_.input_files != TensorFiles::kNpz) {
      for (size_t i = 0; i < inputs.size(); ++i)
        AXLE_RETURN_IF_ERROR(write_tensor(inputs[i], spec_.input_files, context.inputs[i].path));
      return ok_status();
    }
    std::vector<NamedTensor> named;
    for (const RunTensor& input : inputs) {
      AXLE_ASSIGN_OR_RETURN(Tensor view, view_of(input));
      named.push_back({input.spec->name, std::move(view)});
    }
    return inputs.empty() ? ok_status() : save_npz(context.inputs.front().path, named);
  }

  // Everything is read before anything is given.
  Status read_outputs(std::span<const RunTensor> outputs, const StepContext& context) const {
    std::vector<NamedTensor> archive;
    if (spec_.output_files == TensorFiles::kNpz && !outputs.empty()) {
      AXLE_ASSIGN_OR_RETURN(archive, checked(load_npz(context.outputs.front().path)));
    }
    for (size_t i = 0; i < outputs.size(); ++i) {
      const std::string& path = context.outputs[i].path;
      if (spec_.output_files == TensorFiles::kRaw) {
        AXLE_RETURN_IF_ERROR(read_raw(outputs[i], path));
      } else if (spec_.output_files == TensorFiles::kNpy) {
        AXLE_ASSIGN_OR_RETURN(const Tensor made, checked(load_npy(path)));
        AXLE_RETURN_IF_ERROR(give(made, outputs[i], path));
      } else {
        const auto found = std::find_if(archive.begin(), archive.end(),
                                        [&](const NamedTensor& named) { return named.name == outputs[i].spec->name; });
        if (found == archive.end())
          return unknown_error(fmt::format("the runtime wrote no output '{}'", outputs[i].spec->name));
        AXLE_RETURN_IF_ERROR(give(found->tensor, outputs[i], path));
      }
    }
    return ok_status();
  }

  // A bad file is the runtime's failure, not bad input of the user.
  template <typename T>
  static Result<T> checked(Result<T> read) {
    if (read.ok()) return read;
    return unknown_error("the runtime's output cannot be read: " + read.status().message());
  }

  RuntimeLoad load_;
  const RuntimeSpec& spec_;
};

}  // namespace

Result<std::unique_ptr<BinaryRuntimeAdapter>> load_command_runtime(RuntimeLoad load) {
  return std::unique_ptr<BinaryRuntimeAdapter>(std::make_unique<CommandRuntimeAdapter>(std::move(load)));
}

}  // namespace axle::described
