#include "peerless/ops/top_k.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/sort.h>

#include <tuple>

namespace peerless {
namespace {

constexpr std::int64_t kRowsAtLeast = 32;  // of a thread

template <class T>
bool better(T a, T b) {
  return a > b || (a != a && b == b);
}

// best[0] ... best[k-1]: ids of the k best so far, best first. Each new one sinks past those that it beats, so of equal
// ones the first stays before the later.
template <class T>
void best_of_row(const T* scores, std::int64_t n, std::int64_t k, std::int64_t* best) {
  std::int64_t held = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    if (held == k && !better(scores[i], scores[best[k - 1]])) continue;
    std::int64_t place = held < k ? held++ : k - 1;
    for (; place > 0 && better(scores[i], scores[best[place - 1]]); --place) best[place] = best[place - 1];
    best[place] = i;
  }
}

void check(const at::Tensor& scores, std::int64_t k) {
  TORCH_CHECK(scores.dim() == 2 && k >= 1 && k <= scores.size(1),
              "top_k_ids: expected scores [T, N] and 1 <= k <= N, got ", scores.sizes(), " and k = ", k);
}

}  // namespace

at::Tensor top_k_ids(const at::Tensor& scores, std::int64_t k) {
  if (!scores.is_cpu() || (scores.scalar_type() != at::kFloat && scores.scalar_type() != at::kDouble))
    return plain::top_k_ids(scores, k);
  check(scores, k);
  const auto rows = scores.contiguous();
  const auto ids = at::empty({rows.size(0), k}, rows.options().dtype(at::kLong));
  const std::int64_t n = rows.size(1);
  AT_DISPATCH_FLOATING_TYPES(rows.scalar_type(), "top_k_ids", [&] {
    const scalar_t* const data = rows.const_data_ptr<scalar_t>();
    std::int64_t* const best = ids.mutable_data_ptr<std::int64_t>();
    at::parallel_for(0, rows.size(0), kRowsAtLeast, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t t = first; t < last; ++t) best_of_row(data + t * n, n, k, best + t * k);
    });
  });
  return ids;
}

at::Tensor plain::top_k_ids(const at::Tensor& scores, std::int64_t k) {
  check(scores, k);
  return std::get<1>(at::sort(scores, /*stable=*/true, /*dim=*/-1, /*descending=*/true)).narrow(1, 0, k).contiguous();
}

}  // namespace peerless
