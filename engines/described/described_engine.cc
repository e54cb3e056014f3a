// The engine that a description makes: facts, questions, compiling and loading, each over the parts beside this file.
#include <algorithm>
#include <filesystem>

#include "base/text.h"
#include "compiler_adapter.h"
#include "executable.h"
#include "support.h"

namespace axle::described {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPluginVersion = "1";

// What the tools are; the host takes their digests.
kit::Library library_of(const Description& description, const Toolbox& toolbox) {
  kit::Library library;
  const FoundTool& first =
      *std::find_if(toolbox.tools.begin(), toolbox.tools.end(), [](const FoundTool& tool) { return !tool.path.empty(); });
  library.path = first.path;
  std::vector<std::string> versions;
  library.build = "description " + description.digest;
  for (const FoundTool& tool : toolbox.tools) {
    if (!tool.version.empty()) versions.push_back(toolbox.tools.size() == 1 ? tool.version : tool.name + " " + tool.version);
    if (tool.path.empty()) library.build += "; " + tool.name + " is not here";
    if (&tool != &first && !tool.path.empty()) library.parts.push_back(tool.path);
  }
  library.version = versions.empty() ? "unknown" : join(versions, ", ");
  return library;
}

class DescribedEngine final : public kit::Engine {
 public:
  static constexpr bool kCompiles = true;
  static constexpr bool kCounts = true;

  static kit::EngineInfo facts() {
    kit::EngineInfo info;
    info.name = "described";
    info.vendor = "axle";
    info.plugin_version = kPluginVersion;
    info.description = "makes an engine of a vendor's compiler and runtime from a description in TOML";
    info.closed = true;
    info.install_command = "axle engines add FILE";
    return info;
  }

  static std::unique_ptr<kit::Engine> create(kit::Host, const kit::CreateArgs& args) {
    args.options.check_known({"description"});
    const std::string path = args.options.text_or("description", "");
    if (path.empty()) throw kit::invalid_argument("the option 'description' names no file").hint("axle engines add FILE");
    auto description = std::make_shared<Description>(value_or_throw(load_description(path)));
    ToolSearch search{args.library_path, args.search_folders, args.scratch_folder};
    auto toolbox = std::make_shared<Toolbox>(value_or_throw(find_tools(*description, search)));
    kit::Library library = library_of(*description, *toolbox);
    return std::make_unique<DescribedEngine>(std::move(description), std::move(toolbox), std::move(library),
                                             args.scratch_folder);
  }

  DescribedEngine(std::shared_ptr<const Description> description, std::shared_ptr<const Toolbox> toolbox, kit::Library library,
                  std::string scratch)
      : description_(std::move(description)), toolbox_(std::move(toolbox)), library_(std::move(library)),
        scratch_(std::move(scratch)), resources_(find_resources(*description_)) {}

  kit::EngineInfo describe() override {
    kit::EngineInfo info = description_->info;
    info.plugin_version = kPluginVersion;
    info.opened = true;
    info.library = library_;
    info.honours_cpu_set = false;
    info.search = toolbox_->searched;
    info.toolchain = toolchain_of(*description_, *toolbox_);
    return info;
  }

  std::vector<kit::ResourceInfo> resources() override { return resources_; }

  kit::Capability capability(std::string_view resource) override {
    check_resource(resource);
    return description_->capability;
  }

  kit::Support support(const kit::SupportArgs& args) override {
    check_place(args.resource, args.precision);
    return judge_graph(*description_, args);
  }

  kit::Manifest compile(const kit::CompileArgs& args) override {
    check_place(args.resource, args.precision);
    return value_or_throw(compile_described(*description_, *toolbox_, args));
  }

