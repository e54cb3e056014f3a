#include "engine/engine.h"

#include <fmt/core.h>

#include <algorithm>
#include <functional>

#include "base/file.h"
#include "base/text.h"
#include "spec/engine_answers.h"

namespace axle {
namespace {

axle_text_t to_text(std::string_view text) noexcept { return {text.data(), text.size()}; }

std::vector<axle_option_t> to_options(const std::map<std::string, std::string>& options) {
  std::vector<axle_option_t> out;
  out.reserve(options.size());
  for (const auto& [key, value] : options) out.push_back({to_text(key), to_text(value)});
  return out;
}

// Attribute of a resource that is not here: the devices that it is compiled for, with blanks between them.
constexpr const char* kCompilesFor = "compiles_for";

// "1e60:2864", "1e60:*" for all of a vendor's, "driver:fastrpc" for what is on no PCI bus, "hexagon=v73" for an attribute, "hexagon="
// for what has no such attribute.
bool holds(const Resource& resource, std::string_view word) {
  if (const size_t equals = word.find('='); equals != std::string_view::npos) {
    const auto attribute = resource.attributes.find(std::string(word.substr(0, equals)));
    return (attribute == resource.attributes.end() ? std::string_view() : attribute->second) == word.substr(equals + 1);
  }
  constexpr std::string_view kDriver = "driver:";
  if (word.starts_with(kDriver)) {
    const std::string_view driver = std::string_view(resource.driver).substr(0, resource.driver.find(' '));
    return !driver.empty() && driver == word.substr(kDriver.size());
  }
  const auto id = resource.attributes.find("pci_id");
  if (id == resource.attributes.end()) return false;
  return word.ends_with(":*") ? id->second.starts_with(word.substr(0, word.size() - 1)) : id->second == word;
}

// All that a '+' joins.
bool is_meant(const Resource& resource, std::string_view word) {
  return std::ranges::all_of(split(word, '+'), [&](std::string_view one) { return holds(resource, one); });
}

// "cpu:0/1" -> "cpu:0".
std::string_view whole_resource(std::string_view resource) noexcept { return resource.substr(0, resource.find('/')); }

// The host takes no answer at its word: a document that cannot be read is the plugin's bug, not the user's.
template <typename T>
Result<T> checked(Result<T> parsed, const std::string& context) {
  if (parsed.ok()) return parsed;
  return internal_error(fmt::format("{}: the engine's answer is malformed: {}", context, parsed.status().message()))
      .with_hint("this is a bug of the plugin");
}

// Bytes made for a verb are held no longer than the verb runs.
class DropBytes {
 public:
  explicit DropBytes(const GraphView* view) noexcept : view_(view) {}
  ~DropBytes() {
    if (view_ != nullptr) view_->drop_bytes();
  }
  DropBytes(const DropBytes&) = delete;
  DropBytes& operator=(const DropBytes&) = delete;

