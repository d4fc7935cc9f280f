#include "peerless/checkpoint/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <unordered_map>
#include <utility>

#include "peerless/checkpoint/safetensors.h"
#include "src/checkpoint/block_reader.h"
#include "src/checkpoint/elements.h"

namespace peerless {
namespace {

namespace fs = std::filesystem;

template <class... Parts>
[[noreturn]] void refuse(const fs::path& path, const Parts&... parts) {
  throw Error(ExitCode::data, printable(path.string()), ": ", parts...);
}

Manifest read_manifest(const Files& files, const fs::path& folder) {
  const auto path = folder / Manifest::kFileName;
  const auto info = files.info(path);
  if (!info || info->kind != FileInfo::Kind::file) {
    throw Error(exists(files, folder) ? ExitCode::data : ExitCode::no_input, printable(folder.string()),
                ": no checkpoint: ", Manifest::kFileName, " is missing");
  }
  return Manifest::parse(read_text(files, path, Manifest::kMaxBytes), path);
}

constexpr std::string_view kStepPrefix = "step-";
constexpr int kStepDigits = 12;

}  // namespace

std::string step_name(std::int64_t step) {
  PEERLESS_CHECK(step >= 0 && step <= Manifest::kMaxStep, "step ", step);
  return concat(kStepPrefix, zero_padded(step, kStepDigits));
}

std::optional<std::int64_t> step_in(const fs::path& path) {
  const auto name = without_slash(path).filename().string();
  if (!name.starts_with(kStepPrefix)) return std::nullopt;
  const auto digits = std::string_view(name).substr(kStepPrefix.size());
  if (digits.size() != kStepDigits) return std::nullopt;
  std::int64_t step = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), step);
  if (error != std::errc() || step < 0 || step_name(step) != name) return std::nullopt;
  return step;
}

bool is_damage(const Error& error) {
  return error.code() == ExitCode::data && !dynamic_cast<const NewerFormat*>(&error);
}

// No failure to read but damage may make anybody take an older one.
Checkpoint Checkpoint::open(const Files& files, const fs::path& folder) {
  return ask_twice([&] { return Checkpoint(files, folder); });
}

Checkpoint Checkpoint::open_verified(const Files& files, const fs::path& folder) {
  auto checkpoint = open(files, folder);
  checkpoint.verify();
  return checkpoint;
}

Checkpoint::Checkpoint(const Files& files, const fs::path& folder)
    : path_(folder), manifest_(read_manifest(files, folder)) {
  if (const auto step = step_in(path_); step && *step != info().step)
    refuse(path_, "holds step ", info().step, ", not the step of its name");
  check_listing(files);
  open_files(files);
  const bool of_version_1 = std::ranges::any_of(manifest_.files, [](const auto& file) { return file.blocks.empty(); });
  if (of_version_1) verify();
  find_slices();
}

std::uint64_t Checkpoint::size_bytes() const {
  std::uint64_t total = 0;
  for (const auto& file : manifest_.files) total += file.bytes;
  return total;
}

void Checkpoint::check_listing(const Files& files) const {
  std::set<std::string> expected = {Manifest::kFileName};
  for (const auto& file : manifest_.files) expected.insert(file.name);
  for (const auto& name : files.list(path_)) {
    if (expected.erase(name) == 0) refuse(path_ / name, "does not belong to the checkpoint");
  }
  if (!expected.empty()) refuse(path_ / *expected.begin(), "missing");
}

void Checkpoint::open_files(const Files& files) {
  for (const auto& stored : manifest_.files) {
    const auto path = path_ / stored.name;
    const auto info = files.info(path);
    if (!info || info->kind != FileInfo::Kind::file) refuse(path, "not a regular file");
    files_.push_back(files.open(path));
    if (files_.back()->size() != stored.bytes) {
      refuse(path, "expected ", stored.bytes, " bytes, found ", files_.back()->size());
    }
  }
}

Checkpoint::Readers Checkpoint::readers() const {
  Readers all;
  for (std::size_t i = 0; i < files_.size(); ++i)
    all.emplace_back(*files_[i], manifest_.files[i], path_ / manifest_.files[i].name);
  return all;
}

void Checkpoint::verify() const {
  for (const auto& reader : readers()) reader.verify();
}

