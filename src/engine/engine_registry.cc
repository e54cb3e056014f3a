#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <mutex>

#include "axle/engine.h"
#include "base/file.h"
#include "base/fork_guard.h"
#include "base/hash.h"
#include "base/logging.h"
#include "base/text.h"
#include "engine/description_files.h"
#include "engine/engine.h"
#include "engine/engine_names.h"
#include "engine/library_digest.h"
#include "engine/search_folders.h"
#include "engine/worker.h"

namespace axle {
namespace {

constexpr size_t kMaxPlugins = 256;

struct InProcessEngine {
  std::string name;
  axle_engine_query_t query;
};

// Engines registered with register_engine, for the life of the process.
struct GlobalEngines {
  std::mutex mutex;
  std::vector<InProcessEngine> engines;
};

GlobalEngines& global_engines() {
  static GlobalEngines* const engines = new GlobalEngines;  // plugins may outlive static destructors
  return *engines;
}

struct Entry : std::enable_shared_from_this<Entry> {
  std::string name;
  std::string path;                     // "" = in-process
  std::string description;              // of a described engine, whose path is the plugin that reads it
  axle_engine_query_t query = nullptr;
  std::mutex mutex;                     // guards opening
  bool tried = false;
  uint64_t bound = 0;                   // the machine (Impl::machine_number) that its resources were joined with
  std::shared_ptr<const Plugin> plugin;
  std::shared_ptr<Engine> engine;
  EngineState state;

  bool replace(const Engine& old, const std::shared_ptr<Engine>& with);
};

// One of whom only the entry and one caller know; nobody can get hold of it meanwhile.
bool Entry::replace(const Engine& old, const std::shared_ptr<Engine>& with) {
  const std::lock_guard lock(mutex);
  if (engine.get() != &old || engine.use_count() != 2) return false;
  engine = with;
  plugin.reset();
  return true;
}

}  // namespace

struct EngineRegistry::Impl {
  explicit Impl(EngineRegistryOptions given) : options(std::move(given)), digests(options.digest_memo) {}

  EngineRegistryOptions options;
  ForkGuard guard;
  std::shared_ptr<ScratchDir> own_scratch;  // shared with the engines, which may outlive the registry
  LibraryDigests digests;
  mutable std::mutex mutex;  // guards entries, problems, machine
  std::map<std::string, std::shared_ptr<Entry>, std::less<>> entries;
  std::vector<std::string> problems;
  std::optional<Machine> machine;
  uint64_t machine_number = 0;  // counts machines bound
  size_t seen_global = 0;

