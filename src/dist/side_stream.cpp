#include "src/dist/side_stream.h"

#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

namespace peerless {
namespace {

c10::Stream current_stream(c10::Device device) { return c10::impl::VirtualGuardImpl(device.type()).getStream(device); }

}  // namespace

SideStream::SideStream(c10::Device device) : device_(device) {
  if (!device.is_cpu()) stream_ = c10::impl::VirtualGuardImpl(device.type()).getStreamFromGlobalPool(device);
}

SideStream::Mark SideStream::mark() const {
  if (!stream_) return nullptr;
  auto event = std::make_shared<c10::Event>(device_.type());
  event->record(current_stream(device_));
  return event;
}

void SideStream::run_after(const Mark& mark, const std::function<void()>& work) {
  if (!stream_) return work();
  const c10::StreamGuard guard(*stream_);
  mark->block(*stream_);
  work();
}

void SideStream::join() const {
  if (!stream_) return;
  c10::Event done(device_.type());
  done.record(*stream_);
  done.block(current_stream(device_));
}

}  // namespace peerless