 private:
  const GraphView* view_;
};

// The scratch folder a verb writes into: the caller's, or one of its own.
struct Scratch {
  std::optional<ScratchDir> own;
  std::string path;
};

Result<Scratch> scratch_for(const std::string& asked, const std::string& parent) {
  Scratch scratch;
  scratch.path = asked;
  if (!asked.empty()) return scratch;
  AXLE_ASSIGN_OR_RETURN(ScratchDir made, ScratchDir::create(parent, "engine"));
  scratch.path = made.path();
  scratch.own = std::move(made);
  return scratch;
}

}  // namespace

Result<EngineInfo> plugin_facts(const Plugin& plugin) {
  axle_buffer_t buffer{};
  const std::string context = fmt::format("describing {}", plugin.origin());
  AXLE_RETURN_IF_ERROR(plugin.take_error(plugin.describe(nullptr, &buffer), context));
  AXLE_ASSIGN_OR_RETURN(const std::string document, plugin.take_document(buffer, context));
  return checked(parse_engine_info(document), context);
}

Engine::Engine(std::shared_ptr<const Plugin> plugin, const EngineCreateOptions& options)
    : plugin_(std::move(plugin)), created_with_(options) {}

Engine::~Engine() {
  // In a forked child the vendor library's threads are gone: destroying would hang.
  if (handle_ != nullptr && !guard_.in_forked_child()) plugin_->api().destroy(handle_);
}

Result<std::shared_ptr<Engine>> Engine::create(std::shared_ptr<const Plugin> plugin, const EngineCreateOptions& options) {
  std::shared_ptr<Engine> engine(new Engine(std::move(plugin), options));
  AXLE_RETURN_IF_ERROR(engine->open_handle());
  AXLE_RETURN_IF_ERROR(engine->read_facts());
  return engine;
}

Status Engine::open_handle() {
  const EngineCreateOptions& options = created_with_;
  std::vector<axle_text_t> folders;
  for (const std::string& folder : options.search_folders) folders.push_back(to_text(folder));
  const std::vector<axle_option_t> given = to_options(options.options);
  axle_create_args_t args{};
  args.struct_size = sizeof(args);
  args.library_path = to_text(options.library_path);
  args.search_folders = folders.data();
  args.search_folder_count = folders.size();
  args.options = given.data();
  args.option_count = given.size();
  args.scratch_folder = to_text(options.scratch_folder);
  const Plugin& api = *plugin_;
  // What a description is refused for names its own file, and the plugin that reads it is no matter.
  const std::string context = options.options.contains("description") ? "" : fmt::format("opening {}", api.origin());
  AXLE_RETURN_IF_ERROR(api.take_error(api.create(&args, &handle_), context));
  if (handle_ == nullptr) return internal_error(fmt::format("{} made no engine and gave no reason", api.origin()));
  return ok_status();
}

bool Engine::leave_place() {
  const RemoteEngine* remote = plugin_->remote();
  if (remote == nullptr || !remote->in_first_life() || !replace_) return false;
  auto plugin = remote->asleep();
  if (!plugin) return false;
  const std::shared_ptr<Engine> other(new Engine(*std::move(plugin), created_with_));
  if (!other->open_handle().ok()) return false;
  other->info_ = info_;
  other->library_digest_ = library_digest_;
  other->replace_ = replace_;
  other->targets_ = targets_;
  {
    const std::lock_guard lock(mutex_);
    other->resources_ = resources_;
    other->capabilities_ = capabilities_;
  }
  return replace_(*this, other);
}

Status Engine::read_facts() {
  axle_buffer_t buffer{};
  std::string context = fmt::format("describing {}", plugin_->origin());
  AXLE_RETURN_IF_ERROR(plugin_->take_error(plugin_->describe(handle_, &buffer), context));
  AXLE_ASSIGN_OR_RETURN(std::string document, plugin_->take_document(buffer, context));
  AXLE_ASSIGN_OR_RETURN(info_, checked(parse_engine_info(document), context));
  context = fmt::format("resources of {}", info_.name);
  AXLE_RETURN_IF_ERROR(plugin_->take_error(plugin_->api().resources(handle_, &buffer), context));
  AXLE_ASSIGN_OR_RETURN(document, plugin_->take_document(buffer, context));
  AXLE_ASSIGN_OR_RETURN(resources_, checked(parse_engine_resources(document), context));
  const auto target = [](const EngineResource& item) { return item.resource.attributes.contains(kCompilesFor); };
  const auto first = std::stable_partition(resources_.begin(), resources_.end(), std::not_fn(target));
  targets_.assign(first, resources_.end());
  resources_.erase(first, resources_.end());
  return ok_status();
}

std::string Engine::named(std::string_view verb, std::string_view resource) const {
  return fmt::format("{} on {}@{}", verb, info_.name, resource);
}

std::vector<EngineResource> Engine::resources() const {
  const std::lock_guard lock(mutex_);
  return resources_;
}

void Engine::bind_machine(const Machine& machine) {
  const std::lock_guard lock(mutex_);
  join_resources(machine, resources_);
}

Result<std::string> Engine::engine_resource_id(std::string_view resource) const {
  const std::lock_guard lock(mutex_);
  const std::string_view whole = whole_resource(resource);
  std::string known;
  for (const EngineResource& item : resources_) {
    if (item.resource.id == whole) return item.engine_id;
    known += (known.empty() ? "" : ", ") + item.resource.id;
  }
  for (const EngineResource& target : targets_) {
    if (target.engine_id == resource) return target.engine_id;
  }
  return not_found_error(fmt::format("{} has no resource '{}'", info_.name, resource.substr(0, 64)))
      .with_hint(known.empty() ? "it reports no resources at all" : "it reports " + known);
}

Result<std::string> Engine::target_for(const Resource& resource) const {
  for (const EngineResource& target : targets_) {
    const std::vector<std::string_view> wanted = split(target.resource.attributes.find(kCompilesFor)->second, ' ');
    const bool meant = std::ranges::any_of(wanted, [&](std::string_view word) { return is_meant(resource, word); });
    if (meant && target.resource.kind == resource.kind) return target.engine_id;
  }
  return failed_precondition_error(fmt::format("{} compiles for no {} like '{}' of another machine", info_.name,
                                               resource_kind_name(resource.kind), resource.name))
      .with_hint("compile on that machine, or choose an engine whose compiler makes code for devices that are not here");
}

Result<Capability> Engine::capability(std::string_view resource) const {
  AXLE_RETURN_IF_ERROR(guard_.check("engine"));
  AXLE_ASSIGN_OR_RETURN(const std::string id, engine_resource_id(resource));
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = capabilities_.find(id); found != capabilities_.end()) return found->second;
  }
  axle_buffer_t buffer{};
  const std::string context = named("capability", resource);
  AXLE_RETURN_IF_ERROR(plugin_->take_error(plugin_->api().capability(handle_, to_text(id), &buffer), context));
  AXLE_ASSIGN_OR_RETURN(const std::string document, plugin_->take_document(buffer, context));
  AXLE_ASSIGN_OR_RETURN(Capability capability, checked(parse_capability(document), context));
  capability.can_compile = can_compile();
  const std::lock_guard lock(mutex_);
  return capabilities_.emplace(id, std::move(capability)).first->second;
}

