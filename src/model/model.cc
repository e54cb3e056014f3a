#include "axle/model.h"

#include <fmt/format.h>

#include "base/file_stamp.h"
#include "base/text.h"
#include "model/analysis.h"
#include "model/infer.h"
#include "model/model_graph.h"
#include "model/model_impl.h"
#include "model/onnx_writer.h"
#include "model/summary.h"

namespace axle {

Model::Model(std::shared_ptr<const Impl> impl) noexcept : impl_(std::move(impl)) {}

Result<Model> Model::load(const std::string& path, const ModelOptions& options) {
  AXLE_ASSIGN_OR_RETURN(std::shared_ptr<Impl> impl, load_model(path, options));
  return Model(std::move(impl));
}

Result<Model> Model::from_bytes(std::span<const std::byte> bytes, const std::string& folder, const ModelOptions& options) {
  AXLE_ASSIGN_OR_RETURN(std::shared_ptr<Impl> impl, load_model_bytes(bytes, folder, options));
  return Model(std::move(impl));
}

ModelFormat Model::format() const noexcept { return impl_->format; }
std::string_view Model::format_name() const noexcept { return model_format_name(impl_->format); }
const std::string& Model::path() const noexcept { return impl_->path; }
const std::string& Model::name() const noexcept { return impl_->inspection.name; }
const std::string& Model::digest() const noexcept { return impl_->digest; }
const std::string& Model::producer() const noexcept { return impl_->producer; }
const std::vector<IoSpec>& Model::inputs() const noexcept { return impl_->inspection.inputs; }
const std::vector<IoSpec>& Model::outputs() const noexcept { return impl_->inspection.outputs; }
const std::map<std::string, int64_t>& Model::opsets() const noexcept { return impl_->opsets; }
const std::map<std::string, std::string>& Model::metadata() const noexcept { return impl_->inspection.metadata; }
const std::vector<ModelFile>& Model::files() const noexcept { return impl_->files; }

Status Model::check_unchanged() const {
  for (const ModelFile& file : impl_->files) {
    if (file.path.empty()) continue;
    AXLE_ASSIGN_OR_RETURN(const FileStamp stamp, FileStamp::of_path(file.path));
    if (stamp.to_string() != file.stamp) {
      return aborted_error(fmt::format("{} has changed since the model was loaded", printable(file.path)))
          .with_hint("load the model again");
    }
  }
  return ok_status();
}

namespace {

// With impl.mutex held.
Result<std::shared_ptr<const Graph>> analysed_graph(const Model::Impl& impl) {
  if (impl.analysed != nullptr) return impl.analysed;
  if (!impl.raw) {  // opened from a record: read now
    AXLE_ASSIGN_OR_RETURN(auto fresh, load_model(impl.path, impl.options));
    if (fresh->digest != impl.digest) {
      return aborted_error(fmt::format("{} is not the model that was recorded", printable(impl.path)))
          .with_hint("load the model again");
    }
    impl.raw = std::move(fresh->raw);
  }
  analyse_graph(*impl.raw);
  impl.analysed = seal_graph(*std::move(impl.raw));
  impl.raw.reset();
  return impl.analysed;
}

}  // namespace

Result<ModelSummary> Model::summary() const {
  const std::lock_guard lock(impl_->mutex);
  if (!impl_->summary) {
    AXLE_ASSIGN_OR_RETURN(const auto graph, analysed_graph(*impl_));
    impl_->summary = summarise(*graph, impl_->format, impl_->inspection);
  }
  return *impl_->summary;
}

Result<std::shared_ptr<const Graph>> graph_of(const Model& model) {
  const std::lock_guard lock(model.impl().mutex);
  return analysed_graph(model.impl());
}

Result<std::shared_ptr<const Graph>> infer_shapes_for(const Model& model, const std::map<std::string, Shape>& input_shapes) {
  AXLE_ASSIGN_OR_RETURN(const auto graph, graph_of(model));
  return infer_shapes_for(*graph, input_shapes);
}

}  // namespace axle
