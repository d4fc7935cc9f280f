#include "peerless/checkpoint/manifest.h"

#include <algorithm>
#include <set>
#include <utility>

#include "peerless/base/error.h"
#include "src/checkpoint/strict_json.h"

namespace peerless {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kFormat = "peerless checkpoint";
constexpr std::string_view kDigestKey = " \"digest\": \"";
constexpr std::string_view kEnd = "\"}\n";
constexpr std::size_t kDigestDigits = 32;
constexpr std::size_t kMaxFileName = 255;
constexpr std::size_t kBlockDigits = 16;

std::string json_text(std::string_view text) { return Json(text).dump(); }

// One object per line, so that people and line tools can read it.
std::string lines(const std::vector<std::string>& objects) {
  return objects.empty() ? "[]" : concat("[\n  ", join(objects, ",\n  "), "\n ]");
}

std::string hex(const std::vector<std::uint64_t>& numbers) {
  std::string text;
  for (const auto number : numbers) text += hex16(number);
  return text;
}

bool safe_file_name(std::string_view name) {
  const auto forbidden = [](char c) { return c == '/' || c == '\\' || static_cast<unsigned char>(c) < 0x20; };
  return !name.empty() && name.size() <= kMaxFileName && name.front() != '.' && name != Manifest::kFileName &&
         std::none_of(name.begin(), name.end(), forbidden);
}

class Parser {
 public:
  explicit Parser(const std::filesystem::path& path) : path_(printable(path.string())) {}

  Manifest parse(std::string_view text) const {
    check_digest(text);
    const Json json = parse_strict_json(text, path_);
    const auto version = natural_number(member(json, "version"));
    if (version && *version > Manifest::kVersion) {
      throw NewerFormat(ExitCode::data, path_, ": format version ", *version,
                        ", written by a newer peerless; this one reads version ", Manifest::kVersion);
    }
    want(string(json, "format") == kFormat && version && *version >= 1, "format", "the one this program writes");
    want(json.size() == 12, "the manifest", "an object of 12 members");

    Manifest manifest;
    manifest.info = {.step = natural(json, "step"),
                     .run = string(json, "run"),
                     .program = string(json, "program"),
                     .config = string(json, "config"),
                     .tokenizer = digest(json, "tokenizer"),
                     .data = digest(json, "data"),
                     .data_sources = strings(json, "data_sources")};
    want(manifest.info.step <= Manifest::kMaxStep, "step", "a number of at most 12 digits");
    for (const auto& file : list(json, "files")) manifest.files.push_back(stored_file(file, *version));
    for (const auto& tensor : list(json, "tensors"))
      manifest.tensors.push_back(stored_tensor(tensor, manifest.files.size()));
    check_names(manifest);
    return manifest;
  }

 private:
  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    throw Error(ExitCode::data, path_, ": ", parts...);
  }

  void want(bool holds, std::string_view what, std::string_view rule) const {
    if (!holds) refuse(what, " must be ", rule);
  }

  // The text ends with the digest of everything before it.
  void check_digest(std::string_view text) const {
    const std::size_t tail = kDigestKey.size() + kDigestDigits + kEnd.size();
    const auto covered = text.substr(0, text.size() - std::min(text.size(), tail));
    const auto expected = concat(kDigestKey, peerless::digest(covered).hex(), kEnd);
    if (text.substr(covered.size()) != expected)
      refuse("cut short or changed since it was written: its digest differs");
  }

  const Json& member(const Json& object, const char* key) const {
    static const Json kAbsent;
    return object.is_object() && object.contains(key) ? object[key] : kAbsent;
  }

  std::string string(const Json& object, const char* key) const {
    const auto& value = member(object, key);
    want(value.is_string(), key, "a string");
    return value.get<std::string>();
  }

  std::vector<std::string> strings(const Json& object, const char* key) const {
    std::vector<std::string> all;
    for (const auto& value : list(object, key)) {
      want(value.is_string(), key, "a list of strings");
      all.push_back(value.get<std::string>());
    }
    return all;
  }

  std::int64_t natural(const Json& object, const char* key) const {
    const auto number = natural_number(member(object, key));
    want(number.has_value(), key, "an integer >= 0");
    return *number;
  }

  Shape naturals(const Json& object, const char* key) const {
    const auto numbers = natural_numbers(member(object, key));
    want(numbers.has_value(), key, "a list of integers >= 0");
    return *numbers;
  }

  const Json& list(const Json& object, const char* key) const {
    const auto& value = member(object, key);
    want(value.is_array(), key, "a list");
    return value;
  }

  Digest digest(const Json& object, const char* key) const {
    return Digest::parse(string(object, key), concat(path_, ": ", key));
  }

  StoredFile stored_file(const Json& json, std::int64_t version) const {
    StoredFile file{string(json, "name"), static_cast<std::uint64_t>(natural(json, "bytes")), digest(json, "xxh3_128")};
    if (version > 1) file.blocks = blocks(string(json, "blocks"), file.bytes);
    want(json.size() == (version > 1 ? 4 : 3), "a file",
         version > 1 ? "name, bytes, xxh3_128 and blocks" : "name, bytes and xxh3_128");
    if (!safe_file_name(file.name)) refuse("file name \"", shown(file.name), "\" is refused");
    return file;
  }

