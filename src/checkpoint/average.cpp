#include "peerless/checkpoint/average.h"

#include <cstring>
#include <unordered_map>

#include "peerless/checkpoint/save.h"
#include "peerless/config/compare.h"
#include "src/checkpoint/config_differences.h"
#include "src/checkpoint/elements.h"

namespace peerless {
namespace {

constexpr std::int64_t kPieceBytes = 4 << 20;
constexpr std::string_view kModel = "model.";

using Numbers = std::vector<std::size_t>;  // of the model's tensors in a manifest

Numbers model_of(const Checkpoint& checkpoint) {
  Numbers numbers;
  const auto& tensors = checkpoint.manifest().tensors;
  for (std::size_t i = 0; i < tensors.size(); ++i)
    if (tensors[i].name.starts_with(kModel)) numbers.push_back(i);
  return numbers;
}

template <class... Parts>
[[noreturn]] void refuse(const Checkpoint& first, const Checkpoint& other, const Parts&... parts) {
  throw Error(ExitCode::config, printable(first.path().string()), " and ", printable(other.path().string()), ": ",
              parts..., "; only checkpoints of one model have a mean");
}

void check_same_meaning(const Checkpoint& first, const Checkpoint& other) {
  const auto &a = first.info().tokenizer, &b = other.info().tokenizer;
  if (a != b) refuse(first, other, "tokenizer: ", a.hex(), " and ", b.hex());
  const auto differences =
      config_differences(first, other, [](std::string_view key) { return config::covers("model", key); });
  if (!differences.empty()) refuse(first, other, differences.front());
}

// The model's tensors in `other`, in the order of those of the first.
Numbers same_model(const Checkpoint& first, const Numbers& numbers, const Checkpoint& other) {
  const auto& all = other.manifest().tensors;
  std::unordered_map<std::string_view, std::size_t> left;
  for (const auto number : model_of(other)) left.emplace(all[number].name, number);
  Numbers result;
  for (const auto number : numbers) {
    const auto& tensor = first.manifest().tensors[number];
    const auto found = left.find(tensor.name);
    const auto complain = [&](const auto& what) {
      refuse(first, other, "tensor ", printable(tensor.name), ": ", what);
    };
    if (found == left.end()) complain("only in the first");
    const auto& same = all[found->second];
    if (same.dtype != tensor.dtype || same.shape != tensor.shape)
      complain(concat(kind_of(tensor.dtype, tensor.shape), " and ", kind_of(same.dtype, same.shape)));
    result.push_back(found->second);
    left.erase(found);
  }
  for (const auto number : model_of(other))
    if (left.contains(all[number].name))
      refuse(first, other, "tensor ", printable(all[number].name), ": only in the second");
  return result;
}

// Of the same elements of several tensors.
class Mean {
 public:
  Mean(DType dtype, std::size_t bytes) : dtype_(dtype), width_(size_of(dtype)), sums_(bytes / width_) {}

  void add(std::span<const std::byte> bytes) {
    if (count_++ == 0) {
      first_.assign(bytes.begin(), bytes.end());
      differs_.assign(sums_.size(), false);
    }
    for (std::size_t i = 0; i < sums_.size(); ++i) {
      const std::byte* at = &bytes[i * width_];
      sums_[i] += value_of(dtype_, at);
      if (std::memcmp(at, &first_[i * width_], width_) != 0) differs_[i] = true;
    }
  }

  std::span<const std::byte> bytes() {
    for (std::size_t i = 0; i < sums_.size(); ++i)
      if (differs_[i]) put_value(dtype_, sums_[i] / static_cast<double>(count_), &first_[i * width_]);
    return first_;
  }

 private:
  DType dtype_;
  std::size_t width_;
  std::int64_t count_ = 0;
  std::vector<double> sums_;
  std::vector<std::byte> first_;  // the mean, where all are the same
  std::vector<bool> differs_;
};

class Average {
 public:
  explicit Average(const std::vector<Checkpoint>& checkpoints) : checkpoints_(checkpoints) {
    if (checkpoints.size() < 2)
      throw Error(ExitCode::usage, "a mean is of two checkpoints or more, got ", checkpoints.size());
    const auto& first = checkpoints.front();
    numbers_.push_back(model_of(first));
    if (numbers_.front().empty())
      throw Error(ExitCode::config, printable(first.path().string()), ": holds no weights (", kModel, "*)");
    for (std::size_t i = 1; i < checkpoints.size(); ++i) {
      check_same_meaning(first, checkpoints[i]);
      numbers_.push_back(same_model(first, numbers_.front(), checkpoints[i]));
    }
  }

  std::vector<StoredTensor> tensors() const {
    std::vector<StoredTensor> all;
    for (std::size_t i = 0; i < numbers_.front().size(); ++i) {
      const auto& tensor = of_first(i);
      all.push_back({tensor.name, tensor.dtype, tensor.shape, {{0, Box::whole(tensor.shape)}}});
    }
    return all;
  }

  // The mean of one of them.
  void write(std::size_t tensor, const WriteBytes& write) const {
    const auto& [name, dtype, shape, slices] = of_first(tensor);
    const auto width = static_cast<std::int64_t>(size_of(dtype));
    std::vector<std::byte> bytes;
    for_each_piece(shape, kPieceBytes / width, [&, dtype = dtype](const Box& box) {
      bytes.resize(static_cast<std::size_t>(volume(box.extent) * width));
      Mean mean(dtype, bytes.size());
      const std::size_t counted = is_floating(dtype) ? checkpoints_.size() : 1;
      for (std::size_t i = 0; i < counted; ++i) {
        checkpoints_[i].read(numbers_[i][tensor], box, bytes);
        mean.add(bytes);
      }
      write(mean.bytes());
    });
  }

 private:
  const StoredTensor& of_first(std::size_t tensor) const {
    return checkpoints_.front().manifest().tensors[numbers_.front()[tensor]];
  }

  const std::vector<Checkpoint>& checkpoints_;
  std::vector<Numbers> numbers_;  // of each checkpoint, in one order
};

std::uint64_t size_of_all(const std::vector<StoredTensor>& tensors) {
  std::uint64_t bytes = 0;
  for (const auto& tensor : tensors) bytes += static_cast<std::uint64_t>(volume(tensor.shape)) * size_of(tensor.dtype);
  return bytes;
}

}  // namespace

void average(Files& files, const std::vector<Checkpoint>& checkpoints, const std::filesystem::path& folder) {
  const Average mean(checkpoints);
  expect_empty(files, folder);
  const auto tensors = mean.tensors();
  Save save(files, folder, checkpoints.front().info());
  try {
    save.begin(size_of_all(tensors));
    sync_way_to(files, folder);
    const auto content = [&](std::size_t tensor, const WriteBytes& write) { mean.write(tensor, write); };
    save.commit({write_part(files, save.temporary(), tensors, content, 0, 1)});
  } catch (...) {
    save.abandon();
    throw;
  }
}

}  // namespace peerless
