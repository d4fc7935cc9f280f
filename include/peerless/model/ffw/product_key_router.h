// What PEER and product-key memories have in common: every token picks a few out of N = n^2 rows of a table, by product
// keys, and a weight for each.
//
//   q_h       = norm(W_h x), split in halves q1, q2      for each of H heads; the norm: query_norm.h
//   score(i)  = q1 . C[i / n] + q2 . C'[i % n]           the K best per head: exact, without scoring all N
//   weights   = softmax | sigmoid | relu of a head's K scores
//
// Shapes   x [T, D] -> weights [T, H K], ids [T, H K] int32; W [H d_key, D]; sub-keys [heads or 1, 2, n, d_key/2]
// Cost     FLOPs per token 2 H (D d_key + n d_key), so N enters only through n = sqrt(N)
// Ties     the lowest id wins
// Dtypes   computed in the parameters' dtype whatever x is: routing stays fp32
// Start    sub-keys U(-b, b), b = 1/sqrt(d_key/2)
// Source   Lample et al. 2019, "Large Memory Layers with Product Keys", arXiv:1907.05242, section 3
#pragma once

#include "peerless/model/ffw/ffw.h"
#include "peerless/model/linear.h"
#include "peerless/model/query_norm.h"

namespace peerless {

enum class ProductKeys { shared, per_head };
constexpr std::array<std::string_view, 2> enum_names(ProductKeys) { return {"shared", "per_head"}; }
enum class RouterScore { softmax, sigmoid, relu };
constexpr std::array<std::string_view, 3> enum_names(RouterScore) { return {"softmax", "sigmoid", "relu"}; }

// The part of a block's config that is the router's.
struct ProductKeyRouting {
  std::int64_t num_rows, heads, top_k, d_key;
  ProductKeys keys;
  QueryNormKind query_norm;
  RouterScore score;

  std::int64_t n() const;  // sub-keys of a half, sqrt(num_rows)
  // Error(config) unless num_rows, which the block calls `name`, is a square, and top_k at most n.
  void check(std::string_view name, std::string_view rows) const;
  Cost cost(std::int64_t d_model) const;
  // E over tokens of the sum over rows of (the weight they get from all heads)^2, at the start.
  double expected_square_of_weights(std::int64_t d_model) const;
  // What of it decides how a table starts (TableUse::start).
  std::vector<std::pair<std::string, std::string>> start() const;
};

class ProductKeyRouter final : public Module {
 public:
  ProductKeyRouter(std::int64_t d_model, const ProductKeyRouting& routing, at::TensorOptions options);

  struct Routes {
    at::Tensor weights, ids;
  };
  Routes forward(const at::Tensor& x, Stats& stats) const;
  void commit(const Stats& stats) { query_norm_->commit(stats); }

 private:
  ProductKeyRouting routing_;
  std::shared_ptr<Linear> query_;
  std::shared_ptr<QueryNorm> query_norm_;
  at::Tensor keys_;
};

// The name of a block's own table, or the one that layers share under; Error(config) for a name that cannot be one.
std::string table_name(const std::optional<std::string>& shared, std::int64_t layer);
void check_table_name(const std::optional<std::string>& shared);

}  // namespace peerless
