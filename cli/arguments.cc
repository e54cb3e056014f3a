#include "arguments.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "console.h"
#include "help.h"

namespace axle::cli {
namespace {

std::function<void(const CommandDescription&)>& description_sink() {
  static std::function<void(const CommandDescription&)> sink;
  return sink;
}

}  // namespace

void set_description_sink(std::function<void(const CommandDescription&)> sink) { description_sink() = std::move(sink); }

struct Arguments::Impl {
  CLI::App app;
  std::string heading = "Options";
  CommandDescription description;
};

Arguments::Arguments(std::string command, std::string summary) : impl_(std::make_unique<Impl>()) {
  impl_->app.name("axle " + command);
  impl_->description.name = std::move(command);
  impl_->description.summary = std::move(summary);
}
Arguments::~Arguments() = default;

void Arguments::positional(std::string& target, const std::string& name, const std::string& help, bool required) {
  impl_->app.add_option(name, target, help)->required(required);
  impl_->description.lines.push_back({"", name, "", help, required, false});
}

void Arguments::positionals(std::vector<std::string>& target, const std::string& name, const std::string& help) {
  impl_->app.add_option(name, target, help);
  impl_->description.lines.push_back({"", name, "", help, false, true});
}

void Arguments::option(std::string& target, const std::string& flag, const std::string& value, const std::string& help) {
  impl_->app.add_option(flag, target, help);
  impl_->description.lines.push_back({impl_->heading, flag, value, help});
}

void Arguments::option(int64_t& target, const std::string& flag, const std::string& value, const std::string& help) {
  impl_->app.add_option(flag, target, help);
  impl_->description.lines.push_back({impl_->heading, flag, value, help});
}

void Arguments::option(std::vector<std::string>& target, const std::string& flag, const std::string& value,
                       const std::string& help) {
  impl_->app.add_option(flag, target, help)->expected(1, 1000)->take_all();
  impl_->description.lines.push_back({impl_->heading, flag, value, help, false, true});
}

void Arguments::flag(bool& target, const std::string& flag, const std::string& help) {
  impl_->app.add_flag(flag, target, help);
  impl_->description.lines.push_back({impl_->heading, flag, "", help});
}

void Arguments::group(std::string heading) { impl_->heading = std::move(heading); }

void Arguments::example(std::string command_line, std::string what) {
  impl_->description.examples.emplace_back(std::move(command_line), std::move(what));
}

bool Arguments::given(const std::string& flag) const { return impl_->app.get_option(flag)->count() > 0; }

int Arguments::parse(int argc, char** argv) {
  if (const auto& sink = description_sink()) {
    sink(impl_->description);
    return 0;
  }
  try {
    impl_->app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::fputs(help_text(impl_->description, help_width()).c_str(), stdout);
    return 0;
  } catch (const CLI::ParseError& error) {
    return report_usage(error.what(), impl_->app.get_name() + " --help", wants_json(argc, argv));
  }
  // A script whose variable is not set must not run something else than it says.
  for (const CLI::Option* option : impl_->app.get_options()) {
    if (std::ranges::find(option->results(), "") == option->results().end()) continue;
    return report_usage(option->get_name() + " is given with an empty value", impl_->app.get_name() + " --help",
                        wants_json(argc, argv));
  }
  return -1;
}

}  // namespace axle::cli
