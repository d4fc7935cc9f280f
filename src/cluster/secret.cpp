#include "peerless/cluster/secret.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "peerless/base/error.h"

namespace peerless {
namespace {

constexpr std::size_t kLeast = 16, kMost = 4096;  // bytes

std::string read_file(const std::string& path) {
  const auto refuse = [&](const auto&... why) {
    return Error(ExitCode::config, "PEERLESS_SECRET_FILE: ", printable(path), ": ", why...);
  };
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a pipe must not make it wait
  if (file < 0) throw refuse(std::strerror(errno));
  struct stat status {};
  std::array<char, kMost + 1> bytes;
  const bool known = fstat(file, &status) == 0;
  const auto size = known && S_ISREG(status.st_mode) ? read(file, bytes.data(), bytes.size()) : -1;
  close(file);
  if (size < 0) throw refuse("is no file that can be read");
  if (status.st_uid != geteuid()) throw refuse("belongs to another user");
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) throw refuse("others may use it; chmod 600");
  std::string secret(bytes.data(), static_cast<std::size_t>(size));
  secret.resize(secret.find_last_not_of(" \t\r\n") + 1);
  return secret;
}

}  // namespace

std::string find_secret(const Environment& environment) {
  const auto value = environment("PEERLESS_SECRET");
  const auto file = environment("PEERLESS_SECRET_FILE");
  if (!value && !file) return "";
  if (value && file) throw Error(ExitCode::config, "PEERLESS_SECRET and PEERLESS_SECRET_FILE are both set; unset one");
  const std::string secret = file ? read_file(*file) : *value;
  if (secret.size() < kLeast || secret.size() > kMost)
    throw Error(ExitCode::config, file ? "PEERLESS_SECRET_FILE: " + printable(*file) : "PEERLESS_SECRET", ": has ",
                secret.size() > kMost ? "more than 4096" : std::to_string(secret.size()),
                " bytes, a secret has 16 to 4096; `openssl rand -hex 32` makes one");
  return secret;
}

}  // namespace peerless
