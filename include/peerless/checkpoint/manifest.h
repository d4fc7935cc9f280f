// MANIFEST.json: what a checkpoint holds, and the hashes that prove it. Byte layout: docs/formats/checkpoint.md.
//
// Errors   Error(data), "PATH: ...": a digest that does not match the text, a file name that could leave the folder,
//          slices that do not tile their tensor, anything else out of form; NewerFormat (data): a format version from
//          the future.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "peerless/base/error.h"
#include "peerless/base/hash.h"
#include "peerless/base/state.h"
#include "peerless/checkpoint/box.h"

namespace peerless {

// What a run tells about itself when it saves.
struct CheckpointInfo {
  std::int64_t step = 0;
  std::string run;      // the run's id, the same after every resume
  std::string program;  // version of the program that saved
  std::string config;   // resolved, as YAML
  Digest tokenizer;
  Digest data;
  std::vector<std::string> data_sources = {};  // a line each, for people: they say what changed when `data` did
  bool operator==(const CheckpointInfo&) const = default;
};

struct StoredFile {
  static constexpr std::uint64_t kBlockBytes = 1 << 20;

  std::string name;  // in the checkpoint's folder
  std::uint64_t bytes = 0;
  Digest digest;
  std::vector<std::uint64_t> blocks = {};  // checksums, one for each MiB; none in version 1
  bool operator==(const StoredFile&) const = default;
};

// A box of a tensor: stored in a file under the tensor's name, with the box's extent as its shape.
struct StoredSlice {
  std::size_t file = 0;  // index into Manifest::files
  Box box;
  bool operator==(const StoredSlice&) const = default;
};

struct StoredTensor {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;                      // of the whole
  std::vector<StoredSlice> slices;  // tile the shape
  bool operator==(const StoredTensor&) const = default;
};

// The checkpoint is of a later version of the program: not damaged, but not for this one.
class NewerFormat : public Error {
 public:
  using Error::Error;
};

struct Manifest {
  static constexpr const char* kFileName = "MANIFEST.json";
  static constexpr std::int64_t kVersion = 2;  // is written; version 1 is read too
  static constexpr std::uint64_t kMaxBytes = 256 << 20;
  static constexpr std::int64_t kMaxStep = 999'999'999'999;

  CheckpointInfo info;
  std::vector<StoredFile> files;
  std::vector<StoredTensor> tensors;

  std::string text() const;
  static Manifest parse(std::string_view text, const std::filesystem::path& path);
  bool operator==(const Manifest&) const = default;
};

}  // namespace peerless
