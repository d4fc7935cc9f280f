#include "peerless/ops/exchange.h"

#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/custom_function.h>

#include <numeric>

#include "peerless/dist/collectives.h"
#include "src/ops/once_differentiable.h"

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
  const auto sent = rows.contiguous();
  const auto received = room_for(rows, sum_of(from));
  const auto pieces = sent.split_with_sizes(to), places = received.split_with_sizes(from);
  Messages out, in;
  for (std::size_t r = 0; r < pieces.size(); ++r) {
    if (static_cast<std::int64_t>(r) == group.rank()) {
      places[r].copy_(pieces[r]);
    } else {
      out.push_back({static_cast<std::int64_t>(r), pieces[r]});
      in.push_back({static_cast<std::int64_t>(r), places[r]});
    }
  }
  group.exchange(out, in);
  return received;
}

struct SendRows : torch::autograd::Function<SendRows> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& rows, Communicator* group, const RowCounts& to,
                            const RowCounts& from) {
    context->saved_data["group"] = reinterpret_cast<std::int64_t>(group);
    context->saved_data["to"] = to;
    context->saved_data["from"] = from;
    return exchange_rows(*group, rows, to, from);
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    refuse_double_backward("send_rows");
    auto& group = *reinterpret_cast<Communicator*>(context->saved_data["group"].toInt());
    return {exchange_rows(group, grads[0], context->saved_data["from"].toIntVector(),
                          context->saved_data["to"].toIntVector()),
            {},
            {},
            {}};
  }
};

struct AllTokens : torch::autograd::Function<AllTokens> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, Communicator* group,
                            const RowCounts& tokens) {
    const auto rank = static_cast<std::size_t>(group->rank());
    context->saved_data["group"] = reinterpret_cast<std::int64_t>(group);
    context->saved_data["tokens"] = tokens;
    const auto all = room_for(x, sum_of(tokens));
    const auto mine = x.contiguous();
    const auto places = all.split_with_sizes(tokens);
    places[rank].copy_(mine);
    Messages out, in;
    for (std::size_t r = 0; r < places.size(); ++r) {
      if (r == rank) continue;
      out.push_back({static_cast<std::int64_t>(r), mine});
      in.push_back({static_cast<std::int64_t>(r), places[r]});
    }
    group->exchange(out, in);
    return all;
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    refuse_double_backward("GroupTokens::all");
    auto& group = *reinterpret_cast<Communicator*>(context->saved_data["group"].toInt());
    const auto tokens = context->saved_data["tokens"].toIntVector();
    const RowCounts own(tokens.size(), tokens[static_cast<std::size_t>(group.rank())]);
    return {exchange_rows(group, grads[0], tokens, own).unflatten(0, {group.world_size(), -1}).sum(0), {}, {}};
  }
};

}  // namespace

at::Tensor send_rows(Communicator& group, const at::Tensor& rows, const RowCounts& to, const RowCounts& from) {
  return SendRows::apply(rows, &group, to, from);
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

at::Tensor GroupTokens::all(const at::Tensor& x) const { return AllTokens::apply(x, &group_, tokens_); }

}  // namespace peerless
