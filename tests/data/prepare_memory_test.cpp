// Preparing takes bounded memory: in a process of its own, whose peak is that of this work.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "peerless/data/prepare.h"
#include "tests/data/shards.h"
#include "tests/support/temporary_folder.h"

namespace peerless {
namespace {

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // their own memory is many times that
void write_lines(const Path& file, int mebibytes) {
  std::ofstream out(file, std::ios::binary);
  for (int i = 0; i < 256 * mebibytes; ++i)
    out << "{\"id\": " << i << ", \"text\": \"" << std::string(4060, 'x') << "\"}\n";
}

// The exit status of the child: 0 when all documents were prepared.
int prepare_in(const Path& folder, std::int64_t documents) {
  const auto tokenizer = open_tokenizer(ByteConfig{});
  PrepareOptions options{.sources = {{(folder / "in.jsonl").string()}}, .train = folder / "train"};
  options.threads = 4;
  return prepare(disk(), *tokenizer, options).train.documents == documents ? 0 : 1;
}

TEST(PrepareMemory, IsBoundedWhateverTheSizeOfTheText) {
  constexpr int kText = 220;  // MiB; its tokens take four times that
  TemporaryFolder folder;
  write_lines(folder / "in.jsonl", kText);
  const pid_t child = ::fork();
  if (child == 0) ::_exit(prepare_in(folder.path(), 256 * kText));
  int status = 0;
  rusage usage{};
  ASSERT_EQ(::wait4(child, &status, 0, &usage), child);
  EXPECT_EQ(status, 0);
  const auto peak = usage.ru_maxrss / 1024;
  EXPECT_LT(peak, 450) << "64 MiB of text, 256 MiB of tokens, and what this process had before";
}
#endif

}  // namespace
}  // namespace peerless
