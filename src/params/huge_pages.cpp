#include "peerless/params/huge_pages.h"

#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros.h>
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>

namespace peerless {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kWorthwhile = std::size_t{4} << 20;

}  // namespace

at::Tensor huge_zeros(at::IntArrayRef shape, at::TensorOptions options) {
  const std::size_t bytes = static_cast<std::size_t>(c10::multiply_integers(shape)) * options.dtype().itemsize();
  if (!options.device().is_cpu() || bytes < kWorthwhile) return at::zeros(shape, options);

  const std::size_t whole = (bytes + kHugePage - 1) / kHugePage * kHugePage;
  const std::size_t mapped = whole + kHugePage;  // room to begin at a page's boundary
  void* const memory = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return at::zeros(shape, options);  // its allocator knows how to say that memory is short
  const auto first = (reinterpret_cast<std::uintptr_t>(memory) + kHugePage - 1) / kHugePage * kHugePage;
  madvise(reinterpret_cast<void*>(first), whole, MADV_HUGEPAGE);
  return at::from_blob(
      reinterpret_cast<void*>(first), shape, [memory, mapped](void*) { munmap(memory, mapped); }, options);
}

}  // namespace peerless
