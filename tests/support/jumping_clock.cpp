// A wall clock that is ten years ahead and ten years behind by turns, for programs that it is preloaded into.
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <atomic>

namespace {

time_t jumped(time_t now) {
  constexpr time_t kTenYears = 10L * 365 * 24 * 60 * 60;
  static std::atomic<unsigned> asked = 0;
  return asked++ % 2 == 0 ? now + kTenYears : now - kTenYears;
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* now) noexcept {
  const auto status = static_cast<int>(syscall(SYS_clock_gettime, clock, now));
  if (status == 0 && clock == CLOCK_REALTIME) now->tv_sec = jumped(now->tv_sec);
  return status;
}

int gettimeofday(timeval* now, void* /*zone*/) noexcept {
  timespec fine{};
  const int status = clock_gettime(CLOCK_REALTIME, &fine);
  *now = {fine.tv_sec, fine.tv_nsec / 1000};
  return status;
}

time_t time(time_t* now) noexcept {
  timespec fine{};
  clock_gettime(CLOCK_REALTIME, &fine);
  if (now != nullptr) *now = fine.tv_sec;
  return fine.tv_sec;
}

}  // extern "C"
