#include "arguments.h"

#include <CLI/CLI.hpp>
#include <cstdio>

namespace axle::cli {

struct Arguments::Impl {
  CLI::App app;
  std::string heading = "Options";
  std::vector<std::pair<std::string, std::string>> examples;
};

Arguments::Arguments(const std::string& command, const std::string& summary) : impl_(std::make_unique<Impl>()) {
  impl_->app.name("axle " + command);
  impl_->app.description(std::move(summary));
  impl_->app.get_formatter()->column_width(36);
  impl_->app.get_formatter()->label("REQUIRED", "(required)");
}
Arguments::~Arguments() = default;

void Arguments::positional(std::string& target, const std::string& name, const std::string& help, bool required) {
  impl_->app.add_option(name, target, help)->required(required)->type_name("");
}

void Arguments::positionals(std::vector<std::string>& target, const std::string& name, const std::string& help) {
  impl_->app.add_option(name, target, help)->type_name("");
}

void Arguments::option(std::string& target, const std::string& flag, const std::string& value, const std::string& help) {
  impl_->app.add_option(flag, target, help)->type_name(value)->group(impl_->heading);
}

void Arguments::option(int64_t& target, const std::string& flag, const std::string& value, const std::string& help) {
  impl_->app.add_option(flag, target, help)->type_name(value)->group(impl_->heading);
}

void Arguments::option(std::vector<std::string>& target, const std::string& flag, const std::string& value,
                       const std::string& help) {
  impl_->app.add_option(flag, target, help)->type_name(value)->group(impl_->heading)->expected(1, 1000)->take_all();
}

void Arguments::flag(bool& target, const std::string& flag, const std::string& help) {
  impl_->app.add_flag(flag, target, help)->group(impl_->heading);
}

void Arguments::group(std::string heading) { impl_->heading = std::move(heading); }

void Arguments::example(std::string command_line, std::string what) {
  impl_->examples.emplace_back(std::move(command_line), std::move(what));
}

bool Arguments::given(const std::string& flag) const { return impl_->app.get_option(flag)->count() > 0; }

int Arguments::parse(int argc, char** argv) {
  std::string footer = "Examples:\n";
  for (const auto& [line, what] : impl_->examples) footer += "  " + line + "\n      " + what + "\n";
  impl_->app.footer(footer);
  try {
    impl_->app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::fputs(impl_->app.help().c_str(), stdout);
    return 0;
  } catch (const CLI::ParseError& error) {
    std::fprintf(stderr, "axle: %s\n  see: %s --help\n", error.what(), impl_->app.get_name().c_str());
    return 2;
  }
  return -1;
}

}  // namespace axle::cli
