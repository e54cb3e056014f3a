#include "axle/engine_packages.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "base/subprocess.h"
#include "base/text.h"
#include "engine/search_folders.h"
#include "runtime/packages/installed_files.h"

namespace axle {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLists = "engine-packages";
constexpr const char* kInstalledList = "axle-packages.txt";  // in the folder: what it was made of
constexpr size_t kMaxListBytes = 1u << 20;
constexpr auto kTimeLimit = std::chrono::minutes(30);

// "#: what Qualcomm's ..." among the first lines.
std::string head_line(std::string_view list, std::string_view key) {
  const std::string start = fmt::format("#: {} ", key);
  for (const std::string_view line : split(list, '\n')) {
    if (line.starts_with(start)) return std::string(trim(line.substr(start.size())));
    if (!line.starts_with('#')) break;
  }
  return "";
}

Result<EnginePackages> read_list(const std::string& path) {
  AXLE_ASSIGN_OR_RETURN(const std::string text, read_file(path, kMaxListBytes));
  EnginePackages packages;
  packages.engine = fs::path(path).stem().string();
  packages.what = head_line(text, "what");
  packages.licence = head_line(text, "licence");
  packages.list = path;
  packages.folder = engine_folder(packages.engine);
  const auto there = read_file(packages.folder + "/" + kInstalledList, kMaxListBytes);
  packages.installed = there && *there == text;
  return packages;
}

// Not isolated from the user's configuration, which may name the index to use. `made_for`: packages that want another Python than
// the one that installs them, since only their programs and libraries are used ("#: python 3.10").
Status run_pip(const std::string& python, const EnginePackages& packages, const std::string& made_for,
               const std::string& target, const CancelToken& cancel) {
  SubprocessOptions program;
  program.argv = {python,
                  "-m",
                  "pip",
                  "install",
                  "--disable-pip-version-check",
                  "--no-input",
                  "--no-deps",
                  "--no-compile",
                  "--require-hashes",
                  "--only-binary",
                  ":all:",
                  "--target",
                  target,
                  "-r",
                  packages.list};
  // The first chooses the files; pip would refuse them for the Python that it runs in all the same.
  if (!made_for.empty()) program.argv.insert(program.argv.end(), {"--python-version", made_for, "--ignore-requires-python"});
  program.timeout = kTimeLimit;
  program.cancel = cancel;
  program.max_stderr_bytes = 8u << 20;
  AXLE_ASSIGN_OR_RETURN(const SubprocessResult done, run_subprocess(program));
  if (done.cancelled) return cancel.check();
  if (done.timed_out) return deadline_exceeded_error("pip took longer than 30 minutes");
  if (done.succeeded()) return ok_status();
  return unavailable_error(fmt::format("{} -m pip did not install what {} needs: {}: {}", python, packages.engine,
                                       done.outcome(), printable(last_line(done.stderr_text), 600)))
      .with_hint("AXLE_PYTHON names another Python; the packages are those of " + packages.list);
}

// The new folder takes the old one's place.
Status put_in_place(const std::string& made, const std::string& folder) {
  const std::string old = folder + ".old";
  AXLE_RETURN_IF_ERROR(remove_tree(old));
  std::error_code error;
  if (fs::exists(folder, error)) fs::rename(folder, old, error);
  if (error) return permission_denied_error(fmt::format("{} cannot be replaced: {}", folder, error.message()));
  fs::rename(made, folder, error);
  if (error) return permission_denied_error(fmt::format("{} cannot be put into place: {}", folder, error.message()));
  return remove_tree(old);
}

}  // namespace

Result<std::vector<EnginePackages>> engine_packages() {
  auto folder = find_installed_file(kLists);
  if (!folder) return std::move(folder).error().with_hint("install axle whole");
  AXLE_ASSIGN_OR_RETURN(const std::vector<DirEntry> files, list_dir(*folder));
  std::vector<EnginePackages> all;
  for (const DirEntry& file : files) {
    if (!file.is_file || !file.name.ends_with(".txt")) continue;
    AXLE_ASSIGN_OR_RETURN(EnginePackages one, read_list(*folder + "/" + file.name));
    all.push_back(std::move(one));
  }
  std::ranges::sort(all, {}, &EnginePackages::engine);
  return all;
}

Result<bool> install_engine_packages(const EnginePackages& packages, const InstallOptions& options) {
  if (packages.installed) return false;
  const std::vector<std::string> pythons = python_programs();
  if (pythons.empty())
    return unavailable_error("there is no Python to install with").with_hint("install python3 with pip, or set AXLE_PYTHON");
  const std::string parent = fs::path(packages.folder).parent_path().string();
  AXLE_RETURN_IF_ERROR(make_dirs(parent, 0700));
  AXLE_RETURN_IF_ERROR(check_private_folder(parent));
  AXLE_ASSIGN_OR_RETURN(const ScratchDir scratch, ScratchDir::create(parent, "." + packages.engine));
  const std::string target = scratch.path() + "/packages";
  if (options.progress) options.progress(fmt::format("installing what {} needs into {}", packages.engine, packages.folder), -1);
  AXLE_ASSIGN_OR_RETURN(const std::string list, read_file(packages.list, kMaxListBytes));
  AXLE_RETURN_IF_ERROR(run_pip(pythons.front(), packages, head_line(list, "python"), target, options.cancel));
  AXLE_RETURN_IF_ERROR(write_file_atomic(target + "/" + kInstalledList, list));
  AXLE_RETURN_IF_ERROR(put_in_place(target, packages.folder));
  return true;
}

}  // namespace axle
