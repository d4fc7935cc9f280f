#include "peerless/config/compare.h"

#include <algorithm>

#include "peerless/config/write.h"

namespace peerless::config {
namespace {

class Comparison {
 public:
  std::vector<Difference> differences;

  void records(const Record& type, const void* before, const void* after, std::string_view path, Resume resume) {
    for (const Field& field : type.fields) {
      any(field.type, field.in(before), field.in(after), child_path(path, field.name), std::max(resume, field.resume));
    }
  }

 private:
  void any(const Type& type, const void* before, const void* after, const std::string& path, Resume resume) {
    dispatch(type, [&](const auto& known) { this->part(known, before, after, path, resume); });
  }

  void part(const Leaf& type, const void* before, const void* after, const std::string& path, Resume resume) {
    whole(type, before, after, path, resume);
  }

  void part(const Optional& type, const void* before, const void* after, const std::string& path, Resume resume) {
    const void* x = type.get(before);
    const void* y = type.get(after);
    if (!x || !y) return whole(type, before, after, path, resume);
    any(type.inner, x, y, path, resume);
  }

  void part(const List& type, const void* before, const void* after, const std::string& path, Resume resume) {
    const bool leaves = type.element.form == Type::Form::leaf;
    if (leaves || type.size(before) != type.size(after)) return whole(type, before, after, path, resume);
    for (std::size_t i = 0; i < type.size(before); ++i) {
      any(type.element, type.at(before, i), type.at(after, i), child_path(path, std::to_string(i)), resume);
    }
  }

  void part(const Record& type, const void* before, const void* after, const std::string& path, Resume resume) {
    records(type, before, after, path, resume);
  }

  void part(const Variant& type, const void* before, const void* after, const std::string& path, Resume resume) {
    const Record& x = type.active(before);
    const Record& y = type.active(after);
    if (&x != &y) return differences.push_back({child_path(path, "kind"), x.kind, y.kind, resume});
    records(x, type.get(before), type.get(after), path, resume);
  }

  void whole(const Type& type, const void* before, const void* after, const std::string& path, Resume resume) {
    std::string x = one_line(type, before);
    std::string y = one_line(type, after);
    if (x != y) differences.push_back({path, std::move(x), std::move(y), resume});
  }
};

}  // namespace

bool covers(std::string_view section, std::string_view path) {
  return path.starts_with(section) && (path.size() == section.size() || path[section.size()] == '.');
}

std::vector<Difference> compare(const Record& type, const void* before, const void* after) {
  Comparison comparison;
  comparison.records(type, before, after, "", Resume::must_match);
  return std::move(comparison.differences);
}

void check_resume(const std::vector<Difference>& differences, const std::vector<std::string>& overridden) {
  std::vector<std::string> lines;
  for (const Difference& d : differences) {
    const bool allowed =
        std::any_of(overridden.begin(), overridden.end(), [&](const auto& key) { return covers(key, d.path); });
    if (d.resume == Resume::free || (d.resume == Resume::with_override && allowed)) continue;
    lines.push_back(concat(d.path, ": is ", d.before, " in the checkpoint, got ", d.after,
                           d.resume == Resume::must_match ? "; a run cannot change it, start a new run"
                                                          : concat("; --override ", d.path, " allows it")));
  }
  if (!lines.empty()) throw Error(ExitCode::config, join(lines, "\n"));
}

}  // namespace peerless::config
