#include "peerless/config/describe.h"

#include <algorithm>
#include <map>
#include <set>

#include "peerless/base/error.h"
#include "peerless/config/write.h"
#include "src/config/suggest.h"

namespace peerless::config {
namespace {

constexpr std::string_view kElement = "*";

// Walks the declarations beside a value that holds the defaults; where there is none (an element of an empty list, a
// kind that is not the default) each record brings its own.
class KeyList {
 public:
  std::vector<Key> keys;

  void record(const Record& type, const void* value, const std::string& section, Resume resume) {
    if (!value) value = type.defaults.get();
    for (const Field& field : type.fields) {
      Key key{.path = child_path(section, field.name),
              .section = section,
              .name = field.name,
              .type = type_name(field.type),
              .default_value = "",
              .rule = field.rule.text,
              .resume = std::max(resume, field.resume),
              .help = field.help,
              .is_section = false,
              .owner = &type};
      any(field.type, field.in(value), std::move(key), field.rule);
    }
  }

 private:
  void any(const Type& type, const void* value, Key key, const Rule& rule) {
    dispatch(type, [&](const auto& known) { this->part(known, value, std::move(key), rule); });
  }

  void part(const Leaf& type, const void* value, Key key, const Rule& rule) {
    if (key.default_value.empty())
      key.default_value = is_required(type, rule, value) ? "required" : one_line(type, value);
    if (!type.pattern.empty()) key.rule = concat(type.expected, key.rule.empty() ? "" : "; ", key.rule);
    keys.push_back(std::move(key));
  }

  void part(const Optional& type, const void* value, Key key, const Rule& rule) {
    const void* inner = value ? type.get(value) : nullptr;
    if (!inner) key.default_value = "not set";
    any(type.inner, inner, std::move(key), rule);
  }

  void part(const List& type, const void* value, Key key, const Rule& rule) {
    if (value) key.default_value = is_required(type, rule, value) ? "required" : one_line(type, value);
    if (type.element.form == Type::Form::leaf) return keys.push_back(std::move(key));
    key.is_section = true;
    keys.push_back(key);
    inside(type.element, nullptr, child_path(key.path, kElement), key);
  }

  void part(const Record& type, const void* value, Key key, const Rule&) {
    key.is_section = true;
    keys.push_back(key);
    inside(type, value, key.path, key);
  }

  void part(const Variant& type, const void* value, Key key, const Rule&) {
    key.is_section = true;
    keys.push_back(key);
    inside(type, value, key.path, key);
  }

