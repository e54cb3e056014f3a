// Model records: what a warm start needs instead of reading the model (docs/formats/model-record.md).
#include <fmt/format.h>

#include "base/file_stamp.h"
#include "base/json.h"
#include "base/text.h"
#include "model/format.h"
#include "model/model_graph.h"
#include "model/model_impl.h"

namespace axle {
namespace {

constexpr int64_t kRecordVersion = 1;
constexpr size_t kMaxRecordBytes = 64u << 20;

Json io_to_json(const std::vector<IoSpec>& specs) {
  Json list = Json::array();
  for (const IoSpec& spec : specs) {
    Json dims = Json::array();
    for (const Dim& dim : spec.shape) dims.push_back(dim.is_static() ? Json(dim.size) : Json(dim.symbol));
    list.push_back({{"name", spec.name},
                    {"dtype", data_type_name(spec.dtype)},
                    {"shape", std::move(dims)},
                    {"rank_known", spec.rank_known}});
  }
  return list;
}

Result<std::vector<IoSpec>> io_from_json(const Json& list, const std::string& where) {
  std::vector<IoSpec> specs;
  for (const Json& entry : list) {
    JsonReader reader(entry, where);
    IoSpec spec;
    spec.name = reader.text("name");
    spec.dtype = parse_data_type(reader.text("dtype")).value_or(DataType::kUndefined);
    spec.rank_known = reader.boolean("rank_known");
    for (const Json& dim : reader.array("shape")) {
      if (dim.is_number_integer() && dim.get<int64_t>() >= 0) {
        spec.shape.push_back(Dim{dim.get<int64_t>(), {}});
      } else if (dim.is_string()) {
        spec.shape.push_back(Dim{-1, dim.get<std::string>()});
      } else {
        return invalid_argument_error(fmt::format("{}: a dimension is neither a size nor a symbol", where));
      }
    }
    AXLE_RETURN_IF_ERROR(reader.finish());
    specs.push_back(std::move(spec));
  }
  return specs;
}

Result<std::vector<ModelFile>> files_from_json(const Json& list) {
  std::vector<ModelFile> files;
  for (const Json& entry : list) {
    JsonReader reader(entry, "model record.files");
    ModelFile file;
    file.path = reader.text("path");
    file.role = reader.text("role");
    file.size_bytes = static_cast<uint64_t>(std::max<int64_t>(0, reader.integer("size_bytes")));
    file.stamp = reader.text("stamp");
    file.sha256 = reader.text("sha256");
    AXLE_RETURN_IF_ERROR(reader.finish());
    files.push_back(std::move(file));
  }
  if (files.empty()) return invalid_argument_error("model record: no files");
  return files;
}

// The recorded stamp must stand for the content: unchanged, and not so young that a change could hide behind it.
Status check_file(const ModelFile& file, int64_t now_ns) {
  AXLE_ASSIGN_OR_RETURN(const FileStamp stamp, FileStamp::of_path(file.path));
  if (stamp.to_string() == file.stamp && stamp.trustworthy(file.path, now_ns)) return ok_status();
  return aborted_error(
             fmt::format("the record no longer speaks for {}: its stamp differs, or cannot be trusted", printable(file.path)))
      .with_hint("load the model itself");
}

// What a load of `path` would open: a folder may stand for the one model in it.
std::string main_path(const std::string& path) {
  const Result<FoundModel> found = find_model(path);
  if (!found) return path;
  return found->main_file.empty() ? found->folder : found->main_file;
}

Result<std::shared_ptr<Model::Impl>> impl_from_json(const Json& json) {
  auto impl = std::make_shared<Model::Impl>();
  JsonReader reader(json, "model record");
  if (reader.integer("version") != kRecordVersion) reader.fail(invalid_argument_error("model record: another version"));
  impl->path = reader.text("path");
  impl->digest = reader.text("digest");
  impl->producer = reader.text("producer");
  impl->inspection.name = reader.text("name");
  const std::string format = reader.text("format");
  for (const auto& [domain, version] : reader.object("opsets").items()) {
    if (version.is_number_integer()) impl->opsets[domain] = version.get<int64_t>();
  }
  for (const auto& [key, value] : reader.object("metadata").items()) {
    if (value.is_string()) impl->inspection.metadata[key] = value.get<std::string>();
  }
  const Json& inputs = reader.array("inputs");
  const Json& outputs = reader.array("outputs");
  const Json& files = reader.array("files");
  for (std::string& folder : reader.texts_or_empty("external_data_folders"))
    impl->options.external_data_folders.push_back(std::move(folder));
  AXLE_RETURN_IF_ERROR(reader.finish());
  const auto known = parse_model_format(format);
  if (!known) return invalid_argument_error(fmt::format("model record: unknown format '{}'", printable(format, 40)));
  impl->format = *known;
  AXLE_ASSIGN_OR_RETURN(impl->inspection.inputs, io_from_json(inputs, "model record.inputs"));
  AXLE_ASSIGN_OR_RETURN(impl->inspection.outputs, io_from_json(outputs, "model record.outputs"));
  AXLE_ASSIGN_OR_RETURN(impl->files, files_from_json(files));
  return impl;
}

}  // namespace

Result<std::string> model_record(const Model& model) {
  const Model::Impl& impl = model.impl();
  if (impl.path.empty()) return failed_precondition_error("a model made from bytes has no record");
  Json files = Json::array();
  for (const ModelFile& file : impl.files) {
    files.push_back({{"path", file.path},
                     {"role", file.role},
                     {"size_bytes", file.size_bytes},
                     {"stamp", file.stamp},
                     {"sha256", file.sha256}});
  }
  Json json = {{"version", kRecordVersion},
               {"path", impl.path},
               {"format", model.format_name()},
               {"name", impl.inspection.name},
               {"digest", impl.digest},
               {"producer", impl.producer},
               {"opsets", impl.opsets},
               {"metadata", impl.inspection.metadata},
               {"inputs", io_to_json(impl.inspection.inputs)},
               {"outputs", io_to_json(impl.inspection.outputs)},
               {"files", std::move(files)}};
  if (!impl.options.external_data_folders.empty()) json["external_data_folders"] = impl.options.external_data_folders;
  return canonical_json(json);
}

Result<Model> open_recorded_model(const std::string& path, const std::string& record) {
  AXLE_ASSIGN_OR_RETURN(const Json json, parse_json(record, kMaxRecordBytes));
  AXLE_ASSIGN_OR_RETURN(auto impl, impl_from_json(json));
  if (impl->path != path && impl->path != main_path(path))
    return aborted_error(fmt::format("the record speaks of {}, not of {}", printable(impl->path), printable(path)))
        .with_hint("load the model itself");
  const int64_t now_ns = system_time_ns();
  for (const ModelFile& file : impl->files) AXLE_RETURN_IF_ERROR(check_file(file, now_ns));
  return Model(std::move(impl));
}

}  // namespace axle
