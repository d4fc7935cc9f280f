#include "peerless/ops/exchange.h"

#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/custom_function.h>

#include <numeric>

#include "peerless/dist/collectives.h"
#include "src/ops/once_differentiable.h"
#include "src/ops/remember.h"

namespace peerless {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

std::int64_t sum_of(const RowCounts& counts) { return std::accumulate(counts.begin(), counts.end(), std::int64_t{0}); }

at::Tensor room_for(const at::Tensor& rows, std::int64_t count) {
  auto shape = rows.sizes().vec();
  shape[0] = count;
  return at::empty(shape, rows.options());
}

at::Tensor exchange_rows(Communicator& group, const at::Tensor& rows, const RowCounts& to, const RowCounts& from) {
  TORCH_CHECK(rows.size(0) == sum_of(to), "send_rows: ", rows.size(0), " rows, but ", sum_of(to), " to be sent");
  const auto received = room_for(rows, sum_of(from));
  const auto pieces = rows.contiguous().split_with_sizes(to), places = received.split_with_sizes(from);
  const auto here = static_cast<std::size_t>(group.rank());
  places[here].copy_(pieces[here]);
  send_to_all(group, pieces, places);
  return received;
}

struct Route {
  Communicator* group;
  RowCounts to, from;
};

struct SendRows : torch::autograd::Function<SendRows> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& rows, const Route& route) {
    remember(context, route);
    return exchange_rows(*route.group, rows, route.to, route.from);
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    refuse_double_backward("send_rows");
    const auto& [group, to, from] = recall<Route>(context);
    return {exchange_rows(*group, grads[0], from, to), {}};
  }
};

struct AllTokens : torch::autograd::Function<AllTokens> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const Route& route) {
    remember(context, route);
    const auto all = room_for(x, sum_of(route.from));
    const auto mine = x.contiguous();
    const auto places = all.split_with_sizes(route.from);
    places[static_cast<std::size_t>(route.group->rank())].copy_(mine);
    send_to_all(*route.group, std::vector(places.size(), mine), places);
    return all;
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    refuse_double_backward("GroupTokens::all");
    const auto& [group, to, from] = recall<Route>(context);
    return {exchange_rows(*group, grads[0], from, to).unflatten(0, {group->world_size(), -1}).sum(0), {}};
  }
};

}  // namespace

at::Tensor send_rows(Communicator& group, const at::Tensor& rows, const RowCounts& to, const RowCounts& from) {
  return SendRows::apply(rows, Route{&group, to, from});
}

GroupTokens::GroupTokens(Communicator& group, std::int64_t tokens)
    : group_(group), tokens_(gather(group, tokens)), own_(static_cast<std::size_t>(group.world_size()), tokens) {}

at::Tensor GroupTokens::columns_of_all(const at::Tensor& x) const {
  const auto by_rank = x.unflatten(1, {group_.world_size(), -1}).transpose(0, 1).flatten(0, 1);  // [W T, d / W]
  return send_rows(group_, by_rank, own_, tokens_);
}

at::Tensor GroupTokens::own_tokens(const at::Tensor& columns) const {
  return send_rows(group_, columns, tokens_, own_).unflatten(0, {group_.world_size(), -1}).transpose(0, 1).flatten(1);
}

at::Tensor GroupTokens::all(const at::Tensor& x) const { return AllTokens::apply(x, Route{&group_, own_, tokens_}); }

}  // namespace peerless