  // 16 digits for each MiB.
  std::vector<std::uint64_t> blocks(std::string_view text, std::uint64_t bytes) const {
    const auto count = bytes / StoredFile::kBlockBytes + (bytes % StoredFile::kBlockBytes != 0);
    want(text.size() / kBlockDigits == count && text.size() % kBlockDigits == 0, "blocks",
         "16 hexadecimal digits for each MiB");
    std::vector<std::uint64_t> all;
    for (; !text.empty(); text.remove_prefix(kBlockDigits)) {
      const auto number = parse_hex16(text.substr(0, kBlockDigits));
      want(number.has_value(), "blocks", "16 hexadecimal digits for each MiB");
      all.push_back(*number);
    }
    return all;
  }

  StoredTensor stored_tensor(const Json& json, std::size_t num_files) const {
    StoredTensor tensor{string(json, "name"), DType::f32, naturals(json, "shape"), {}};
    const auto where = concat("tensor \"", shown(tensor.name), "\"");
    try {
      tensor.dtype = parse_dtype(string(json, "dtype"));
    } catch (const Error& error) {
      refuse(where, ": ", error.what());
    }
    want(json.size() == 4, where, "name, dtype, shape and slices");
    std::int64_t bytes = static_cast<std::int64_t>(size_of(tensor.dtype));
    for (const auto extent : tensor.shape) {
      want(!__builtin_mul_overflow(bytes, extent, &bytes), where, "smaller than 2^63 bytes");
    }
    std::vector<Box> boxes;
    for (const auto& slice : list(json, "slices")) {
      tensor.slices.push_back(stored_slice(slice, tensor.shape, num_files));
      boxes.push_back(tensor.slices.back().box);
    }
    want(tile(tensor.shape, boxes), where, "covered by its slices, each element once");
    return tensor;
  }

  StoredSlice stored_slice(const Json& json, const Shape& shape, std::size_t num_files) const {
    const auto file = static_cast<std::size_t>(natural(json, "file"));
    StoredSlice slice{file, {naturals(json, "offset"), naturals(json, "extent")}};
    bool inside = file < num_files && json.size() == 3 && slice.box.offset.size() == shape.size() &&
                  slice.box.extent.size() == shape.size();
    for (std::size_t d = 0; inside && d < shape.size(); ++d) {
      inside = slice.box.offset[d] <= shape[d] && slice.box.extent[d] <= shape[d] - slice.box.offset[d];
    }
    want(inside, "a slice", "inside its tensor, in a file of the list");
    return slice;
  }

  void check_names(const Manifest& manifest) const {
    std::set<std::string_view> names;
    for (const auto& file : manifest.files) {
      if (!names.insert(file.name).second) refuse("file \"", shown(file.name), "\" twice");
    }
    names.clear();
    for (const auto& tensor : manifest.tensors) {
      if (!names.insert(tensor.name).second) refuse("tensor \"", shown(tensor.name), "\" twice");
    }
  }

  std::string path_;
};

}  // namespace

std::string Manifest::text() const {
  std::vector<std::string> file_lines, tensor_lines;
  for (const auto& [name, bytes, file_digest, blocks] : files) {
    const nlohmann::ordered_json line = {
        {"name", name}, {"bytes", bytes}, {"xxh3_128", file_digest.hex()}, {"blocks", hex(blocks)}};
    file_lines.push_back(line.dump());
  }
  for (const auto& [name, dtype, shape, slices] : tensors) {
    nlohmann::ordered_json line = {
        {"name", name}, {"dtype", name_of(dtype)}, {"shape", shape}, {"slices", Json::array()}};
    for (const auto& [file, box] : slices) {
      line["slices"].push_back({{"file", file}, {"offset", box.offset}, {"extent", box.extent}});
    }
    tensor_lines.push_back(line.dump());
  }
  std::vector<std::string> source_lines;
  for (const auto& source : info.data_sources) source_lines.push_back(json_text(source));
  const std::string body =
      concat("{\"format\": ", json_text(kFormat), ",\n \"version\": ", kVersion, ",\n \"step\": ", info.step,
             ",\n \"run\": ", json_text(info.run), ",\n \"program\": ", json_text(info.program),
             ",\n \"tokenizer\": \"", info.tokenizer.hex(), "\",\n \"data\": \"", info.data.hex(),
             "\",\n \"data_sources\": ", lines(source_lines), ",\n \"config\": ", json_text(info.config),
             ",\n \"files\": ", lines(file_lines), ",\n \"tensors\": ", lines(tensor_lines), ",\n");
  return concat(body, kDigestKey, digest(body).hex(), kEnd);
}

Manifest Manifest::parse(std::string_view text, const std::filesystem::path& path) { return Parser(path).parse(text); }

}  // namespace peerless
