// The expert stage of PEER: every token runs the single-neuron experts that it retrieved and adds up what they say.
//
//   y_t = sum over p of  gates[t,p] * act(u_i . x_t) * v_i                     i = ids[t,p], row i of the table [u | v]
//   y_t = sum over p of  gates[t,p] * act(u_i . x_t) * (w_i . x_t) * v_i       with glu, row [u | w | v]
//
// Shapes     T tokens, P experts of a token (heads * top_k), N experts, d width
//            x [T,d], gates [T,P], ids [T,P] int32, table [N, 2d] or [N, 3d] -> y [T,d] in x's dtype
//            A token may hold the same expert several times.
// Gradients  of x and gates by autograd; of the table by rows, added to table.grad(): weight().grad() stays undefined.
//            Micro-batches, layers that share a table, and recomputed forwards all add to the same rows.
// Precision  computed in the table's dtype (float or double), whatever x and gates come in
// Cost       forward reads P rows a token once; backward once more, and writes each retrieved row's gradient once.
//            Nothing of shape [T, P, d] is stored: only the P pre-activations of a token are (2 P with glu).
// Threads    all of ATen's. A token, and in the second half of backward an expert, has one owner who adds in the order
//            of tokens: bits depend neither on the number of threads nor on the run.
// Errors     c10::Error when shapes or dtypes do not fit; ids are trusted
// Source     He 2024, "Mixture of A Million Experts", arXiv:2407.04153, equation 1 and section 2
#pragma once

#include <ATen/core/Tensor.h>

#include "peerless/dist/communicator.h"
#include "peerless/ops/activation.h"
#include "peerless/ops/row_table.h"

namespace peerless {

at::Tensor peer_experts(const at::Tensor& x, const at::Tensor& gates, const at::Tensor& ids, const RowTable& table,
                        Activation activation, bool glu);

// The same where the processes of a group share out the columns of each part of a row, and x and y have those of this
// process, of the tokens of all: see GroupTokens (ops/exchange.h). By the plain way; in forward and in backward a sum
// of T P numbers over the group (with GLU two in forward). The gradient of gates is this process's share of it.
at::Tensor peer_experts_by_columns(Communicator& group, const at::Tensor& x, const at::Tensor& gates,
                                   const at::Tensor& ids, const RowTable& table, Activation activation, bool glu);

namespace plain {
// The same on any device, by operators on pairs that have CUDA kernels of their own, and elsewhere are ATen's on a
// piece of the tokens at a time. On a device, backward waits for the ids.
at::Tensor peer_experts(const at::Tensor& x, const at::Tensor& gates, const at::Tensor& ids, const RowTable& table,
                        Activation activation, bool glu);
}  // namespace plain

}  // namespace peerless
