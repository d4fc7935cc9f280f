// A config type without its C++ type: what it is made of, and how to reach the parts of a value through `void*`.
//
// type_of.h makes these once per type from the struct's `fields`. Reading, writing, comparing and describing work on
// them alone, so that a new config struct costs a few accessors and no copy of the algorithms.
//
//   Leaf       one YAML scalar: bool, integer, number, string, enum, a scalar of one's own
//   Optional   a value or null
//   List       of any type
//   Record     a mapping with the declared fields
//   Variant    one of several records, chosen by the key `kind`
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "peerless/config/field.h"
#include "peerless/config/yaml.h"

namespace peerless::config {

struct Type {
  enum class Form { leaf, optional, list, record, variant };

  const Form form;

  explicit Type(Form which) : form(which) {}
  Type(const Type&) = delete;
  Type& operator=(const Type&) = delete;
  virtual ~Type() = default;
};

struct Leaf : Type {
  std::string name;                  // "integer", as tables say it
  std::string expected;              // "an integer", as messages say it
  std::string json_type;             // of JSON Schema; empty: integer or string
  std::string pattern;               // of a scalar of one's own
  std::vector<std::string> choices;  // of an enum

  Leaf() : Type(Form::leaf) {}
  // Sets `value` from a scalar; what is wrong with the text when it cannot: "expected an integer, got 'many'".
  virtual std::string read(const Node& scalar, void* value) const = 0;
  virtual std::string yaml(const void* value) const = 0;  // reads back as the same value
};

struct Optional : Type {
  const Type& inner;

  explicit Optional(const Type& type) : Type(Form::optional), inner(type) {}
  virtual const void* get(const void* value) const = 0;  // nullptr when absent
  virtual void* emplace(void* value) const = 0;
  virtual void reset(void* value) const = 0;
};

struct List : Type {
  const Type& element;

  explicit List(const Type& type) : Type(Form::list), element(type) {}
  virtual std::size_t size(const void* value) const = 0;
  virtual const void* at(const void* value, std::size_t i) const = 0;
  virtual void clear(void* value) const = 0;
  virtual void* append(void* value) const = 0;  // a default element
};

struct Rule {
  std::string text;  // after "must be"; empty: everything goes
  std::vector<rule::Bound> bounds;
  std::function<bool(const void*)> holds;
  bool of_list = false;  // for the list itself, not for each element
};

// Whether a key must be given: the value that it has when it is left out breaks its rule.
bool is_required(const Type& type, const Rule& rule, const void* left_out);

struct Field {
  std::string name;
  const Type& type;
  std::size_t offset;
  Rule rule;
  std::string help;
  Resume resume;

  const void* in(const void* record) const { return static_cast<const std::byte*>(record) + offset; }
  void* in(void* record) const { return static_cast<std::byte*>(record) + offset; }
};

struct Record : Type {
  std::string kind;  // empty: no alternative of a variant
  std::vector<Field> fields;
  std::function<void(const void*)> check;       // may be empty
  std::shared_ptr<const void> defaults;         // a record as the struct initialises it
  std::function<std::shared_ptr<void>()> make;  // another one

  Record() : Type(Form::record) {}
  const Field* find(std::string_view name) const;  // nullptr when absent
};

struct Variant : Type {
  std::vector<const Record*> kinds;

  Variant() : Type(Form::variant) {}
  virtual std::size_t index(const void* value) const = 0;
  virtual const void* get(const void* value) const = 0;
  virtual void* emplace(void* value, std::size_t index) const = 0;

  const Record& active(const void* value) const { return *kinds[index(value)]; }
  std::vector<std::string> kind_names() const;
};

// Calls `visit` with the type as what it is.
template <class Visit>
decltype(auto) dispatch(const Type& type, Visit&& visit) {
  switch (type.form) {
    case Type::Form::leaf:
      return visit(static_cast<const Leaf&>(type));
    case Type::Form::optional:
      return visit(static_cast<const Optional&>(type));
    case Type::Form::list:
      return visit(static_cast<const List&>(type));
    case Type::Form::record:
      return visit(static_cast<const Record&>(type));
    default:
      return visit(static_cast<const Variant&>(type));
  }
}

const Leaf& boolean_type();
const Leaf& integer_type();
const Leaf& number_type();
const Leaf& string_type();

// The parts of leaves that need no C++ type.
std::string type_name(const Type& type);                                                  // "list of integers"
std::string one_of(const std::vector<std::string>& words, std::string_view word = "or");  // "a, b or c"
std::string unknown_choice(const std::vector<std::string>& choices, std::string_view got);
std::string quote(std::string_view text);  // as a YAML scalar, in quotes only where it needs them

}  // namespace peerless::config