// Manifest and headers must tell the same tensors.
void Checkpoint::find_slices() {
  using safetensors::Tensor;
  std::vector<std::unordered_map<std::string, Tensor>> stored(files_.size());
  const auto all = readers();
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto header = safetensors::read_header(all[i], path_ / manifest_.files[i].name);
    for (auto tensor : header.tensors) {
      tensor.begin += header.data_begin;
      stored[i].emplace(tensor.name, std::move(tensor));
    }
  }
  for (const auto& tensor : manifest_.tensors) {
    auto& offsets = offsets_.emplace_back();
    for (const auto& slice : tensor.slices) {
      const auto found = stored[slice.file].find(tensor.name);
      if (found == stored[slice.file].end() || found->second.dtype != tensor.dtype ||
          found->second.shape != slice.box.extent) {
        refuse(path_ / manifest_.files[slice.file].name, "tensor \"", printable(tensor.name), "\" is not what ",
               Manifest::kFileName, " says");
      }
      offsets.push_back(found->second.begin);
      stored[slice.file].erase(found);
    }
  }
  for (std::size_t i = 0; i < files_.size(); ++i) {
    if (stored[i].empty()) continue;
    refuse(path_ / manifest_.files[i].name, "tensor \"", printable(stored[i].begin()->first), "\" is not in ",
           Manifest::kFileName);
  }
}

void Checkpoint::load(const State& state) const {
  for (const auto& tensor : manifest_.tensors) {
    if (state.find(tensor.name)) continue;
    throw Error(ExitCode::config, printable(path_.string()), ": tensor \"", printable(tensor.name),
                "\" has no place in this run; the checkpoint is of another architecture or optimizer");
  }
  load_some(state);
}

void Checkpoint::load_some(const State& state) const {
  const auto tensors = matches(state);
  const auto all = readers();
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto& entry = state.entries()[i];
    read(all, tensors[i], {entry.offset, entry.extent}, entry.bytes);
  }
}

// For each entry of `state`, the number of its tensor in the manifest.
std::vector<std::size_t> Checkpoint::matches(const State& state) const {
  std::unordered_map<std::string_view, std::size_t> numbers;
  for (std::size_t i = 0; i < manifest_.tensors.size(); ++i) numbers.emplace(manifest_.tensors[i].name, i);

  std::vector<std::size_t> result;
  for (const auto& entry : state.entries()) {
    const auto found = numbers.find(entry.name);
    if (found == numbers.end()) {
      throw Error(ExitCode::config, printable(path_.string()), ": holds no tensor \"", printable(entry.name),
                  "\"; the checkpoint is of another architecture or optimizer");
    }
    const auto& tensor = manifest_.tensors[found->second];
    if (tensor.dtype != entry.dtype || tensor.shape != entry.shape) {
      throw Error(ExitCode::config, printable(path_.string()), ": tensor \"", printable(entry.name), "\": expected ",
                  kind_of(entry.dtype, entry.shape), ", found ", kind_of(tensor.dtype, tensor.shape));
    }
    result.push_back(found->second);
  }
  return result;
}

void Checkpoint::read(std::size_t tensor, const Box& box, std::span<std::byte> into) const {
  read(readers(), tensor, box, into);
}

void Checkpoint::read(const Readers& readers, std::size_t tensor, const Box& box, std::span<std::byte> into) const {
  const auto& [name, dtype, shape, slices] = manifest_.tensors.at(tensor);
  const auto width = size_of(dtype);
  PEERLESS_CHECK(into.size() == static_cast<std::size_t>(volume(box.extent)) * width, name, ": ", into.size(),
                 " bytes");
  for (std::size_t i = 0; i < slices.size(); ++i) {
    const auto& reader = readers[slices[i].file];
    const std::uint64_t begin = offsets_[tensor][i];
    for_each_shared_run(slices[i].box, box, [&](std::int64_t in_slice, std::int64_t in_box, std::int64_t length) {
      reader.read(begin + static_cast<std::uint64_t>(in_slice) * width,
                  into.subspan(static_cast<std::size_t>(in_box) * width, static_cast<std::size_t>(length) * width));
    });
  }
}

}  // namespace peerless