  bool wanted(const std::string& name) const {
    return options.only.empty() || std::find(options.only.begin(), options.only.end(), name) != options.only.end();
  }
  std::string described_plugin;  // makes engines of descriptions; "" = there is none
  void add(const std::string& name, const std::string& path, axle_engine_query_t query, const std::string& description = "");
  void add_descriptions(const std::string& path);
  void scan(const std::string& folder);
  void take_global();
  std::shared_ptr<Entry> find(std::string_view name);
  void open_entry(Entry& entry);
  Status try_open(Entry& entry);
  Status ask_elsewhere(Entry& entry);
  void join_machine(Entry& entry);
  Status read_digest(Entry& entry);
};

void EngineRegistry::Impl::add(const std::string& name, const std::string& path, axle_engine_query_t query,
                               const std::string& description) {
  if (!wanted(name)) return;
  const auto origin = [](const std::string& file, const std::string& described) {
    return !described.empty() ? described : file.empty() ? std::string("an in-process one") : file;
  };
  if (const auto found = entries.find(name); found != entries.end()) {
    problems.push_back(fmt::format("engine {}: {} is not used, {} was found first", name, origin(path, description),
                                   origin(found->second->path, found->second->description)));
    return;
  }
  auto entry = std::make_shared<Entry>();
  entry->name = name;
  entry->path = path;
  entry->query = query;
  entry->description = description;
  entry->state.name = name;
  entry->state.plugin_path = path;
  entry->state.description_path = description;
  entries.emplace(name, std::move(entry));
}

void EngineRegistry::Impl::add_descriptions(const std::string& path) {
  for (const std::string& file : description_files(path, problems)) {
    const std::string name = described_engine_name(file);
    if (!is_engine_name(name) || name == kDescribedPlugin) {
      problems.push_back(fmt::format("{} is not used: '{}' is no engine name ([a-z][a-z0-9_]*)", file, printable(name, 64)));
    } else if (entries.size() < kMaxPlugins) {
      add(name, described_plugin, nullptr, file);
    }
  }
}

void EngineRegistry::Impl::scan(const std::string& folder) {
  struct stat status{};
  if (::stat(folder.c_str(), &status) != 0) return;
  if ((status.st_mode & S_IWOTH) != 0) {
    problems.push_back(fmt::format("plugins in {} are not loaded: everybody may write there (chmod o-w {})", folder, folder));
    return;
  }
  const auto files = list_dir(folder);
  if (!files.ok()) {
    problems.push_back(files.status().to_string());
    return;
  }
  for (const DirEntry& file : *files) {
    const std::string name = engine_of_file(file.name);
    if (name == kDescribedPlugin && described_plugin.empty()) described_plugin = folder + "/" + file.name;
    if (!name.empty() && name != kDescribedPlugin && entries.size() < kMaxPlugins) add(name, folder + "/" + file.name, nullptr);
  }
}

void EngineRegistry::Impl::take_global() {
  if (!options.default_folders) return;
  GlobalEngines& global = global_engines();
  const std::lock_guard lock(global.mutex);
  for (; seen_global < global.engines.size(); ++seen_global)
    add(global.engines[seen_global].name, "", global.engines[seen_global].query);
}

std::shared_ptr<Entry> EngineRegistry::Impl::find(std::string_view name) {
  const std::lock_guard lock(mutex);
  take_global();
  const auto found = entries.find(name);
  return found == entries.end() ? nullptr : found->second;
}

// The library's digest stands in evidence and cache keys: an engine whose files cannot be hashed has none and says so.
Status EngineRegistry::Impl::read_digest(Entry& entry) {
  EngineState& state = entry.state;
  const std::optional<EngineLibrary>& library = entry.engine->info().library;
  if (library) {
    for (const std::string& copy : library->copies)
      state.notes.push_back(fmt::format("another copy is in this process: {}", copy));
  }
  Sha256 hash;
  if (!entry.plugin->path().empty()) {
    AXLE_ASSIGN_OR_RETURN(state.plugin_file_digest, digests.of_file(entry.plugin->path()));
    if (!entry.description.empty()) {
      AXLE_ASSIGN_OR_RETURN(const std::string description, digests.of_file(entry.description));
      state.plugin_file_digest = Sha256().update_field(state.plugin_file_digest).update_field(description).finish().to_string();
    }
    hash.update_field(state.plugin_file_digest);
  }
  if (library && !library->path.empty()) {
    AXLE_ASSIGN_OR_RETURN(state.library_file_digest, digests.of_library(library->path, library->parts));
    hash.update_field(state.library_file_digest);
  }
  hash.update_field(entry.engine->info().plugin_version);
  if (library) hash.update_field(library->version);
  if (library && !entry.description.empty()) hash.update_field(library->build);
  state.library_digest = hash.finish().to_string();
  entry.engine->set_library_digest(state.library_digest);
  return ok_status();
}

// A closed library is asked its questions in a process of its own too: it can end this one by answering. Where there is no axle-worker it is
// asked here, which is said.
Status EngineRegistry::Impl::ask_elsewhere(Entry& entry) {
  if (const auto program = find_worker_program(); !program) {
    entry.state.notes.push_back("it is asked in this process: " + program.error().message());
    return ok_status();
  }
  WorkerOptions worker;
  worker.plugin_path = std::filesystem::absolute(entry.path).string();
  AXLE_ASSIGN_OR_RETURN(entry.plugin, start_worker(worker));
  return ok_status();
}

Status EngineRegistry::Impl::try_open(Entry& entry) {
  if (entry.path.empty() && !entry.description.empty())
    return unavailable_error(
        fmt::format("{} cannot be used: libaxle_engine_{}.so was not found", entry.description, kDescribedPlugin));
  AXLE_ASSIGN_OR_RETURN(entry.plugin,
                        entry.query != nullptr ? Plugin::from_query(entry.query, entry.name) : Plugin::open(entry.path));
  if (entry.description.empty()) {
    AXLE_ASSIGN_OR_RETURN(entry.state.info, plugin_facts(*entry.plugin));
  }
  entry.state.install_command = entry.state.info.install_command;
  if (!entry.description.empty()) entry.state.info.name = entry.name;  // the plugin's own facts say nothing of it
  if (entry.state.info.name != entry.name) {
    return unavailable_error(fmt::format("the plugin of '{}' calls itself '{}'", entry.name, entry.state.info.name))
        .with_hint("rename the file to libaxle_engine_" + entry.state.info.name + ".so");
  }
  if (entry.state.info.closed && entry.query == nullptr) AXLE_RETURN_IF_ERROR(ask_elsewhere(entry));
  EngineCreateOptions create;
  if (const char* explicit_path = std::getenv(library_variable(entry.name).c_str())) create.library_path = explicit_path;
  if (const auto set = options.libraries.find(entry.name); set != options.libraries.end()) create.library_path = set->second;
  create.search_folders = search_folders_of(entry.name);
  if (const auto set = options.engine_options.find(entry.name); set != options.engine_options.end())
    create.options = set->second;
  if (!entry.description.empty()) create.options["description"] = entry.description;
  create.scratch_folder = (own_scratch ? own_scratch->path() : options.scratch_folder) + "/" + entry.name;
  create.scratch_owner = own_scratch;
  AXLE_RETURN_IF_ERROR(make_dirs(create.scratch_folder, 0700));
  AXLE_ASSIGN_OR_RETURN(entry.engine, Engine::create(entry.plugin, create));
  entry.engine->set_replace([weak = entry.weak_from_this()](const Engine& old, const std::shared_ptr<Engine>& with) {
    const auto kept = weak.lock();
    return kept != nullptr && kept->replace(old, with);
  });
  entry.state.info = entry.engine->info();
  if (entry.state.info.name != entry.name)
    return unavailable_error(
        fmt::format("{} changed while it was read: it describes '{}' now", entry.description, entry.state.info.name));
  if (const Status hashed = read_digest(entry); !hashed.ok())
    entry.state.notes.push_back(fmt::format("no library digest: {}", hashed.to_string()));
  return ok_status();
}

// With entry.mutex held.
void EngineRegistry::Impl::join_machine(Entry& entry) {
  const std::lock_guard lock(mutex);
  if (entry.engine == nullptr || entry.bound == machine_number) return;
  entry.engine->bind_machine(*machine);
  entry.bound = machine_number;
}

void EngineRegistry::Impl::open_entry(Entry& entry) {
  const std::lock_guard lock(entry.mutex);
  if (entry.tried) return;
  entry.tried = true;
  const Status status = try_open(entry);
  entry.state.opened = true;
  entry.state.present = status.ok();
  if (status.ok()) return;
  entry.engine.reset();
  entry.state.reason_code = status.code();
  entry.state.reason = status.message();
  if (!status.hint().empty()) entry.state.install_command = status.hint();
  AXLE_LOG(kInfo, "engine", "{} is absent: {}", entry.name, status.to_string());
}

Result<std::shared_ptr<EngineRegistry>> EngineRegistry::create(EngineRegistryOptions options) {
  auto impl = std::make_unique<Impl>(std::move(options));
  if (impl->options.scratch_folder.empty()) {
    AXLE_ASSIGN_OR_RETURN(ScratchDir scratch, ScratchDir::create("", "axle-engines"));
    impl->own_scratch = std::make_shared<ScratchDir>(std::move(scratch));
  }
  for (const auto& [name, query] : impl->options.in_process) {
    if (!is_engine_name(name))
      return invalid_argument_error(fmt::format("'{}' is no engine name ([a-z][a-z0-9_]*)", printable(name)));
    impl->add(name, "", query);
  }
  for (const std::string& folder : impl->options.plugin_folders) impl->scan(folder);
  if (impl->options.default_folders) {
    impl->take_global();
    for (const std::string& folder : default_plugin_folders()) impl->scan(folder);
  }
  // After the plugins: a description takes no plugin's name.
  for (const std::string& path : impl->options.descriptions) impl->add_descriptions(path);
  if (impl->options.default_folders) {
    for (const std::string& folder : default_description_folders()) impl->add_descriptions(folder);
  }
  return std::shared_ptr<EngineRegistry>(new EngineRegistry(std::move(impl)));
}

EngineRegistry::EngineRegistry(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
EngineRegistry::~EngineRegistry() = default;

std::vector<std::string> EngineRegistry::names() const {
  const std::lock_guard lock(impl_->mutex);
  impl_->take_global();
  std::vector<std::string> names;
  for (const auto& [name, entry] : impl_->entries) names.push_back(name);
  return names;
}

Result<std::shared_ptr<Engine>> EngineRegistry::open(std::string_view name) {
  AXLE_RETURN_IF_ERROR(impl_->guard.check("engine registry"));
  const std::shared_ptr<Entry> entry = impl_->find(name);
  if (entry == nullptr) {
    const std::string known = join(names(), ", ");
    return not_found_error(fmt::format("there is no engine '{}'", printable(name, 64)))
        .with_hint(known.empty() ? "no plugin was found: set AXLE_ENGINE_PATH to their folder" : "known engines: " + known);
  }
  impl_->open_entry(*entry);
  const std::lock_guard lock(entry->mutex);
  impl_->join_machine(*entry);
  if (entry->engine != nullptr) return entry->engine;
  return Status(entry->state.reason_code, fmt::format("engine {} cannot be used: {}", entry->name, entry->state.reason))
      .with_hint(entry->state.install_command);
}

Result<EngineState> EngineRegistry::state(std::string_view name) {
  const auto opened = open(name);
  if (!opened.ok() && (opened.status().code() == StatusCode::kNotFound || impl_->guard.in_forked_child()))
    return opened.status();
  return peek(name);
}

Result<EngineState> EngineRegistry::peek(std::string_view name) const {
  const std::shared_ptr<Entry> entry = impl_->find(name);
  if (entry == nullptr) return not_found_error(fmt::format("there is no engine '{}'", printable(name, 64)));
  const std::lock_guard lock(entry->mutex);
  EngineState state = entry->state;
  if (entry->engine != nullptr) {
    state.resources = entry->engine->resources();
    for (const EngineResource& resource : state.resources) {
      auto capability = entry->engine->capability(resource.resource.id);
      if (capability)
        state.capabilities[resource.resource.id] = std::move(*capability);
      else
        state.notes.push_back(resource.resource.id + ": " + capability.error().message());
    }
  }
  return state;
}

std::vector<EngineState> EngineRegistry::states() {
  std::vector<EngineState> all;
  for (const std::string& name : names()) {
    if (auto one = state(name); one.ok()) all.push_back(*std::move(one));
  }
  return all;
}

std::vector<std::string> EngineRegistry::problems() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->problems;
}

void EngineRegistry::bind_machine(const Machine& machine) {
  std::vector<std::shared_ptr<Entry>> known;
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->machine = machine;
    ++impl_->machine_number;
    for (const auto& [name, entry] : impl_->entries) known.push_back(entry);
  }
  for (const auto& entry : known) {
    // One that is being opened on another thread is joined when it is asked for: nobody waits here.
    const std::unique_lock lock(entry->mutex, std::try_to_lock);
    if (lock.owns_lock()) impl_->join_machine(*entry);
  }
}

Status register_engine(axle_engine_query_t query, std::string_view name) {
  if (query == nullptr || !is_engine_name(name)) {
    return invalid_argument_error(
        fmt::format("register_engine: '{}' is no engine name ([a-z][a-z0-9_]*), or there is no function", printable(name, 64)));
  }
  GlobalEngines& global = global_engines();
  const std::lock_guard lock(global.mutex);
  for (const InProcessEngine& engine : global.engines) {
    if (engine.name == name) return already_exists_error(fmt::format("an engine '{}' is registered already", name));
  }
  global.engines.push_back({std::string(name), query});
  return ok_status();
}

}  // namespace axle
