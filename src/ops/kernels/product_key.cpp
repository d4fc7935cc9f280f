#include "src/ops/kernels/product_key.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "src/ops/kernels/kernel.h"

namespace peerless::kernels {
namespace {

constexpr std::int64_t kBlock = 256;  // values of a row looked at together
constexpr std::int64_t kLanes = 16;   // the widest vector of float

// What a value is compared by.
template <class T>
PEERLESS_INLINE T key_of(T value) {
  return value == value ? value : std::numeric_limits<T>::infinity();
}

// Finds the k best of a row without a branch that depends on its values: such branches would be guessed wrongly all the
// time. Most values are refused by a bar that at least k others reach; the place of each of the rest is the number of
// those before it.
template <class T>
class TopK {
 public:
  explicit TopK(std::int64_t k)
      : k_(k),
        block_(std::max(kBlock, k)),
        candidates_(block_ + k + kLanes),
        keys_(block_ + k + kLanes),
        places_(block_ + k + kLanes),
        columns_(block_ + k),
        values_(k) {}

  // The columns and values of the k best, descending; of equal ones the lower column first.
  const std::int32_t* columns() const { return columns_.data(); }
  const T* values() const { return values_.data(); }

  PEERLESS_INLINE void find(const T* row, std::int64_t n) {
    std::int32_t* const candidates = candidates_.data();
    const std::int32_t* const best = columns_.data();
    std::int64_t count = 0;
    T bar = bar_of(row, std::min(block_, n));
    for (std::int64_t begin = 0; begin < n; begin += block_) {
      for (std::int64_t i = begin; i < std::min(begin + block_, n); ++i) {
        candidates[count] = static_cast<std::int32_t>(i);
        count += !(row[i] < bar);  // a value that is not a number stays, too
      }
      rank(row, count);
      std::copy_n(best, k_, candidates);
      count = k_;
      bar = key_of(row[best[k_ - 1]]);
    }
    T* const values = values_.data();
    for (std::int64_t i = 0; i < k_; ++i) values[i] = row[best[i]];
  }

 private:
  // A value that k of the first n >= k values reach: each of k groups of them has its greatest, and this is the least
  // of those.
  PEERLESS_INLINE T bar_of(const T* row, std::int64_t n) {
    T* const greatest = keys_.data();
    std::fill_n(greatest, k_, -std::numeric_limits<T>::infinity());
    for (std::int64_t begin = 0; begin + k_ <= n; begin += k_) {
#pragma omp simd
      for (std::int64_t g = 0; g < k_; ++g) greatest[g] = row[begin + g] > greatest[g] ? row[begin + g] : greatest[g];
    }
    return *std::min_element(greatest, greatest + k_);
  }

  // Puts the candidates, whose columns ascend among equals, in descending order into columns_.
  PEERLESS_INLINE void rank(const T* row, std::int64_t count) {
    const std::int32_t* const candidates = candidates_.data();
    std::int32_t* const columns = columns_.data();
    std::int32_t* const places = places_.data();
    T* const keys = keys_.data();
    const std::int64_t padded = (count + kLanes - 1) / kLanes * kLanes;
    for (std::int64_t i = 0; i < count; ++i) keys[i] = key_of(row[candidates[i]]);
    std::fill(keys + count, keys + padded, T(0));
    std::fill_n(places, padded, 0);
    for (std::int32_t j = 0; j < count; ++j) {
      const T key = keys[j];
#pragma omp simd
      for (std::int32_t i = 0; i < padded; ++i) {
        places[i] += static_cast<std::int32_t>((key > keys[i]) | ((key == keys[i]) & (j < i)));
      }
    }
    for (std::int64_t i = 0; i < count; ++i) columns[places[i]] = candidates[i];
  }

