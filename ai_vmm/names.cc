#include <array>
#include <utility>

#include "ai_vmm/types.hpp"

namespace ai_vmm {
namespace {

constexpr std::array<std::pair<ModelCategory, const char*>, 7> kCategories = {{
    {ModelCategory::LLM_TRANSFORMER, "LLM_TRANSFORMER"},
    {ModelCategory::VISION_CNN, "VISION_CNN"},
    {ModelCategory::VISION_TRANSFORMER, "VISION_TRANSFORMER"},
    {ModelCategory::SPEECH_RNN, "SPEECH_RNN"},
    {ModelCategory::RECOMMENDATION_SYSTEM, "RECOMMENDATION_SYSTEM"},
    {ModelCategory::SCIENTIFIC_ML, "SCIENTIFIC_ML"},
    {ModelCategory::OTHER, "OTHER"},
}};

}  // namespace

const char* model_category_name(ModelCategory category) noexcept {
  for (const auto& [known, name] : kCategories) {
    if (known == category) return name;
  }
  return "OTHER";
}

ModelCategory parse_model_category(const std::string& name) noexcept {
  for (const auto& [category, known] : kCategories) {
    if (name == known) return category;
  }
  return ModelCategory::OTHER;
}

const char* hardware_type_name(HardwareType type) noexcept {
  switch (type) {
    case HardwareType::CPU: return "CPU";
    case HardwareType::GPU: return "GPU";
    case HardwareType::NPU: return "NPU";
    case HardwareType::PIM: return "PIM";
    case HardwareType::REMOTE: return "REMOTE";
    case HardwareType::HYBRID: break;
  }
  return "HYBRID";
}

}  // namespace ai_vmm
