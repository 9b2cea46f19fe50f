// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/plugins.h"

#include <algorithm>
#include <utility>

#include "xsd/config/settings_wire.h"

namespace xsd::config {
namespace {

// The place of the map itself is not the plugin's business: two services that say the same are one question.
std::string settings_bytes(const SettingsNode& settings) {
  std::string bytes;
  if (settings.kind != SettingsNode::Kind::Map) {
    put_settings(bytes, SettingsNode());
    return bytes;
  }
  SettingsNode root = settings;
  root.where = {};
  put_settings(bytes, root);
  return bytes;
}

}  // namespace

bool is_same_image(const PluginImage* a, const PluginImage* b) noexcept {
  if (a == b) return true;
  return a != nullptr && b != nullptr && a->name == b->name && a->stamp == b->stamp;
}

PluginAnswer PluginAnswer::faulty(std::string fault) {
  PluginAnswer answer;
  answer.fault = std::move(fault);
  return answer;
}

std::size_t PluginAnswers::index_of(const std::string& plugin) {
  auto question = std::find_if(questions_.begin(), questions_.end(),
                               [&](const PluginQuestion& one) { return one.plugin == plugin; });
  if (question == questions_.end()) {
    question = questions_.insert(questions_.end(), PluginQuestion{plugin, {}});
    answers_.push_back(PluginAnswer::faulty("was not looked for"));
    settings_.emplace_back();
  }
  return static_cast<std::size_t>(question - questions_.begin());
}

void PluginAnswers::add(const std::string& plugin) {
  (void)index_of(plugin);
}

void PluginAnswers::add(const std::string& plugin, const SettingsNode& settings) {
  const std::size_t index = index_of(plugin);
  auto& known = questions_[index].settings;
  const auto [place, is_new] = settings_[index].try_emplace(settings_bytes(settings), known.size());
  if (is_new) known.push_back(place->first);
}

void PluginAnswers::give_up(const std::string& fault) {
  for (PluginAnswer& answer : answers_)
    answer = PluginAnswer::faulty(fault);
}

const PluginQuestion* PluginAnswers::find_question(std::string_view plugin) const {
  const auto found = std::find_if(questions_.begin(), questions_.end(),
                                  [&](const PluginQuestion& one) { return one.plugin == plugin; });
  return found != questions_.end() ? &*found : nullptr;
}

const PluginAnswer& PluginAnswers::find(std::string_view plugin) const {
  static const PluginAnswer kNever = PluginAnswer::faulty("was not looked for");
  const PluginQuestion* const question = find_question(plugin);
  return question != nullptr ? answers_[static_cast<std::size_t>(question - questions_.data())] : kNever;
}

const std::vector<SettingsFault>& PluginAnswers::find_faults(std::string_view plugin,
                                                             const SettingsNode& settings) const {
  static const std::vector<SettingsFault> kNone;
  const PluginQuestion* const question = find_question(plugin);
  if (question == nullptr) return kNone;
  const auto index = static_cast<std::size_t>(question - questions_.data());
  const auto place = settings_[index].find(settings_bytes(settings));
  const auto& lists = answers_[index].settings;
  return place != settings_[index].end() && place->second < lists.size() ? lists[place->second] : kNone;
}

}  // namespace xsd::config