  std::int64_t k_;
  std::int64_t block_;  // at least k
  std::vector<std::int32_t> candidates_;
  std::vector<T> keys_;
  std::vector<std::int32_t> places_;
  std::vector<std::int32_t> columns_;
  std::vector<T> values_;
};

// A sum of two half scores, exact: sum is the rounded one, error what rounding took away.
template <class T>
struct Candidate {
  T sum;
  T error;
  std::int32_t id;
};

template <class T>
PEERLESS_INLINE Candidate<T> candidate(T a, T b, std::int32_t id) {
  const T sum = a + b;
  const T b_taken = sum - a;
  return {sum, (a - (sum - b_taken)) + (b - b_taken), id};
}

template <class T>
PEERLESS_INLINE bool better(const Candidate<T>& a, const Candidate<T>& b) {
  if (a.sum != b.sum) return a.sum > b.sum;
  if (a.error != b.error) return a.error > b.error;
  return a.id < b.id;
}

// The k best sums of two descending lists. The sum at ranks (a, b) is beaten by all (a', b') with a' <= a, b' <= b, so
// only (a+1)(b+1) <= k can win, and once one loses, so do those after it in its row and column.
template <class T>
PEERLESS_INLINE void top_k_sums(const TopK<T>& first, const TopK<T>& second, std::int64_t n, std::int64_t k,
                                Candidate<T>* best) {
  const auto at = [&](std::int64_t a, std::int64_t b) {
    return candidate(first.values()[a], second.values()[b],
                     static_cast<std::int32_t>(first.columns()[a] * n + second.columns()[b]));
  };
  for (std::int64_t b = 0; b < k; ++b) best[b] = at(0, b);
  for (std::int64_t a = 1; a < k; ++a) {
    for (std::int64_t b = 0; (a + 1) * (b + 1) <= k; ++b) {
      const Candidate<T> sum = at(a, b);
      if (!better(sum, best[k - 1])) {
        if (b == 0) return;
        break;
      }
      std::int64_t place = k - 1;
      for (; place > 0 && better(sum, best[place - 1]); --place) best[place] = best[place - 1];
      best[place] = sum;
    }
  }
}

// The key of a half that belongs to an id.
PEERLESS_INLINE std::int64_t half_key(std::int32_t id, std::int64_t half, std::int64_t n) {
  return half == 0 ? id / n : id % n;
}

}  // namespace

template <class T>
PEERLESS_CLONES void product_key_top_k(const HalfScores<T>& half_scores, std::int64_t num_heads, std::int64_t n,
                                       std::int64_t k, T* scores, std::int32_t* ids, std::int64_t first,
                                       std::int64_t last) {
  TopK<T> halves[2] = {TopK<T>(k), TopK<T>(k)};
  std::vector<Candidate<T>> best(k);
  for (std::int64_t row = first; row < last; ++row) {
    const T* const of_row =
        half_scores.data + row / num_heads * half_scores.of_token + row % num_heads * half_scores.of_head;
    for (std::int64_t half = 0; half < 2; ++half) halves[half].find(of_row + half * half_scores.of_half, n);
    top_k_sums(halves[0], halves[1], n, k, best.data());
    for (std::int64_t j = 0; j < k; ++j) {
      scores[row * k + j] = best[j].sum;
      ids[row * k + j] = best[j].id;
    }
  }
}

template <class T>
PEERLESS_CLONES void product_key_grad_queries(const ProductKey<T>& p, const std::int32_t* ids, const T* grad_scores,
                                              T* grad_queries, std::int64_t first, std::int64_t last) {
  for (std::int64_t row = first * p.num_heads; row < last * p.num_heads; ++row) {
    const std::int64_t head = p.shared ? 0 : row % p.num_heads;
    for (std::int64_t half = 0; half < 2; ++half) {
      const T* const keys = p.keys + (head * 2 + half) * p.num_keys * p.width;
      T* const grad = grad_queries + (row * 2 + half) * p.width;
      for (std::int64_t i = 0; i < p.width; ++i) grad[i] = 0;
      for (std::int64_t j = row * p.k; j < (row + 1) * p.k; ++j) {
        add_scaled(grad_scores[j], keys + half_key(ids[j], half, p.num_keys) * p.width, grad, p.width);
      }
    }
  }
}

template <class T>
PEERLESS_CLONES void product_key_grad_keys(const ProductKey<T>& p, const std::int32_t* ids, const T* grad_scores,
                                           std::int64_t num_tokens, const KeyRange& range, T* grad_keys) {
  T* const grad = grad_keys + (range.set * 2 + range.half) * p.num_keys * p.width;
  for (std::int64_t row = range.set; row < num_tokens * p.num_heads; row += p.shared ? 1 : p.num_heads) {
    const T* const query = p.queries + (row * 2 + range.half) * p.width;
    for (std::int64_t j = row * p.k; j < (row + 1) * p.k; ++j) {
      const std::int64_t key = half_key(ids[j], range.half, p.num_keys);
      if (key >= range.first && key < range.last) add_scaled(grad_scores[j], query, grad + key * p.width, p.width);
    }
  }
}

#define PEERLESS_INSTANTIATE(T)                                                                                      \
  template void product_key_top_k(const HalfScores<T>&, std::int64_t, std::int64_t, std::int64_t, T*, std::int32_t*, \
                                  std::int64_t, std::int64_t);                                                       \
  template void product_key_grad_queries(const ProductKey<T>&, const std::int32_t*, const T*, T*, std::int64_t,      \
                                         std::int64_t);                                                              \
  template void product_key_grad_keys(const ProductKey<T>&, const std::int32_t*, const T*, std::int64_t,             \
                                      const KeyRange&, T*);
PEERLESS_INSTANTIATE(float)
PEERLESS_INSTANTIATE(double)

}  // namespace peerless::kernels
