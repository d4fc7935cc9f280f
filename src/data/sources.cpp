#include "peerless/data/sources.h"

#include <glob.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>
#include <utility>

#include "peerless/base/error.h"

namespace peerless {
namespace {

using Path = std::filesystem::path;

constexpr std::uint64_t kMaxDocument = 1 << 30;
constexpr std::uint64_t kChunk = 1 << 20;

Error too_large(const std::string& where, std::uint64_t bytes) {
  return Error(ExitCode::data, where, ": a document of ", human_bytes(static_cast<double>(bytes)),
               " or more; at most 1 GiB fits: cut the file, or put a document on each line of a .jsonl");
}

bool fits(const Path& file, const TextSources& sources) {
  const auto name = file.filename().string();
  return std::any_of(sources.suffixes.begin(), sources.suffixes.end(),
                     [&](const auto& suffix) { return name.ends_with(suffix); });
}

// The files found, each once, whatever leads to it.
class Search {
 public:
  explicit Search(const TextSources& sources) : sources_(sources) {}

  void add(const Path& file) {
    std::error_code unknown;  // opening it will tell
    const auto place = std::filesystem::weakly_canonical(file, unknown);
    if (places_.insert(unknown ? file : place).second) found_.emplace(file.lexically_normal().native(), file);
  }

  void look_into(const Path& folder) {
    for (const auto& name : disk().list(folder)) {
      const auto entry = folder / name;
      const auto info = disk().info(entry);
      if (info && info->kind == FileInfo::Kind::folder) look_into(entry);
      if (info && info->kind == FileInfo::Kind::file) fits(entry, sources_) ? add(entry) : void(++passed_over_);
    }
  }

  TextFiles take() const {
    TextFiles files{.passed_over = passed_over_};
    for (const auto& [spelling, path] : found_) files.paths.push_back(path);
    return files;
  }

 private:
  const TextSources& sources_;
  std::map<Path::string_type, Path> found_;  // by its normal spelling
  std::set<Path> places_;                    // of the files found, without links
  std::int64_t passed_over_ = 0;
};

std::vector<Path> expand(const std::string& input) {
  const bool pattern = input.find_first_of("*?[") != std::string::npos;
  if (!pattern || exists(disk(), input)) return {input};
  glob_t matches{};
  std::vector<Path> paths;
  if (::glob(input.c_str(), GLOB_NOSORT, nullptr, &matches) == 0) {
    paths.assign(matches.gl_pathv, matches.gl_pathv + matches.gl_pathc);
  }
  ::globfree(&matches);
  if (paths.empty()) throw Error(ExitCode::no_input, input, ": no file fits this pattern");
  return paths;
}

nlohmann::json parse_line(const RawDocument& document) {
  // nlohmann-json would take a NUL for the end of the line, whatever comes after it.
  if (const auto at = document.bytes.find('\0'); at != document.bytes.npos)
    throw Error(ExitCode::data, document.where(), ": not JSON: byte ", at + 1, " of the line");
  try {
    auto json = nlohmann::json::parse(document.bytes);
    if (json.is_object()) return json;
    throw Error(ExitCode::data, document.where(), ": expected a JSON object, found a JSON ", json.type_name());
  } catch (const nlohmann::json::parse_error& error) {
    throw Error(ExitCode::data, document.where(), ": not JSON: byte ", error.byte, " of the line");
  } catch (const nlohmann::json::exception& error) {  // "[json.exception.out_of_range.406] number overflow ..."
    const std::string_view reason = error.what();
    throw Error(ExitCode::data, document.where(),
                ": unusable JSON: ", excerpt(reason.substr(reason.find(']') + 2), 500));
  }
}

}  // namespace

TextFiles text_files(const TextSources& sources) {
  Search search(sources);
  for (const auto& input : sources.inputs) {
    for (const auto& path : expand(input)) is_folder(path) ? search.look_into(path) : search.add(path);
  }
  auto files = search.take();
  if (files.paths.empty()) {
    throw Error(ExitCode::no_input, join(sources.inputs, ", "), ": none of the ", files.passed_over,
                " files there ends in ", join(sources.suffixes, " or "), "; --suffix names others");
  }
  return files;
}

std::string RawDocument::where() const { return line == 0 ? file.string() : concat(file, ":", line); }

DocumentReader::DocumentReader(const TextSources& sources) {
  auto files = text_files(sources);
  paths_ = std::move(files.paths);
  passed_over_ = files.passed_over;
  for (const auto& path : paths_) {
    std::error_code absent;  // opening it will tell
    const auto size = std::filesystem::file_size(path, absent);
    if (!absent) total_bytes_ += size;
  }
}

std::optional<RawDocument> DocumentReader::next() {
  for (;;) {
    if (file_) {
      while (auto line = next_line()) {
        if (line->find_first_not_of(" \t\r") != std::string::npos)
          return RawDocument{paths_[next_path_ - 1], line_, std::move(*line)};
      }
      file_.reset();
    }
    if (next_path_ == paths_.size()) return std::nullopt;
    const auto& path = paths_[next_path_++];
    if (path.extension() != ".jsonl") return whole_file();
    file_ = disk().open(path);
    offset_ = line_ = begin_ = 0;
    buffer_.clear();
  }
}

RawDocument DocumentReader::whole_file() {
  const auto& path = paths_[next_path_ - 1];
  const auto file = disk().open(path);
  if (file->size() > kMaxDocument) throw too_large(path.string(), file->size());
  std::string bytes(file->size(), '\0');
  file->read(0, std::as_writable_bytes(std::span(bytes)));
  bytes_read_ += bytes.size();
  return {path, 0, std::move(bytes)};
}

std::optional<std::string> DocumentReader::next_line() {
  std::size_t searched = begin_;
  for (;;) {
    const auto end = buffer_.find('\n', searched);
    const bool last = offset_ == file_->size();
    if (end == std::string::npos && last && begin_ == buffer_.size()) return std::nullopt;
    if (end != std::string::npos || last) {
      ++line_;
      auto line = buffer_.substr(begin_, end == std::string::npos ? end : end - begin_);
      begin_ = end == std::string::npos ? buffer_.size() : end + 1;
      return line;
    }
    buffer_.erase(0, begin_);
    begin_ = 0;
    searched = buffer_.size();
    if (searched > kMaxDocument) throw too_large(concat(paths_[next_path_ - 1], ":", line_ + 1), searched);
    const auto count = std::min(kChunk, file_->size() - offset_);
    buffer_.resize(searched + count);
    file_->read(offset_, std::as_writable_bytes(std::span(buffer_)).subspan(searched));
    offset_ += count;
    bytes_read_ += count;
  }
}

std::string text_of(RawDocument document, const std::string& field) {
  if (document.line == 0) return std::move(document.bytes);
  auto json = parse_line(document);
  const auto found = json.find(field);
  if (found == json.end()) {
    std::vector<std::string> names;
    for (const auto& [name, value] : json.items()) names.push_back(concat('"', excerpt(name), '"'));
    throw Error(ExitCode::data, document.where(), ": no field \"", field, "\", only ",
                names.empty() ? "{}" : excerpt(join(names, ", "), 500));
  }
  if (!found->is_string()) {
    throw Error(ExitCode::data, document.where(), ": field \"", field, "\" is a JSON ", found->type_name(),
                ", expected a string");
  }
  return std::move(found->get_ref<std::string&>());
}

}  // namespace peerless
