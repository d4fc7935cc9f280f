// What the two halves of an operator share beside tensors: one value of any type.
#pragma once

#include <torch/csrc/autograd/custom_function.h>
#include <torch/custom_class.h>

#include <utility>

namespace peerless {

template <class T>
struct Remembered : torch::CustomClassHolder {
  explicit Remembered(T value_) : value(std::move(value_)) {}
  const T value;
};

template <class T>
void remember(torch::autograd::AutogradContext* context, T value) {
  context->saved_data["remembered"] = c10::IValue::make_capsule(c10::make_intrusive<Remembered<T>>(std::move(value)));
}

// It lives as long as the context.
template <class T>
const T& recall(torch::autograd::AutogradContext* context) {
  return c10::static_intrusive_pointer_cast<Remembered<T>>(context->saved_data["remembered"].toCapsule())->value;
}

}  // namespace peerless
