// How a process tells process 0 what it wrote: a list in JSON.
#include <nlohmann/json.hpp>
#include <utility>

#include "peerless/checkpoint/save.h"
#include "src/checkpoint/strict_json.h"

namespace peerless {
namespace {

using Json = nlohmann::json;

void want(bool holds, std::string_view what) {
  if (!holds) throw Error(ExitCode::peer, "expected ", what);
}

const Json& want_list(const Json& json, std::size_t size, std::string_view what) {
  want(json.is_array() && json.size() == size, what);
  return json;
}

std::string string(const Json& json, std::string_view what) {
  want(json.is_string(), what);
  return json.get<std::string>();
}

Shape naturals(const Json& json, std::string_view what) {
  const auto numbers = natural_numbers(json);
  want(numbers.has_value(), what);
  return *numbers;
}

StoredFile stored_file(const Json& name, const Json& bytes, const Json& file_digest, const Json& blocks) {
  const auto size = natural_number(bytes);
  want(size.has_value(), "the size of a file");
  StoredFile file{string(name, "the name of a file"),
                  static_cast<std::uint64_t>(*size),
                  Digest::parse(string(file_digest, "a digest"), "the file"),
                  {}};
  want(blocks.is_array(), "a list of checksums");
  for (const auto& block : blocks) {
    want(block.is_number_unsigned(), "a checksum");
    file.blocks.push_back(block.get<std::uint64_t>());
  }
  return file;
}

StoredTensor stored_tensor(const Json& json) {
  want_list(json, 5, "a tensor's name, dtype, shape, offset and extent");
  Box box{naturals(json[3], "an offset"), naturals(json[4], "an extent")};
  return {string(json[0], "the name of a tensor"),
          parse_dtype(string(json[1], "a dtype")),
          naturals(json[2], "a shape"),
          {{0, std::move(box)}}};
}

SavedPart parse(std::string_view text) {
  const auto json = parse_strict_json(text, "its text");
  want_list(json, 5, "a file's name, size, digest and checksums, and the tensors in it");
  SavedPart part{stored_file(json[0], json[1], json[2], json[3]), {}};
  want(json[4].is_array(), "a list of tensors");
  for (const auto& tensor : json[4]) part.tensors.push_back(stored_tensor(tensor));
  return part;
}

}  // namespace

std::string to_text(const SavedPart& part) {
  Json tensors = Json::array();
  for (const auto& [name, dtype, shape, slices] : part.tensors) {
    const Box& box = slices.front().box;
    tensors.push_back({name, name_of(dtype), shape, box.offset, box.extent});
  }
  return Json{part.file.name, part.file.bytes, part.file.digest.hex(), part.file.blocks, tensors}.dump();
}

SavedPart to_part(std::string_view text, std::int64_t rank) {
  try {
    return parse(text);
  } catch (const Error& error) {
    throw Error(ExitCode::peer, "process ", rank,
                " says of its part of the checkpoint what none writes: ", error.what());
  }
}

}  // namespace peerless
