#include "black_box_engine.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace rm_abstract {

namespace fs = std::filesystem;

axle::Result<PrivateFolder> PrivateFolder::create(const std::string& parent) {
  std::error_code error;
  std::string pattern = (parent.empty() ? fs::temp_directory_path(error).string() : parent) + "/rm_abstract-XXXXXX";
  if (error || ::mkdtemp(pattern.data()) == nullptr)
    return axle::permission_denied_error("cannot make a folder in '" + pattern + "': " + std::strerror(errno));
  return PrivateFolder(std::move(pattern));
}

PrivateFolder::~PrivateFolder() {
  std::error_code error;
  if (!path_.empty()) fs::remove_all(path_, error);
}

axle::Result<std::shared_ptr<BlackBoxEngine>> BlackBoxEngine::open(const axle::BlackBox& box, const std::string& cache_folder) {
  AXLE_ASSIGN_OR_RETURN(const std::string description, axle::describe_black_box(box));
  AXLE_ASSIGN_OR_RETURN(PrivateFolder folder, PrivateFolder::create());
  const std::string file = folder.file(box.name + ".toml");
  std::ofstream out(file, std::ios::binary);
  out << description;
  out.close();
  if (!out || ::chmod(file.c_str(), 0600) != 0) return axle::resource_exhausted_error("cannot write '" + file + "'");
  axle::RuntimeOptions options;
  options.cache_folder = cache_folder;
  options.engines = {box.name};
  options.engine_descriptions = {file};
  AXLE_ASSIGN_OR_RETURN(auto runtime, axle::Runtime::create(std::move(options)));
  AXLE_RETURN_IF_ERROR(runtime->machine().status());
  AXLE_ASSIGN_OR_RETURN(const axle::EngineState state, runtime->engines().state(box.name));
  if (!state.present) return axle::unavailable_error(state.reason).with_hint(state.install_command);
  return std::make_shared<BlackBoxEngine>(BlackBoxEngine{std::move(folder), std::move(runtime)});
}

}  // namespace rm_abstract