Result<GraphVerdict> Engine::support(const EngineRequest& request) const {
  AXLE_RETURN_IF_ERROR(guard_.check("engine"));
  if (request.graph == nullptr) return invalid_argument_error("support needs a graph");
  AXLE_ASSIGN_OR_RETURN(const std::string id, engine_resource_id(request.resource));
  AXLE_ASSIGN_OR_RETURN(const Scratch scratch, scratch_for(request.scratch_folder, created_with_.scratch_folder));
  const GraphView view(request.graph);
  const DropBytes drop(&view);
  const std::vector<axle_option_t> options = to_options(request.options);
  axle_support_args_t args{};
  args.struct_size = sizeof(args);
  args.graph = view.abi();
  args.resource = to_text(id);
  args.precision = to_text(request.precision);
  args.options = options.data();
  args.option_count = options.size();
  const CancelHandle cancel{&request.cancel};
  args.cancel = cancel.abi();
  args.scratch_folder = to_text(scratch.path);
  axle_buffer_t buffer{};
  const std::string context = named("support", request.resource);
  AXLE_RETURN_IF_ERROR(plugin_->take_error(plugin_->api().support(handle_, &args, &buffer), context));
  AXLE_ASSIGN_OR_RETURN(const std::string document, plugin_->take_document(buffer, context));
  return checked(parse_graph_verdict(document, static_cast<uint32_t>(request.graph->graph().nodes.size())), context);
}

