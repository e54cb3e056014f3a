// axle cache: the artefact store (ls, log, stats, verify, gc, rm, pin, unpin, export, import, path).
#include "axle/cache.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>

#include "axle/explain.h"
#include "axle/model.h"
#include "axle/runtime.h"
#include "cache_log.h"
#include "choice.h"
#include "command.h"
#include "console.h"

namespace axle::cli {
namespace {

struct CacheArguments {
  std::string action;
  std::string what;
  std::vector<std::string> more;
  std::string max_size;
  bool remove_bad = false;
  OutputFlags output;
};

void print(const CacheArguments& arguments, const std::string& text) {
  if (!arguments.output.quiet || arguments.output.json) std::fputs(text.c_str(), stdout);
}

Status list(Cache& cache, const CacheArguments& arguments) {
  AXLE_ASSIGN_OR_RETURN(const std::vector<CacheEntry> entries, cache.ls());
  if (!arguments.output.json) {
    print(arguments, render_cache_text(entries, text_style(arguments.output.verbose)));
    return ok_status();
  }
  AXLE_ASSIGN_OR_RETURN(const std::string json, render_cache_json(entries));
  print(arguments, json + "\n");
  return ok_status();
}

Status stats(Cache& cache, const CacheArguments& arguments) {
  AXLE_ASSIGN_OR_RETURN(const CacheStats figures, cache.stats());
  if (!arguments.output.json) {
    print(arguments, render_cache_stats_text(cache.path(), figures));
    return ok_status();
  }
  AXLE_ASSIGN_OR_RETURN(const std::string json, render_cache_stats_json(cache.path(), figures));
  print(arguments, json + "\n");
  return ok_status();
}

Status verify(Cache& cache, const CacheArguments& arguments) {
  AXLE_ASSIGN_OR_RETURN(const CacheVerifyReport report, cache.verify(arguments.remove_bad, interrupt_token()));
  if (arguments.output.json) {
    AXLE_ASSIGN_OR_RETURN(const std::string json, render_cache_verify_json(report));
    print(arguments, json + "\n");
  } else {
    print(arguments, render_cache_verify_text(report));
  }
  if (report.problems.empty()) return ok_status();
  return data_loss_error(std::to_string(report.problems.size()) + " damaged entries in the cache '" + cache.path() + "'")
      .with_hint(arguments.remove_bad ? "they were removed and will be made anew when needed" : "axle cache verify --remove");
}

bool is_key_prefix(const std::string& text) {
  const std::string_view hex = std::string_view(text).substr(text.starts_with("sha256:") ? 7 : 0);
  return !hex.empty() && hex.size() <= 64 && hex.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Key digests of the entries that each argument names: the start of a key digest, a model's digest, or a model file.
Result<std::vector<std::string>> named_keys(Cache& cache, const std::vector<std::string>& names) {
  AXLE_ASSIGN_OR_RETURN(const std::vector<CacheEntry> entries, cache.ls());
  std::vector<std::string> keys;
  for (const std::string& name : names) {
    std::string model = name;
    if (!is_key_prefix(name) || std::filesystem::exists(name)) {
      AXLE_ASSIGN_OR_RETURN(const auto runtime, default_runtime());
      AXLE_ASSIGN_OR_RETURN(const Model opened, open_model(*runtime, name));
      model = opened.digest();
    }
    const size_t before = keys.size();
    for (const CacheEntry& entry : entries) {
      const std::string& key = entry.key_digest;
      const bool begins = is_key_prefix(name) && (key.starts_with(name) || std::string_view(key).substr(7).starts_with(name));
      const bool known = std::find(keys.begin(), keys.end(), key) != keys.end();
      if ((begins || entry.key.model_digest == model) && !known) keys.push_back(key);
    }
    if (keys.size() == before)
      return not_found_error("the cache holds no entry of '" + name + "'").with_hint("see: axle cache ls");
  }
  return keys;
}

Status set_pinned(Cache& cache, const CacheArguments& arguments) {
  const bool pin = arguments.action == "pin";
  std::vector<std::string> names = arguments.more;
  if (!arguments.what.empty()) names.insert(names.begin(), arguments.what);
  if (names.empty())
    return invalid_argument_error("axle cache " + arguments.action + " needs a key (the start of its digest) or a model");
  AXLE_ASSIGN_OR_RETURN(const std::vector<std::string> keys, named_keys(cache, names));
  for (const std::string& key : keys) AXLE_RETURN_IF_ERROR(cache.set_pinned(key, pin));
  if (arguments.output.json)
    std::printf("{\"entries\":%zu,\"pinned\":%s}\n", keys.size(), pin ? "true" : "false");
  else
    print(arguments, std::to_string(keys.size()) + (pin ? " entries pinned: gc keeps them\n" : " entries unpinned\n"));
  return ok_status();
}

// Of models by their digest: their files need not be in the cache.
Status log(const Cache& cache, const CacheArguments& arguments) {
  std::vector<std::string> names = arguments.more;
  if (!arguments.what.empty()) names.insert(names.begin(), arguments.what);
  for (std::string& name : names) {
    if (is_key_prefix(name) && !std::filesystem::exists(name)) continue;
    AXLE_ASSIGN_OR_RETURN(const auto runtime, default_runtime());
    AXLE_ASSIGN_OR_RETURN(const Model opened, open_model(*runtime, name));
    name = opened.digest();
  }
  return print_build_logs(cache, names, arguments.output.json);
}

Status transfer(Cache& cache, const CacheArguments& arguments) {
  const bool out = arguments.action == "export";
  if (arguments.what.empty()) return invalid_argument_error("axle cache " + arguments.action + " needs a file");
  if (!out && !arguments.more.empty()) return invalid_argument_error("axle cache import takes one file and no keys");
  Result<CacheTransferReport> report = ok_status();
  if (out) {
    std::vector<std::string> keys;
    if (!arguments.more.empty()) {
      AXLE_ASSIGN_OR_RETURN(keys, named_keys(cache, arguments.more));
    }
    report = cache.export_archive(arguments.what, keys, interrupt_token());
  } else {
    report = cache.import_archive(arguments.what, interrupt_token());
  }
  if (!report) return std::move(report).error();
  if (arguments.output.json) {
    AXLE_ASSIGN_OR_RETURN(const std::string json, render_cache_transfer_json(*report));
    print(arguments, json + "\n");
  } else {
    print(arguments, render_cache_transfer_text(*report, out));
  }
  return ok_status();
}

Status collect(Cache& cache, const CacheArguments& arguments, bool remove) {
  Result<CacheGcReport> report = ok_status();
  if (remove) {
    if (arguments.what.empty()) return invalid_argument_error("axle cache rm needs a key: its digest, the start of it, or '*'");
    report = cache.rm(arguments.what);
  } else {
    std::optional<uint64_t> limit;
    if (!arguments.max_size.empty()) {
      AXLE_ASSIGN_OR_RETURN(limit, parse_size(arguments.max_size));
    }
    report = cache.gc(limit);
  }
  if (!report) return std::move(report).error();
  if (arguments.output.json) {
    AXLE_ASSIGN_OR_RETURN(const std::string json, render_cache_gc_json(*report));
    print(arguments, json + "\n");
  } else {
    print(arguments, render_cache_gc_text(*report));
  }
  return ok_status();
}

Status run(const CacheArguments& arguments) {
  if (arguments.action == "path") {
    AXLE_ASSIGN_OR_RETURN(const std::string folder, Cache::default_folder());
    print(arguments, arguments.output.json ? "{\"path\":" + quoted_json(folder) + "}\n" : folder + "\n");
    return ok_status();
  }
  AXLE_ASSIGN_OR_RETURN(Cache cache, Cache::open());
  if (arguments.action == "ls") return list(cache, arguments);
  if (arguments.action == "log") return log(cache, arguments);
  if (arguments.action == "stats") return stats(cache, arguments);
  if (arguments.action == "verify") return verify(cache, arguments);
  if (arguments.action == "gc") return collect(cache, arguments, false);
  if (arguments.action == "rm") return collect(cache, arguments, true);
  if (arguments.action == "export" || arguments.action == "import") return transfer(cache, arguments);
  return set_pinned(cache, arguments);
}

// What was given and the action would not look at; "" = nothing.
std::string surplus_of(const CacheArguments& arguments) {
  const std::string& action = arguments.action;
  const bool takes_none = action == "ls" || action == "stats" || action == "verify" || action == "gc" || action == "path";
  if (takes_none && !arguments.what.empty()) return "axle cache " + action + " takes no '" + arguments.what + "'";
  if (action == "rm" && !arguments.more.empty())
    return "axle cache rm takes one key, '" + arguments.more.front() + "' is one too many";
  if (action != "gc" && !arguments.max_size.empty()) return "--max-size goes with gc";
  return action != "verify" && arguments.remove_bad ? "--remove goes with verify" : "";
}

}  // namespace

int run_cache(int argc, char** argv) {
  constexpr std::array kActions = {"ls", "log", "stats", "verify", "gc", "rm", "pin", "unpin", "export", "import", "path"};
  CacheArguments arguments;
  Arguments spec(
      "cache",
      "The artefact store: ls, log, stats, verify, gc, rm KEY, pin and unpin KEY or MODEL, export and import FILE, path.");
  spec.positional(arguments.action, "ACTION", "ls, log, stats, verify, gc, rm, pin, unpin, export, import or path");
  spec.positional(arguments.what, "KEY",
                  "start of an entry's digest (rm: '*' = all); log, pin, unpin: or a model; export, import: the FILE", false);
  spec.positionals(arguments.more, "MORE", "log, pin, unpin: more of them; export: only these keys or models");
  spec.option(arguments.max_size, "--max-size", "SIZE", "gc: keep at most this much (2GiB)");
  spec.flag(arguments.remove_bad, "--remove", "verify: remove what is damaged");
  arguments.output.declare(spec);
  spec.example("axle cache log model.onnx", "what compilers printed when they compiled it, or failed to");
  spec.example("axle cache export model.axc model.onnx", "then, elsewhere: axle cache import model.axc");
  if (const int code = spec.parse(argc, argv); code >= 0) return code;
  bool known = false;
  for (const char* action : kActions) known = known || arguments.action == action;
  if (!known) {
    return report_usage("there is no 'axle cache " + arguments.action + "'", "axle cache --help", arguments.output.json);
  }
  if (const std::string surplus = surplus_of(arguments); !surplus.empty())
    return report_usage(surplus, "axle cache --help", arguments.output.json);
  const Status status = run(arguments);
  return status.ok() ? 0 : report_failure(status, arguments.output.json);
}

}  // namespace axle::cli
