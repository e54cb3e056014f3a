// An engine made from a black box, in a runtime of its own that sees nothing else.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "axle/black_box.h"
#include "axle/compile.h"
#include "axle/runtime.h"
#include "axle/status.h"

namespace rm_abstract {

// A folder of the user's alone that goes with the object.
class PrivateFolder {
 public:
  // Below `parent`, "" = the system's folder for temporary files.
  static axle::Result<PrivateFolder> create(const std::string& parent = "");
  PrivateFolder(PrivateFolder&& other) noexcept : path_(std::exchange(other.path_, "")) {}
  PrivateFolder& operator=(PrivateFolder&&) = delete;
  ~PrivateFolder();
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const noexcept { return path_; }

 private:
  explicit PrivateFolder(std::string path) noexcept : path_(std::move(path)) {}
  std::string path_;
};

struct BlackBoxEngine {
  PrivateFolder folder;  // holds the description
  std::shared_ptr<axle::Runtime> runtime;

  // UNAVAILABLE: its tools are not here; the hint says what to do.
  static axle::Result<std::shared_ptr<BlackBoxEngine>> open(const axle::BlackBox& box, const std::string& cache_folder);
};

}  // namespace rm_abstract
