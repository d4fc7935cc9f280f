// How a component declares its config: one line per field, and everything else comes from that line: YAML reading,
// `key.path=value` overrides, validation, the dump in checkpoints, `config show|explain|schema`, docs/config.md.
//
//   enum class Gate { none, silu };
//   constexpr std::array<std::string_view, 2> enum_names(Gate) { return {"none", "silu"}; }   // enumerators 0, 1, ...
//   // optional; why a word is none of them, where somebody may expect it: an error adds "; relu is ..."
//   constexpr std::string_view why_not(Gate, std::string_view word) { return word == "relu" ? "relu is ..." : ""; }
//
//   struct PkmConfig {
//     static constexpr std::string_view kind = "pkm";   // only in an alternative of a std::variant
//     std::int64_t top_k = 32;                          // the default is what the struct says
//     std::optional<double> dropout;                    // absent or null: not set
//     Gate gate = Gate::none;
//
//     template <class Self, class Visit>
//     static void fields(Self& c, Visit&& visit) {
//       visit("top_k", c.top_k, AtLeast{1}, "values retrieved per head");
//       visit("dropout", c.dropout, AtLeast{0} && Below{1}, "share of values dropped", Resume::with_override);
//       visit("gate", c.gate, Any{}, "what the output is multiplied by");
//     }
//     void check() const;   // optional; rules over several fields: throw Error(ExitCode::config, "top_k (", ...)
//     bool operator==(const PkmConfig&) const = default;
//   };
//
// Fields     bool, std::int64_t, double, std::string, enums, other config structs, std::variant of config structs
//            (chosen by the key `kind`), std::optional and std::vector of these, and scalars of one's own (scalar.h).
// Rules      On a list, a rule for numbers holds for each element, NotEmpty for the list. A default that breaks its
//            rule makes the key required: `std::string model;` with NotEmpty{}. NaN and infinity are always refused.
// Bases      A struct that inherits from another has its keys too: its `fields` calls the base's.
// Guard      Every member of the struct must have its line: checked when the type is first used.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "peerless/base/error.h"

namespace peerless {

// What a changed value means when a run is resumed. A section that says `free` frees every key in it.
enum class Resume {
  must_match,     // refused: the run would be another one
  with_override,  // refused unless `--override key` is given
  free,           // fine, with a line in the log
};

// ---- rules: a predicate that can say what it wants, after "must be" ------------------------------------------------

namespace rule {
std::string number(double value);  // 1000000, 0.5, 1e-08

// A bound as JSON Schema says it: {"minimum", 1}; without a keyword there is none.
struct Bound {
  std::string_view keyword;
  double value = 0;
};
}  // namespace rule

struct Any {
  template <class T>
  bool operator()(const T&) const {
    return true;
  }
  std::string text() const { return ""; }
  std::array<rule::Bound, 0> bounds() const { return {}; }
};

struct AtLeast {
  double low;
  bool operator()(double v) const { return v >= low; }
  std::string text() const { return ">= " + rule::number(low); }
  std::array<rule::Bound, 1> bounds() const { return {{{"minimum", low}}}; }
};

struct Above {
  double low;
  bool operator()(double v) const { return v > low; }
  std::string text() const { return "> " + rule::number(low); }
  std::array<rule::Bound, 1> bounds() const { return {{{"exclusiveMinimum", low}}}; }
};

struct AtMost {
  double high;
  bool operator()(double v) const { return v <= high; }
  std::string text() const { return "<= " + rule::number(high); }
  std::array<rule::Bound, 1> bounds() const { return {{{"maximum", high}}}; }
};

struct Below {
  double high;
  bool operator()(double v) const { return v < high; }
  std::string text() const { return "< " + rule::number(high); }
  std::array<rule::Bound, 1> bounds() const { return {{{"exclusiveMaximum", high}}}; }
};

struct Between {
  double low, high;  // both included
  bool operator()(double v) const { return low <= v && v <= high; }
  std::string text() const { return "in [" + rule::number(low) + ", " + rule::number(high) + "]"; }
  std::array<rule::Bound, 2> bounds() const { return {{{"minimum", low}, {"maximum", high}}}; }
};

struct MultipleOf {
  std::int64_t factor;
  bool operator()(std::int64_t v) const { return v % factor == 0; }
  std::string text() const { return "a multiple of " + std::to_string(factor); }
  std::array<rule::Bound, 1> bounds() const { return {{{"multipleOf", static_cast<double>(factor)}}}; }
};

struct NotEmpty {  // of a string or a list
  template <class T>
  bool operator()(const T& v) const requires requires {
    v.empty();
  }
  { return !v.empty(); }
  std::string text() const { return "non-empty"; }
  std::array<rule::Bound, 1> bounds() const { return {{{"minLength", 1}}}; }
};

template <class T>
concept IsRule = requires(const T& r) {
  { r.text() } -> std::same_as<std::string>;
  r.bounds();
};

// Both rules: AtLeast{0} && Below{1}.
template <IsRule A, IsRule B>
struct Both {
  A a;
  B b;
  template <class T>
  bool operator()(const T& v) const requires requires {
    a(v);
    b(v);
  }
  { return a(v) && b(v); }
  std::string text() const { return a.text() + " and " + b.text(); }
  auto bounds() const {
    const auto x = a.bounds();
    const auto y = b.bounds();
    std::array<rule::Bound, std::tuple_size_v<decltype(x)> + std::tuple_size_v<decltype(y)>> all;
    for (std::size_t i = 0; i < x.size(); ++i) all[i] = x[i];
    for (std::size_t i = 0; i < y.size(); ++i) all[x.size() + i] = y[i];
    return all;
  }
};

template <IsRule A, IsRule B>
constexpr Both<A, B> operator&&(A a, B b) {
  return {a, b};
}

}  // namespace peerless