Result<ArtefactManifest> Engine::compile(const EngineRequest& request, int32_t threads) const {
  AXLE_RETURN_IF_ERROR(guard_.check("engine"));
  if (!can_compile()) return unimplemented_error(fmt::format("{} makes no artefacts", info_.name));
  if (request.graph == nullptr || request.scratch_folder.empty())
    return invalid_argument_error("compile needs a graph and a scratch folder");
  AXLE_ASSIGN_OR_RETURN(const std::string id, engine_resource_id(request.resource));
  const GraphView view(request.graph);
  const DropBytes drop(&view);
  const std::vector<axle_option_t> options = to_options(request.options);
  axle_compile_args_t args{};
  args.struct_size = sizeof(args);
  args.graph = view.abi();
  args.resource = to_text(id);
  args.precision = to_text(request.precision);
  args.options = options.data();
  args.option_count = options.size();
  args.threads = threads;
  args.scratch_folder = to_text(request.scratch_folder);
  const CancelHandle cancel{&request.cancel};
  args.cancel = cancel.abi();
  args.progress = request.progress ? const_cast<EngineProgress*>(&request.progress) : nullptr;
  axle_buffer_t buffer{};
  const std::string context = named("compile", request.resource);
  Status status = plugin_->take_error(plugin_->api().compile(handle_, &args, &buffer), context);
  if (!status.ok()) return std::move(status).with_family(ErrorFamily::kCompilation);
  AXLE_ASSIGN_OR_RETURN(const std::string document, plugin_->take_document(buffer, context));
  return checked(parse_manifest(document), context);
}

Result<std::shared_ptr<const Executable>> Engine::load(const EngineLoadRequest& request) const {
  AXLE_RETURN_IF_ERROR(guard_.check("engine"));
  if (std::ranges::find(targets_, request.resource, &EngineResource::engine_id) != targets_.end())
    return failed_precondition_error(
        fmt::format("{} compiles for {}, which is not here to run on", info_.name, request.resource));
  AXLE_ASSIGN_OR_RETURN(const std::string id, engine_resource_id(request.resource));
  AXLE_ASSIGN_OR_RETURN(const Scratch scratch, scratch_for(request.scratch_folder, created_with_.scratch_folder));
  std::shared_ptr<Executable> executable(new Executable());
  executable->plugin_ = plugin_;
  executable->artefact_ = request.artefact_owner;
  executable->name_ = fmt::format("{}@{}", info_.name, request.resource);
  if (request.graph != nullptr) executable->graph_ = std::make_unique<GraphView>(request.graph);
  const DropBytes drop(executable->graph_.get());
  const std::vector<axle_option_t> options = to_options(request.options);
  std::vector<axle_blob_t> blobs;
  for (const LoadBlob& blob : request.blobs) blobs.push_back({to_text(blob.name), to_text(blob.data), to_text(blob.path)});
  axle_load_args_t args{};
  args.struct_size = sizeof(args);
  args.graph = executable->graph_ ? executable->graph_->abi() : nullptr;
  args.blobs = blobs.data();
  args.blob_count = blobs.size();
  args.resource = to_text(id);
  args.precision = to_text(request.precision);
  args.options = options.data();
  args.option_count = options.size();
  args.threads = request.threads;
  args.spin = request.spin ? 1 : 0;
  args.cpu_set = request.cpu_set.data();
  args.cpu_count = request.cpu_set.size();
  args.scratch_folder = to_text(scratch.path);
  const CancelHandle cancel{&request.cancel};
  args.cancel = cancel.abi();
  args.progress = request.progress ? const_cast<EngineProgress*>(&request.progress) : nullptr;
  const std::string context = named("load", request.resource);
  axle_buffer_t effective{}, io{};
  Status status = plugin_->take_error(plugin_->api().load(handle_, &args, &executable->handle_, &effective), context);
  if (!status.ok()) return std::move(status).with_family(ErrorFamily::kCompilation);
  if (executable->handle_ == nullptr) return internal_error(fmt::format("{}: no executable and no reason", context));
  executable->engine_ = shared_from_this();
  AXLE_ASSIGN_OR_RETURN(std::string document, plugin_->take_document(effective, context));
  AXLE_ASSIGN_OR_RETURN(executable->effective_, checked(parse_effective(document), context));
  if (plugin_->remote() != nullptr) AXLE_RETURN_IF_ERROR(plugin_->remote()->amend(executable->effective_));
  AXLE_RETURN_IF_ERROR(plugin_->take_error(plugin_->api().io(executable->handle_, &io), context));
  AXLE_ASSIGN_OR_RETURN(document, plugin_->take_document(io, context));
  AXLE_ASSIGN_OR_RETURN(executable->io_, checked(parse_engine_io(document), context));
  return std::shared_ptr<const Executable>(std::move(executable));
}

}  // namespace axle
