// The `Type` of a C++ config type. Only this header turns declarations into descriptions; it is included where whole
// configs are read and shown (config.h), never by a component.
#pragma once

#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "peerless/config/member_count.h"
#include "peerless/config/scalar.h"
#include "peerless/config/type.h"

namespace peerless::config {

template <class T>
const Type& type_of();

namespace detail {

template <class T>
concept IsEnum = std::is_enum_v<T> && requires(T value) {
  enum_names(value);
};

template <class T>
concept IsList = requires {
  typename T::value_type;
}
&&std::derived_from<T, std::vector<typename T::value_type>>;

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

template <class T>
inline constexpr bool is_variant = false;
template <class... T>
inline constexpr bool is_variant<std::variant<T...>> = true;

template <class T>
T& as(void* value) {
  return *static_cast<T*>(value);
}
template <class T>
const T& as(const void* value) {
  return *static_cast<const T*>(value);
}

template <IsEnum T>
struct EnumLeaf final : Leaf {
  EnumLeaf() {
    for (const std::string_view choice : enum_names(T{})) choices.emplace_back(choice);
    name = one_of(choices);
  }
  std::string read(const Node& scalar, void* value) const override {
    for (std::size_t i = 0; i < choices.size(); ++i) {
      if (choices[i] != scalar.text) continue;
      as<T>(value) = static_cast<T>(i);
      return "";
    }
    std::string complaint = unknown_choice(choices, scalar.text);
    if constexpr (requires(std::string_view word) { why_not(T{}, word); }) {
      if (const std::string_view reason = why_not(T{}, scalar.text); !reason.empty())
        complaint.append("; ").append(reason);
    }
    return complaint;
  }
  std::string yaml(const void* value) const override {
    return quote(choices.at(static_cast<std::size_t>(as<T>(value))));
  }
};

template <IsScalar T>
struct ScalarLeaf final : Leaf {
  ScalarLeaf() {
    name = T::type_name;
    expected = T::form;
    pattern = T::pattern;
  }
  std::string read(const Node& scalar, void* value) const override {
    const std::optional<T> parsed = T::parse(scalar.text);
    if (!parsed) return "expected " + expected + ", got '" + excerpt(scalar.text) + "'";
    as<T>(value) = *parsed;
    return "";
  }
  std::string yaml(const void* value) const override { return as<T>(value).text(); }
};

template <class T>
struct OptionalOf final : Optional {
  OptionalOf() : Optional(type_of<T>()) {}
  const void* get(const void* value) const override {
    const auto& optional = as<std::optional<T>>(value);
    return optional ? &*optional : nullptr;
  }
  void* emplace(void* value) const override { return &as<std::optional<T>>(value).emplace(); }
  void reset(void* value) const override { as<std::optional<T>>(value).reset(); }
};

template <class T>
struct ListOf final : List {
  static_assert(!std::is_same_v<typename T::value_type, bool>, "std::vector<bool> has no elements to point at");

  ListOf() : List(type_of<typename T::value_type>()) {}
  std::size_t size(const void* value) const override { return as<T>(value).size(); }
  const void* at(const void* value, std::size_t i) const override { return &as<T>(value).at(i); }
  void clear(void* value) const override { as<T>(value).clear(); }
  void* append(void* value) const override { return &as<T>(value).emplace_back(); }
};

template <class T>
struct VariantOf;
template <class... C>
struct VariantOf<std::variant<C...>> final : Variant {
  using T = std::variant<C...>;
  static_assert((requires { std::string_view(C::kind); } && ...), "an alternative of a variant needs its `kind`");

  VariantOf() { kinds = {&static_cast<const Record&>(type_of<C>())...}; }
  std::size_t index(const void* value) const override { return as<T>(value).index(); }
  const void* get(const void* value) const override {
    return std::visit([](const auto& active) -> const void* { return &active; }, as<T>(value));
  }
  void* emplace(void* value, std::size_t index) const override {
    static constexpr void* (*kEmplace[])(T&) = {[](T& v) -> void* { return &v.template emplace<C>(); }...};
    return kEmplace[index](as<T>(value));
  }
};

template <class T, class R>
Rule rule_for(const R& rule) {
  if constexpr (std::is_same_v<R, Any>) {
    return {};
  } else if constexpr (is_optional<T>) {
    return rule_for<typename T::value_type>(rule);
  } else if constexpr (IsList<T> && !std::is_invocable_v<R, const T&>) {
    return rule_for<typename T::value_type>(rule);
  } else {
    static_assert(std::is_invocable_v<R, const T&> && !std::is_same_v<T, bool>, "this rule is not for this type");
    const auto bounds = rule.bounds();
    return {.text = rule.text(),
            .bounds = {bounds.begin(), bounds.end()},
            .holds = [rule](const void* value) { return rule(as<T>(value)); },
            .of_list = IsList<T>};
  }
}

template <class C>
struct RecordOf final : Record {
  RecordOf() {
    const auto instance = std::make_shared<C>();
    const auto* begin = reinterpret_cast<const std::byte*>(instance.get());
    C::fields(*instance, [&]<class T>(std::string_view name, T& value, const auto& rule, std::string_view help,
                                      Resume resume = Resume::must_match) {
      const auto offset = static_cast<std::size_t>(reinterpret_cast<const std::byte*>(&value) - begin);
      fields.push_back({std::string(name), type_of<T>(), offset, rule_for<T>(rule), std::string(help), resume});
    });
    PEERLESS_CHECK(fields.size() == member_count<C>(), "a config struct has ", member_count<C>(), " members, but ",
                   fields.size(), " lines in fields: ", __PRETTY_FUNCTION__);
    if constexpr (requires { C::kind; }) kind = C::kind;
    if constexpr (requires { instance->check(); }) check = [](const void* record) { as<C>(record).check(); };
    defaults = instance;
    make = [] { return std::make_shared<C>(); };
  }
};

template <class T>
auto describe() {
  if constexpr (IsEnum<T>) {
    return std::type_identity<EnumLeaf<T>>();
  } else if constexpr (IsScalar<T>) {
    return std::type_identity<ScalarLeaf<T>>();
  } else if constexpr (is_optional<T>) {
    return std::type_identity<OptionalOf<typename T::value_type>>();
  } else if constexpr (IsList<T>) {
    return std::type_identity<ListOf<T>>();
  } else if constexpr (is_variant<T>) {
    return std::type_identity<VariantOf<T>>();
  } else {
    static_assert(std::is_aggregate_v<T>, "no config type: see the list of field types in field.h");
    return std::type_identity<RecordOf<T>>();
  }
}

}  // namespace detail

template <class T>
const Type& type_of() {
  if constexpr (std::is_same_v<T, bool>) {
    return boolean_type();
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    return integer_type();
  } else if constexpr (std::is_same_v<T, double>) {
    return number_type();
  } else if constexpr (std::is_same_v<T, std::string>) {
    return string_type();
  } else {
    static const typename decltype(detail::describe<T>())::type type;
    return type;
  }
}

// The description of a config struct.
template <class C>
const Record& record_of() {
  return static_cast<const Record&>(type_of<C>());
}

}  // namespace peerless::config
