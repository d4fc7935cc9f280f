#include "peerless/config/json_schema.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "peerless/config/write.h"

namespace peerless::config {
namespace {

using Json = nlohmann::ordered_json;

Json schema_of(const Type& type, const void* defaults, const Rule& rule);

Json number(double value) {
  const auto integer = static_cast<std::int64_t>(value);
  return static_cast<double>(integer) == value ? Json(integer) : Json(value);
}

void add_bounds(Json& json, const Rule& rule) {
  for (const rule::Bound& bound : rule.bounds) {
    const bool of_list = rule.of_list && bound.keyword == "minLength";
    json[of_list ? "minItems" : std::string(bound.keyword)] = number(bound.value);
  }
}

// Whether a part cannot be left out: it, or a key inside it, is required.
bool holds_required(const Type& type, const void* defaults, const Rule& rule) {
  if (is_required(type, rule, defaults)) return true;
  const auto any_field = [](const Record& record, const void* value) {
    return std::any_of(record.fields.begin(), record.fields.end(),
                       [&](const Field& field) { return holds_required(field.type, field.in(value), field.rule); });
  };
  if (type.form == Type::Form::record) return any_field(static_cast<const Record&>(type), defaults);
  if (type.form != Type::Form::variant) return false;
  const auto& variant = static_cast<const Variant&>(type);
  return any_field(variant.active(defaults), variant.get(defaults));
}

// A value as JSON, for "default".
Json json_of(const Type& type, const void* value) {
  const Node node = parse_override_value(one_line(type, value), "", 0);
  const auto convert = [](const Node& part, const Type& of, const auto& self) -> Json {
    if (part.form == Node::Form::list) {
      Json list = Json::array();
      for (const Node& child : part.children) list.push_back(self(child, static_cast<const List&>(of).element, self));
      return list;
    }
    if (of.form == Type::Form::optional) return self(part, static_cast<const Optional&>(of).inner, self);
    const std::string& json_type = static_cast<const Leaf&>(of).json_type;
    return json_type == "string" || json_type.empty() ? Json(part.text) : Json::parse(part.text);
  };
  return convert(node, type, convert);
}

Json schema_of_record(const Record& type, const void* defaults, std::string_view kind) {
  Json json = {{"type", "object"}, {"additionalProperties", false}};
  Json properties = Json::object();
  Json required = Json::array();
  if (!kind.empty()) {
    properties["kind"] = {{"const", kind}};
    required.push_back("kind");
  }
  for (const Field& field : type.fields) {
    Json property = schema_of(field.type, field.in(defaults), field.rule);
    property["description"] = field.help;
    properties[field.name] = std::move(property);
    if (holds_required(field.type, field.in(defaults), field.rule)) required.push_back(field.name);
  }
  json["properties"] = std::move(properties);
  if (!required.empty()) json["required"] = std::move(required);
  return json;
}

Json schema_of_leaf(const Leaf& leaf, const Rule& rule) {
  Json json;
  if (!leaf.choices.empty()) {
    json["enum"] = leaf.choices;
  } else if (leaf.json_type.empty()) {
    json = {{"type", {"integer", "string"}}, {"pattern", leaf.pattern}, {"minimum", 0}};
  } else {
    json["type"] = leaf.json_type;
  }
  add_bounds(json, rule);
  return json;
}

// `defaults` is nullptr where there is no value, as for the elements of a list.
Json schema_of(const Type& type, const void* defaults, const Rule& rule) {
  switch (type.form) {
    case Type::Form::leaf: {
      Json json = schema_of_leaf(static_cast<const Leaf&>(type), rule);
      if (defaults && !is_required(type, rule, defaults)) json["default"] = json_of(type, defaults);
      return json;
    }
    case Type::Form::optional: {
      const auto& optional = static_cast<const Optional&>(type);
      const void* inner = defaults ? optional.get(defaults) : nullptr;
      return {{"anyOf", {schema_of(optional.inner, inner, rule), {{"type", "null"}}}}};
    }
    case Type::Form::list: {
      const auto& list = static_cast<const List&>(type);
      Json json = {{"type", "array"}, {"items", schema_of(list.element, nullptr, rule.of_list ? Rule{} : rule)}};
      if (rule.of_list) add_bounds(json, rule);
      if (defaults && list.element.form == Type::Form::leaf && !is_required(type, rule, defaults)) {
        json["default"] = json_of(type, defaults);
      }
      return json;
    }
    case Type::Form::record: {
      const auto& record = static_cast<const Record&>(type);
      return schema_of_record(record, defaults ? defaults : record.defaults.get(), "");
    }
    default: {
      const auto& variant = static_cast<const Variant&>(type);
      Json kinds = Json::array();
      for (const Record* record : variant.kinds) {
        const bool active = defaults && &variant.active(defaults) == record;
        kinds.push_back(
            schema_of_record(*record, active ? variant.get(defaults) : record->defaults.get(), record->kind));
      }
      return {{"oneOf", std::move(kinds)}};
    }
  }
}

}  // namespace

std::string schema(const Record& type, std::string_view title) {
  Json json = {{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", title}};
  json.update(schema_of_record(type, type.defaults.get(), ""));
  return json.dump(2) + "\n";
}

}  // namespace peerless::config
