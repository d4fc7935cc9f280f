// A safetensors file from anywhere: its header and layout.
#include "peerless/checkpoint/safetensors.h"

#include <cstring>

#include "tests/fuzz/targets.h"

namespace peerless::fuzz {
namespace {

class InMemory final : public InputFile {
 public:
  explicit InMemory(std::string_view content) : content_(content) {}
  std::uint64_t size() const override { return content_.size(); }
  void read(std::uint64_t offset, std::span<std::byte> into) const override {
    PEERLESS_CHECK(offset <= content_.size() && into.size() <= content_.size() - offset, "reads beyond the file");
    if (!into.empty()) std::memcpy(into.data(), content_.data() + offset, into.size());
  }

 private:
  std::string_view content_;
};

}  // namespace

bool safetensors(Bytes bytes) {
  using namespace peerless::safetensors;
  const auto content = text_of(bytes);
  Header header;
  if (!accepts(ExitCode::data, [&] { header = read_header(InMemory(content), "a.safetensors"); })) return false;

  // Every byte of the data belongs to one tensor.
  std::uint64_t covered = 0;
  for (const auto& tensor : header.tensors) {
    PEERLESS_CHECK(tensor.begin == covered && tensor.end >= tensor.begin, tensor.name);
    covered = tensor.end;
  }
  PEERLESS_CHECK(header.data_begin <= content.size() && covered == content.size() - header.data_begin, covered);
  PEERLESS_CHECK(header.file_size() == content.size(), header.file_size());

  // Written by us, it says the same.
  const auto laid_out = lay_out(header.tensors, header.metadata);
  PEERLESS_CHECK(laid_out.tensors == header.tensors, "another layout");
  const auto copy = encode(laid_out) + std::string(content.substr(header.data_begin));
  const auto again = read_header(InMemory(copy), "copy.safetensors");
  PEERLESS_CHECK(again.tensors == header.tensors && again.metadata == header.metadata, "another header");
  return true;
}

}  // namespace peerless::fuzz
