#include "peerless/config/type.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "peerless/config/scalar.h"

namespace peerless::config {
namespace {

std::string lower_case(std::string_view text) {
  std::string lower;
  for (const char c : text) lower += static_cast<char>('A' <= c && c <= 'Z' ? c - 'A' + 'a' : c);
  return lower;
}

template <std::size_t N>
bool contains(const std::string_view (&words)[N], std::string_view word) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

std::string expected_but_got(const Leaf& leaf, const Node& scalar) {
  return concat("expected ", leaf.expected, ", got '", excerpt(scalar.text), "'");
}

struct BooleanLeaf final : Leaf {
  BooleanLeaf() {
    name = json_type = "boolean";
    expected = "true or false";
  }
  std::string read(const Node& scalar, void* value) const override {
    if (scalar.text != "true" && scalar.text != "false") return expected_but_got(*this, scalar);
    *static_cast<bool*>(value) = scalar.text == "true";
    return "";
  }
  std::string yaml(const void* value) const override { return *static_cast<const bool*>(value) ? "true" : "false"; }
};

struct IntegerLeaf final : Leaf {
  IntegerLeaf() {
    name = json_type = "integer";
    expected = "an integer";
  }
  std::string read(const Node& scalar, void* value) const override {
    const std::string& text = scalar.text;
    std::int64_t parsed = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
    if (end != text.data() + text.size() || error == std::errc::invalid_argument) {
      const auto meant = exact_decimal(text, 0);  // "1e6"
      return expected_but_got(*this, scalar) + (meant ? concat("; write ", *meant) : "");
    }
    if (error == std::errc::result_out_of_range) return concat("expected an integer of 64 bits, got ", excerpt(text));
    *static_cast<std::int64_t*>(value) = parsed;
    return "";
  }
  std::string yaml(const void* value) const override {
    return std::to_string(*static_cast<const std::int64_t*>(value));
  }
};

struct NumberLeaf final : Leaf {
  NumberLeaf() {
    name = json_type = "number";
    expected = "a number";
  }
  std::string read(const Node& scalar, void* value) const override {
    const std::string& text = scalar.text;
    if (names_no_number(text)) return concat("must be finite, got ", text);
    double parsed = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
    if (end != text.data() + text.size() || error == std::errc::invalid_argument || !std::isfinite(parsed)) {
      return expected_but_got(*this, scalar);
    }
    if (error == std::errc::result_out_of_range) return concat("beyond the range of a double, got ", excerpt(text));
    *static_cast<double*>(value) = parsed;
    return "";
  }
  std::string yaml(const void* value) const override {
    std::string text = rule::number(*static_cast<const double*>(value));
    const auto exponent = text.find('e');  // "1e-08" is a string to readers of YAML 1.1, 1.0e-08 a number to all
    if (exponent != std::string::npos && text.find('.') == std::string::npos) text.insert(exponent, ".0");
    return text;
  }

 private:
  static bool names_no_number(std::string_view text) {
    const std::string word = lower_case(text.substr(text.starts_with('-') || text.starts_with('+')));
    constexpr std::string_view kNames[] = {".inf", ".nan", "inf", "nan", "infinity"};
    return contains(kNames, word);
  }
};

struct StringLeaf final : Leaf {
  StringLeaf() {
    name = json_type = "string";
    expected = "a string";
  }
  std::string read(const Node& scalar, void* value) const override {
    *static_cast<std::string*>(value) = scalar.text;
    return "";
  }
  std::string yaml(const void* value) const override { return quote(*static_cast<const std::string*>(value)); }
};

// Words that some reader of YAML takes for something else than a string.
bool is_plain(std::string_view text) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-";
  constexpr std::string_view kReserved[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};
  if (text.empty() || text.find_first_not_of(kPlain) != std::string_view::npos) return false;
  const char first = text[0];
  if ('0' <= first && first <= '9') return false;
  if (first == '-' || (first == '.' && text.find('/') == std::string_view::npos)) return false;
  return !contains(kReserved, lower_case(text));
}

}  // namespace

const Leaf& boolean_type() {
  static const BooleanLeaf type;
  return type;
}
const Leaf& integer_type() {
  static const IntegerLeaf type;
  return type;
}
const Leaf& number_type() {
  static const NumberLeaf type;
  return type;
}
const Leaf& string_type() {
  static const StringLeaf type;
  return type;
}

bool is_required(const Type& type, const Rule& rule, const void* left_out) {
  const bool of_value = type.form == Type::Form::leaf || rule.of_list;
  return rule.holds && of_value && !rule.holds(left_out);
}

const Field* Record::find(std::string_view name) const {
  const auto it = std::find_if(fields.begin(), fields.end(), [&](const Field& field) { return field.name == name; });
  return it == fields.end() ? nullptr : &*it;
}

std::vector<std::string> Variant::kind_names() const {
  std::vector<std::string> names;
  for (const Record* record : kinds) names.push_back(record->kind);
  return names;
}

std::string type_name(const Type& type) {
  switch (type.form) {
    case Type::Form::leaf:
      return static_cast<const Leaf&>(type).name;
    case Type::Form::optional:
      return "optional " + type_name(static_cast<const Optional&>(type).inner);
    case Type::Form::list: {
      const Type& element = static_cast<const List&>(type).element;
      const bool is_enum = element.form == Type::Form::leaf && !static_cast<const Leaf&>(element).choices.empty();
      return concat("list of ", type_name(element), is_enum ? "" : "s");
    }
    default:
      return "mapping";
  }
}

std::string one_of(const std::vector<std::string>& words, std::string_view word) {
  if (words.size() < 2) return words.empty() ? "" : words[0];
  return concat(join({words.begin(), words.end() - 1}, ", "), " ", word, " ", words.back());
}

std::string unknown_choice(const std::vector<std::string>& choices, std::string_view got) {
  const std::string near = nearest(excerpt(got), choices);
  return concat("expected ", one_of(choices), ", got '", excerpt(got), "'",
                near.empty() ? "" : concat("; did you mean '", near, "'?"));
}

std::string quote(std::string_view text) {
  if (is_plain(text)) return std::string(text);
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (byte < 0x20 || byte == 0x7F) {
      out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    } else {
      out += c;
    }
  }
  return out + '"';
}

}  // namespace peerless::config
