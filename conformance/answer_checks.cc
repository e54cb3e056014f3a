// What an engine says: documents, verdicts, refusals.
#include <set>

#include "base/file.h"
#include "spec/engine_answers.h"
#include "subject.h"

namespace axle::conformance {
namespace {

// A document as the plugin gives it, read strictly: the host itself is lenient.
Result<std::string> document(const Engine& engine, axle_error_t* error, axle_buffer_t& buffer) {
  AXLE_RETURN_IF_ERROR(engine.plugin().take_error(error, "document"));
  return engine.plugin().take_document(buffer, "document");
}

void facts_without_the_library(const Subject& subject) {
  axle_buffer_t buffer{};
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string text,
                            document(subject.engine(), subject.engine().plugin().describe(nullptr, &buffer), buffer));
  AXLE_ASSERT_OK_AND_ASSIGN(const EngineInfo facts, parse_engine_info(text, AnswerKeys::kStrict));
  EXPECT_EQ(facts.name, subject.engine().name());
  EXPECT_FALSE(facts.library.has_value()) << "facts must not open the library";
  EXPECT_FALSE(facts.install_command.empty()) << "what installs it must be known while it is absent";
}

void describes_itself(const Subject& subject) {
  const EngineInfo& info = subject.engine().info();
  EXPECT_GE(info.abi_version, 1u);
  EXPECT_FALSE(info.vendor.empty());
  EXPECT_FALSE(info.plugin_version.empty());
  ASSERT_TRUE(info.library.has_value());
  EXPECT_FALSE(info.library->version.empty());
}

void resources_are_valid(const Subject& subject) {
  const auto resources = subject.engine().resources();
  ASSERT_FALSE(resources.empty());
  bool found = false;
  for (const EngineResource& resource : resources) {
    found = found || resource.resource.id == subject.resource();
    EXPECT_THAT(subject.engine().capability(resource.resource.id), IsOk()) << resource.engine_id;
  }
  EXPECT_TRUE(found) << subject.resource() << " is not among the resources";
}

void capability_is_complete(const Subject& subject) {
  const Capability capability = subject.capability();
  EXPECT_FALSE(capability.formats.empty());
  EXPECT_FALSE(capability.precisions.empty());
  EXPECT_FALSE(capability.dtypes.empty());
  EXPECT_TRUE(capability.ops_probed || !capability.ops.empty());
  for (const OptionSpec& option : capability.options) EXPECT_FALSE(option.description.empty()) << option.name;
}

void unknown_resource_is_refused(const Subject& subject) {
  axle_buffer_t buffer{};
  const axle_text_t resource{"nosuch:9", 8};
  const Engine& engine = subject.engine();
  EXPECT_FALSE(document(engine, engine.plugin().api().capability(engine.handle(), resource, &buffer), buffer).ok());
  EngineLoadRequest request = subject.request(dynamic_graph(subject.rows(1)));
  request.resource = "nosuch:9";
  EXPECT_THAT(subject.engine().load(request), StatusIs(StatusCode::kNotFound));
}

void unknown_op_is_never_promised(const Subject& subject) {
  const SymbolicShape shape{rows_axis(subject.rows(2)), {4, ""}};
  const auto graph = as_model(GraphBuilder()
                                  .input("x", shape)
                                  .node("Relu", {"x"}, "v", shape)
                                  .node("NoSuchOperator", {"v"}, "y", shape)
                                  .output("y")
                                  .build());
  const auto verdict = subject.engine().support(subject.request(graph));
  if (verdict.ok()) {
    EXPECT_NE(verdict->of_node(1).kind, VerdictKind::kYes);
    EXPECT_NE(verdict->graph.kind, VerdictKind::kYes);
    if (verdict->of_node(1).kind == VerdictKind::kNo) {
      EXPECT_FALSE(verdict->of_node(1).text.empty()) << "a no needs a reason";
    }
  }
  const auto loaded = subject.load(graph);
  EXPECT_FALSE(loaded.ok());
  EXPECT_FALSE(loaded.status().message().empty());
}

void yes_means_it_loads(const Subject& subject) {
  for (const auto& graph :
       {dynamic_graph(subject.rows(2)), static_graph(), scalar_graph(), two_output_graph(subject.rows(2))}) {
    AXLE_ASSERT_OK_AND_ASSIGN(const GraphVerdict verdict, subject.engine().support(subject.request(graph)));
    if (verdict.graph.kind != VerdictKind::kYes) continue;
    for (uint32_t i = 0; i < graph->nodes.size(); ++i)
      EXPECT_NE(verdict.of_node(i).kind, VerdictKind::kNo) << "the graph is a yes";
    EXPECT_THAT(subject.load(graph), IsOk());
  }
}

void listed_ops_are_supported(const Subject& subject) {
  const Capability capability = subject.capability();
  if (capability.ops_probed) GTEST_SKIP() << "ops are probed";
  std::set<std::string> listed;
  for (const OpSpec& op : capability.ops) {
    if (op.domain.empty()) listed.insert(op.op_type);
  }
  AXLE_ASSERT_OK_AND_ASSIGN(const GraphVerdict verdict,
                            subject.engine().support(subject.request(dynamic_graph(subject.rows(1)))));
  const std::vector<std::string> ops = {"Add", "Relu"};
  for (uint32_t i = 0; i < ops.size(); ++i) {
    EXPECT_EQ(listed.count(ops[i]) == 1, verdict.of_node(i).kind == VerdictKind::kYes) << ops[i];
  }
}

void unknown_precision_is_refused(const Subject& subject) {
  EngineLoadRequest request = subject.request(dynamic_graph(subject.rows(1)));
  request.precision = "f7";
  EXPECT_FALSE(subject.engine().load(request).ok());
}

void options_outside_their_domain_are_refused(const Subject& subject) {
  EngineLoadRequest request = subject.request(dynamic_graph(subject.rows(1)));
  request.options["no_such_option"] = "1";
  EXPECT_THAT(subject.engine().load(request), StatusIs(StatusCode::kInvalidArgument));
  for (const OptionSpec& option : subject.capability().options) {
    if (option.type == OptionType::kText) continue;
    request = subject.request(dynamic_graph(subject.rows(1)));
    request.options[option.name] = "no such value";
    const Status status = subject.engine().load(request).status();
    EXPECT_FALSE(status.ok()) << option.name;
    EXPECT_NE(status.code(), StatusCode::kInternal) << option.name << ": " << status.to_string();
  }
}

void every_preset_loads(const Subject& subject) {
  const Capability capability = subject.capability();
  for (const Preset& preset : capability.presets) {
    EngineLoadRequest request = subject.request(dynamic_graph(subject.rows(1)));
    AXLE_ASSERT_OK_AND_ASSIGN(request.options, resolve_options(capability, preset.name, {}));
    AXLE_ASSERT_OK_AND_ASSIGN(const auto executable, subject.engine().load(request));
    for (const auto& [name, value] : executable->effective().options) {
      if (request.options.count(name) != 0) {
        EXPECT_EQ(value, request.options.at(name)) << preset.name << ": " << name;
      }
    }
  }
}

void io_names_are_those_of_the_graph(const Subject& subject) {
  AXLE_ASSERT_OK_AND_ASSIGN(const auto executable, subject.load(two_output_graph(subject.rows(1))));
  const EngineIo& io = executable->io();
  ASSERT_EQ(io.inputs.size(), 1u);
  ASSERT_EQ(io.outputs.size(), 2u);
  EXPECT_EQ(io.inputs[0].name, "x");
  EXPECT_EQ(io.outputs[0].name, "a");
  EXPECT_EQ(io.outputs[1].name, "b");
  EXPECT_EQ(io.inputs[0].dtype, DataType::kFloat32);
  ASSERT_EQ(io.inputs[0].shape.size(), 2u);
  EXPECT_EQ(io.inputs[0].shape[1].size, 4);
}

void effective_values_are_told(const Subject& subject) {
  AXLE_ASSERT_OK_AND_ASSIGN(const auto executable, subject.load(dynamic_graph(subject.rows(1))));
  const EffectiveValues& effective = executable->effective();
  EXPECT_EQ(effective.precision, subject.precision());
  EXPECT_TRUE(effective.threads == 1 || effective.threads == 0) << effective.threads;  // 0: it cannot tell
  EXPECT_FALSE(effective.spin) << "asked not to spin";
  EXPECT_TRUE(effective.fallbacks.empty()) << "nothing may run elsewhere than asked without being told as a fallback";
}

void compiled_artefact_runs_the_same(const Subject& subject) {
  if (!subject.engine().can_compile()) GTEST_SKIP() << "no artefacts";
  AXLE_ASSERT_OK_AND_ASSIGN(const ScratchDir scratch, ScratchDir::create());
  EngineLoadRequest request = subject.request(dynamic_graph(subject.rows(2)));
  request.scratch_folder = scratch.path();
  AXLE_ASSERT_OK_AND_ASSIGN(const ArtefactManifest manifest, subject.engine().compile(request, 1));
  ASSERT_FALSE(manifest.blobs.empty());
  std::vector<std::string> contents;
  for (const ManifestBlob& blob : manifest.blobs) {
    AXLE_ASSERT_OK_AND_ASSIGN(std::string content, read_file(scratch.file(blob.path), size_t{1} << 30));
    EXPECT_FALSE(content.empty()) << blob.name;
    contents.push_back(std::move(content));
  }
  request.scratch_folder.clear();
  for (size_t i = 0; i < contents.size(); ++i)
    request.blobs.push_back({manifest.blobs[i].name, contents[i], scratch.file(manifest.blobs[i].path)});
  if (manifest.self_contained) request.graph = nullptr;
  AXLE_ASSERT_OK_AND_ASSIGN(const auto executable, subject.engine().load(request));
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  FloatTensor x{{2, 4}, ramp(8)};
  ASSERT_THAT(context.bind_input(0, x.abi()), IsOk());
  ASSERT_THAT(context.run(), IsOk());
  EXPECT_EQ(axle::testing::floats(*context.output(0)), expected_dynamic(x.values));
}

void counters_are_numbers(const Subject& subject) {
  AXLE_ASSERT_OK_AND_ASSIGN(const auto executable, subject.load(dynamic_graph(subject.rows(1))));
  EXPECT_THAT(executable->counters(), IsOk());
}

}  // namespace

std::vector<Check> answer_checks() {
  return {{"FactsWithoutTheLibrary", facts_without_the_library},
          {"DescribesItself", describes_itself},
          {"ResourcesAreValid", resources_are_valid},
          {"CapabilityIsComplete", capability_is_complete},
          {"UnknownResourceIsRefused", unknown_resource_is_refused},
          {"UnknownOpIsNeverPromised", unknown_op_is_never_promised},
          {"YesMeansItLoads", yes_means_it_loads},
          {"ListedOpsAreSupported", listed_ops_are_supported},
          {"UnknownPrecisionIsRefused", unknown_precision_is_refused},
          {"OptionsOutsideTheirDomainAreRefused", options_outside_their_domain_are_refused},
          {"EveryPresetLoads", every_preset_loads},
          {"IoNamesAreThoseOfTheGraph", io_names_are_those_of_the_graph},
          {"EffectiveValuesAreTold", effective_values_are_told},
          {"CompiledArtefactRunsTheSame", compiled_artefact_runs_the_same},
          {"CountersAreNumbers", counters_are_numbers}};
}

}  // namespace axle::conformance
