// A MANIFEST.json from anywhere. Its digest is made right, for chance never would.
#include "peerless/checkpoint/manifest.h"

#include <algorithm>

#include "tests/fuzz/targets.h"

namespace peerless::fuzz {
namespace {

std::string with_digest(std::string_view text) {
  constexpr std::string_view kKey = " \"digest\": \"";
  const auto body = text.substr(0, text.rfind(kKey));
  return concat(body, kKey, digest(body).hex(), "\"}\n");
}

void check_file_name(std::string_view name) {
  const bool stays = !name.empty() && name.size() <= 255 && name.front() != '.' &&
                     name.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos;
  PEERLESS_CHECK(stays, "the file name ", name);
}

// Each pair is compared, as tile() does not.
void check_slices(const StoredTensor& tensor, std::size_t num_files) {
  std::int64_t elements = 0;
  for (const auto& [file, box] : tensor.slices) {
    PEERLESS_CHECK(file < num_files && box.offset.size() == tensor.shape.size(), tensor.name);
    elements += volume(box.extent);
    for (const auto& other : tensor.slices) {
      if (&other.box == &box) break;
      for_each_shared_run(box, other.box, [&](auto...) { PEERLESS_CHECK(false, tensor.name, ": slices overlap"); });
    }
  }
  PEERLESS_CHECK(elements == volume(tensor.shape), tensor.name, ": ", elements, " elements");
}

}  // namespace

bool manifest(Bytes bytes) {
  accepts(ExitCode::data, [&] { Manifest::parse(text_of(bytes), "MANIFEST.json"); });
  Manifest found;
  if (!accepts(ExitCode::data, [&] { found = Manifest::parse(with_digest(text_of(bytes)), "MANIFEST.json"); }))
    return false;

  for (const auto& file : found.files) check_file_name(file.name);
  for (const auto& tensor : found.tensors) check_slices(tensor, found.files.size());
  const bool version_1 =  // which has no blocks; what is written is version 2
      std::any_of(found.files.begin(), found.files.end(), [](auto& f) { return f.bytes > 0 && f.blocks.empty(); });
  PEERLESS_CHECK(version_1 || Manifest::parse(found.text(), "again") == found, "another manifest");
  return true;
}

}  // namespace peerless::fuzz