  // The keys below the section `key`, at `path`.
  void inside(const Type& type, const void* value, const std::string& path, const Key& key) {
    if (type.form == Type::Form::record) return record(static_cast<const Record&>(type), value, path, key.resume);
    if (type.form != Type::Form::variant) return;
    const auto& variant = static_cast<const Variant&>(type);
    const std::size_t active = value ? variant.index(value) : 0;
    keys.push_back({.path = child_path(path, "kind"),
                    .section = path,
                    .name = "kind",
                    .type = one_of(variant.kind_names()),
                    .default_value = variant.kinds[active]->kind,
                    .rule = "",
                    .resume = key.resume,
                    .help = key.help,
                    .is_section = false,
                    .owner = key.owner});
    for (std::size_t i = 0; i < variant.kinds.size(); ++i) {
      const Record& kind = *variant.kinds[i];
      record(kind, value && i == active ? variant.get(value) : nullptr, concat(path, "[", kind.kind, "]"), key.resume);
    }
  }
};

std::string at_resume(Resume resume) {
  switch (resume) {
    case Resume::must_match:
      return "must match";
    case Resume::with_override:
      return "with --override";
    default:
      return "free";
  }
}

bool is_element(std::string_view part) {
  return part == kElement || (!part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos);
}

// "model.layers.0.ffw[peer].top_k" -> {"model", "layers", "ffw[peer]", "top_k"}.
std::vector<std::string> names_in(std::string_view path) {
  auto parts = split(path, '.');
  std::erase_if(parts, is_element);
  return parts;
}

// As a user may write it: no elements, no kinds.
std::string plain_path(std::string_view path) { return without_kinds(join(names_in(path), ".")); }

bool matches(const Key& key, const std::vector<std::string>& wanted) {
  const auto names = names_in(key.path);
  return std::equal(names.begin(), names.end(), wanted.begin(), wanted.end(),
                    [](const auto& name, const auto& want) { return name == want || without_kinds(name) == want; });
}

// The keys right below a section, of all its kinds.
std::vector<std::string> names_below(const Key& section, const std::vector<Key>& all) {
  std::vector<std::string> names;
  for (const Key& key : all) {
    const bool is_new = std::find(names.begin(), names.end(), key.name) == names.end();
    if (is_new && key.section.starts_with(section.path) && plain_path(key.section) == plain_path(section.path)) {
      names.push_back(key.name);
    }
  }
  return names;
}

[[noreturn]] void refuse_unknown(const std::string& path, const std::vector<Key>& all) {
  std::vector<std::string> known, at_top;
  for (const Key& key : all) {
    known.push_back(plain_path(key.path));
    if (key.section.empty()) at_top.push_back(key.name);
  }
  const auto near = nearest(path, known);
  throw Error(ExitCode::config, "there is no key '", path, "'",
              near.empty() ? suggestion(split(path, '.').back(), at_top, all) : concat("; did you mean '", near, "'?"));
}

std::string explain_key(const Key& key, const std::vector<Key>& all) {
  std::string out = concat(key.path, "\n  ", key.help, "\n  type:       ", key.type, "\n");
  if (!key.default_value.empty()) out += concat("  default:    ", key.default_value, "\n");
  if (!key.rule.empty()) out += concat("  must be:    ", key.rule, "\n");
  return out + (key.is_section ? concat("  keys:       ", join(names_below(key, all), ", "), "\n")
                               : concat("  at resume:  ", at_resume(key.resume), "\n"));
}

std::string in_table(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '|' ? "\\|" : std::string(1, c);
  return out;
}

std::string code(std::string_view text) { return text.empty() ? "" : concat("`", in_table(text), "`"); }

std::string section_title(std::string_view section) {
  return section.empty() ? "Top level" : concat("`", section, "`");
}

std::string table_row(const Key& key) {
  const std::string shown =
      key.default_value == "not set" || key.default_value == "required" ? key.default_value : code(key.default_value);
  return concat("| ", code(key.name), " | ", in_table(key.type), " | ", shown, " | ", in_table(key.rule), " | ",
                key.is_section ? "" : at_resume(key.resume), " | ", in_table(key.help), " |\n");
}

}  // namespace

std::vector<Key> keys(const Record& type) {
  KeyList list;
  list.record(type, nullptr, "", Resume::must_match);
  return std::move(list.keys);
}

std::string explain(const Record& type, std::string_view path) {
  const auto all = keys(type);
  const auto wanted = names_in(path);
  std::string out;
  for (const Key& key : all) {
    if (matches(key, wanted)) out += (out.empty() ? "" : "\n") + explain_key(key, all);
  }
  if (out.empty()) refuse_unknown(excerpt(path), all);
  return out;
}

std::string plain_key(const Record& type, std::string_view path) {
  const auto all = keys(type);
  const auto wanted = names_in(path);
  if (std::none_of(all.begin(), all.end(), [&](const Key& key) { return matches(key, wanted); }))
    refuse_unknown(excerpt(path), all);
  return without_kinds(path);
}

std::string markdown(const Record& type) {
  const auto all = keys(type);
  std::vector<std::string> sections;  // in the order of the declaration
  std::map<std::string, std::vector<const Key*>> rows;
  for (const Key& key : all) {
    if (rows[key.section].empty()) sections.push_back(key.section);
    rows[key.section].push_back(&key);
  }
  std::string out =
      "# Configuration keys\n\n"
      "Generated from the declarations of the config structs; do not edit. A name in brackets is the `kind` that has "
      "the\n"
      "key, `*` an element of a list, which a command line calls by its number: `model.layers.0.ffw.top_k=4`. "
      "*At resume* says\n"
      "whether a value may differ from the checkpoint's: *free*: it may; *with --override*: if the command says "
      "`--override KEY`;\n"
      "*must match*: never, that takes a new run (`data.train` goes on with `--allow-data-change`).\n";
  std::map<const Record*, std::string> told;  // of kinds, where their table is
  for (const std::string& section : sections) {
    out += concat("\n## ", section_title(section), "\n\n");
    const Record* owner = rows[section].front()->owner;
    const bool is_kind = section.ends_with(']');
    const auto [first, is_new] = is_kind ? told.try_emplace(owner, section) : std::pair(told.end(), true);
    if (!is_new) {
      out += concat("The keys of `", first->second, "`.\n");
      continue;
    }
    out += "| key | type | default | must be | at resume | meaning |\n|---|---|---|---|---|---|\n";
    for (const Key* key : rows[section]) out += table_row(*key);
  }
  return out;
}

std::vector<HelpRow> help_rows(const Record& type) {
  std::vector<HelpRow> rows;
  for (const Key& key : keys(type)) {
    if (key.is_section) continue;
    const bool has_default = key.default_value != "not set" && key.default_value != "required";
    rows.push_back({key.path, concat(key.help, " (", key.type, key.rule.empty() ? "" : ", must be ", key.rule, ", ",
                                     has_default ? "default " : "", key.default_value, ")")});
  }
  return rows;
}

std::vector<std::string> leaf_paths(const Record& type) {
  std::vector<std::string> paths;
  for (const Key& key : keys(type)) {
    if (!key.is_section) paths.push_back(key.path);
  }
  return paths;
}

}  // namespace peerless::config