  kit::Loaded load(const kit::LoadArgs& args) override {
    check_place(args.resource, args.precision);
    args.cancel.check();
    Values options;
    throw_if_error(add_options(*description_, args.options, options));
    auto folder = std::make_shared<ScratchDir>(value_or_throw(ScratchDir::create(scratch_, "load")));
    const std::string artefact = args.blobs.empty() ? compile_for(args, *folder) : lay_out(args, *folder);
    const ArtefactRecord record = read_record(artefact);
    // One that was made just now fits.
    if (!args.blobs.empty()) check_record(record, args, artefact, folder->path());

    RuntimeLoad load{description_, toolbox_->values(*description_), artefact, folder->path()};
    load.values["artefact"] = artefact;
    load.values["precision"] = args.precision;
    load.values["threads"] = std::to_string(args.threads);
    load.values.merge(options);
    kit::Loaded loaded;
    for (const kit::Option& option : description_->capability.options)
      loaded.effective.options[option.name] = load.values["option." + option.name];
    auto adapter = value_or_throw(load_runtime(std::move(load)));
    // A black box tells nothing more: only what was asked for is known.
    loaded.effective.precision = args.precision;
    loaded.executable = make_executable(record.io, std::move(adapter), std::move(folder));
    return loaded;
  }

 private:
  void check_resource(std::string_view resource) const {
    const bool known =
        std::any_of(resources_.begin(), resources_.end(), [&](const kit::ResourceInfo& own) { return own.id == resource; });
    if (!known) throw kit::Error(AXLE_NOT_FOUND, description_->info.name + " has no resource '" + std::string(resource) + "'");
  }
  void check_place(std::string_view resource, std::string_view precision) const {
    check_resource(resource);
    for (const kit::Precision& known : description_->capability.precisions) {
      if (known.name == precision) return;
    }
    throw kit::unimplemented(description_->info.name + " has no precision '" + std::string(precision) + "'");
  }

  // Without a cache there is no artefact: it is made here and lives as long as what is loaded.
  std::string compile_for(const kit::LoadArgs& args, const ScratchDir& folder) const {
    if (!args.graph) throw kit::failed_precondition("there is neither an artefact nor a graph");
    const kit::CompileArgs compile{*args.graph,  args.resource, args.precision, args.options,
                                   args.threads, folder.path(), args.cancel,    args.progress};
    value_or_throw(compile_described(*description_, *toolbox_, compile));
    return folder.file("out");
  }

  // The artefact's files under their own names: a vendor's runtime may look for one beside the other.
  static std::string lay_out(const kit::LoadArgs& args, const ScratchDir& folder) {
    const std::string target = folder.file("artefact");
    throw_if_error(make_dirs(target, 0700));
    for (const kit::Blob& blob : args.blobs) {
      const std::string to = target + "/" + std::string(blob.name);
      if (blob.path.empty()) {
        throw_if_error(write_file_atomic(to, blob.data, kPrivateFileMode));
        continue;
      }
      std::error_code error;
      fs::create_symlink(blob.path, to, error);
      if (error) throw kit::internal("cannot lay out " + to + ": " + error.message());
    }
    return target;
  }

  static ArtefactRecord read_record(const std::string& artefact) {
    const auto text = read_file(artefact + "/" + kRecordFile, kMaxRecordBytes);
    if (!text.ok())
      throw kit::Error(AXLE_DATA_LOSS, std::string("the artefact has no ") + kRecordFile).hint("compile it again");
    return value_or_throw(parse_record(*text));
  }

  void check_record(const ArtefactRecord& record, const kit::LoadArgs& args, const std::string& artefact,
                    const std::string& scratch) const {
    if (record.engine != description_->info.name || record.precision != args.precision) {
      throw kit::failed_precondition("the artefact was made for " + record.engine + " at " + record.precision)
          .hint("compile it again");
    }
    const auto now = value_or_throw(compatibility_of(*description_, *toolbox_, artefact, scratch));
    for (const auto& [name, value] : now) {
      const auto then = record.compatibility.find(name);
      const std::string was = then == record.compatibility.end() ? "nothing" : then->second;
      if (was != value) {
        throw kit::failed_precondition("the artefact does not fit: " + name + " is " + value + " now, and was " + was +
                                       " when it was made")
            .hint("compile it again: axle cache rm, then axle compile");
      }
    }
  }

  std::shared_ptr<const Description> description_;
  std::shared_ptr<const Toolbox> toolbox_;
  kit::Library library_;
  std::string scratch_;
  std::vector<kit::ResourceInfo> resources_;
};

}  // namespace
}  // namespace axle::described

AXLE_ENGINE_PLUGIN(axle::described::DescribedEngine)
