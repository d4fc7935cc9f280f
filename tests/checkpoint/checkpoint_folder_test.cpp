#include "peerless/checkpoint/checkpoint_folder.h"

#include <gmock/gmock.h>

#include <fstream>

#include "tests/checkpoint/small_folder.h"
#include "tests/support/complaint.h"
#include "tests/support/temporary_folder.h"

namespace peerless {
namespace {

using test::complaint;
using test::Complaint;
using test::SmallRun;

class CheckpointFolderTest : public test::SmallFolder {
 protected:
  Complaint opening(std::int64_t step) {
    return complaint([&] { Checkpoint::open_verified(faulty, folder.path() / step_name(step)); });
  }
};

TEST_F(CheckpointFolderTest, WhatWasSavedIsLoadedBitForBit) {
  save(100);
  const auto checkpoint = folder.open(100);
  EXPECT_EQ(checkpoint.info(), SmallRun(100).info());
  SmallRun loaded;
  checkpoint.load(loaded.state());
  EXPECT_EQ(loaded, SmallRun(100));
}

TEST_F(CheckpointFolderTest, WorksOnADisk) {
  const TemporaryFolder temporary;
  CheckpointFolder on_disk(disk(), temporary / "runs/a/checkpoints");
  for (const std::int64_t step : {1, 2, 3, 4}) {
    SmallRun run(step);
    on_disk.save(run.state(), run.info());
    on_disk.prune(2);
  }
  EXPECT_EQ(on_disk.steps(), (std::vector<std::int64_t>{4, 3}));
  SmallRun loaded;
  on_disk.newest_intact()->load(loaded.state());
  EXPECT_EQ(loaded, SmallRun(4));
  EXPECT_EQ(disk().list(on_disk.path()), (std::vector<std::string>{"step-000000000003", "step-000000000004"}));
}

TEST_F(CheckpointFolderTest, HoldsAManifestAndTheTensorsInTheirOrder) {
  save(100);
  const auto tree = files.tree("/runs/a/checkpoints");
  ASSERT_EQ(tree.size(), 2u);
  EXPECT_EQ(tree.begin()->first, "/runs/a/checkpoints/step-000000000100/MANIFEST.json");
  EXPECT_EQ(std::next(tree.begin())->first, folder.path() / "step-000000000100" / part);
  std::vector<std::string> names;
  for (const auto& tensor : folder.open(100).manifest().tensors) names.push_back(tensor.name);
  EXPECT_EQ(names, (std::vector<std::string>{"flags", "weight", "moment", "step"}));
}

TEST_F(CheckpointFolderTest, StepsAreToldByTheirNames) {
  EXPECT_TRUE(folder.steps().empty());
  EXPECT_EQ(newest(), -1);
  for (const std::int64_t step : std::vector<std::int64_t>{0, 100, 20, 999'999'999'999}) save(step);
  for (const char* name :
       {"step-20", "step-0000000000200", "step-1000000000000", "step-00000000002x", "step--00000000020", "notes"}) {
    files.make_folder(folder.path() / name);
  }
  EXPECT_EQ(folder.steps(), (std::vector<std::int64_t>{999'999'999'999, 100, 20, 0}));
}

// ---- damage

TEST_F(CheckpointFolderTest, EveryTruncationIsRefusedAndThePreviousOneFound) {
  save(1);
  save(2);
  for (const std::string& name : {part, std::string(Manifest::kFileName)}) {
    auto& bytes = content(2, name);
    const auto whole = bytes;
    for (std::size_t size = 0; size < whole.size(); ++size) {
      bytes.resize(size);
      ASSERT_EQ(newest(), 1) << name << " cut to " << size;
      bytes = whole;
    }
    bytes += 'x';
    EXPECT_EQ(newest(), 1);
    bytes = whole;
  }
  EXPECT_EQ(newest(), 2);
}

TEST_F(CheckpointFolderTest, EveryFlippedBitIsRefusedAndThePreviousOneFound) {
  save(1);
  save(2);
  for (const std::string& name : {part, std::string(Manifest::kFileName)}) {
    auto& bytes = content(2, name);
    for (std::size_t bit = 0; bit < 8 * bytes.size(); bit += 3) {
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
      ASSERT_EQ(newest(), 1) << name << " bit " << bit;
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    }
  }
  EXPECT_EQ(newest(), 2);
}

TEST_F(CheckpointFolderTest, SaysWhatIsWrongAndWhere) {
  save(2);
  const std::string step = "/runs/a/checkpoints/step-000000000002";
  const auto whole = content(2, part);
  const auto says = [&](std::string_view text) { return Complaint{ExitCode::data, concat(step, text)}; };

  content(2, part).pop_back();
  EXPECT_EQ(opening(2), says(concat("/", part, ": expected ", whole.size(), " bytes, found ", whole.size() - 1)));
  content(2, part) = whole;
  content(2, part).back() ^= 1;
  EXPECT_EQ(opening(2), says(concat("/", part, ": changed since it was written, at bytes 0 to ", whole.size())));
  content(2, part) = whole;

  files.put(step + "/notes.txt", "");
  EXPECT_EQ(opening(2), says("/notes.txt: does not belong to the checkpoint"));
  files.remove(step + "/notes.txt");
  files.remove(step + "/" + part);
  EXPECT_EQ(opening(2), says(concat("/", part, ": missing")));
  files.make_folder(step + "/" + part);
  EXPECT_EQ(opening(2), says(concat("/", part, ": not a regular file")));
  files.remove(step + "/" + Manifest::kFileName);
  EXPECT_EQ(opening(2), says(": no checkpoint: MANIFEST.json is missing"));
  EXPECT_EQ(opening(3), (Complaint{ExitCode::no_input,
                                   "/runs/a/checkpoints/step-000000000003: no checkpoint: MANIFEST.json is missing"}));
}

TEST_F(CheckpointFolderTest, ALinkInThePlaceOfAFileIsRefused) {
  const TemporaryFolder temporary;
  CheckpointFolder on_disk(disk(), temporary / "checkpoints");
  SmallRun run(1);
  on_disk.save(run.state(), run.info());
  const auto step = on_disk.path() / step_name(1);
  const auto with_a_link = [&](const std::string& name) {
    std::filesystem::rename(step / name, temporary / name);
    std::filesystem::create_symlink(temporary / name, step / name);
    const auto found = complaint([&] { on_disk.open(1); });
    std::filesystem::rename(temporary / name, step / name);
    return found;
  };
  EXPECT_EQ(with_a_link(part), (Complaint{ExitCode::data, concat(step / part, ": not a regular file")}));
  EXPECT_EQ(with_a_link(Manifest::kFileName),
            (Complaint{ExitCode::data, concat(step, ": no checkpoint: MANIFEST.json is missing")}));
  EXPECT_NO_THROW(on_disk.open(1));
}

TEST_F(CheckpointFolderTest, AFileOfAnotherStepIsRefused) {
  save(1);
  save(2);
  std::swap(content(1, part), content(2, part));
  EXPECT_TRUE(opening(2).text.starts_with("/runs/a/checkpoints/step-000000000002/" + part + ": changed since"));
  files.rename("/runs/a/checkpoints/step-000000000001", "/runs/a/checkpoints/step-000000000003");
  std::swap(content(3, part), content(2, part));
  EXPECT_EQ(opening(3), (Complaint{ExitCode::data,
                                   "/runs/a/checkpoints/step-000000000003: holds step 1, not the step of its name"}));
}

// Hashes that fit do not help a manifest whose tensors the files do not hold.
TEST_F(CheckpointFolderTest, ManifestAndFilesMustTellTheSameTensors) {
  save(2);
  const auto manifest = folder.open(2).manifest();
  const auto with = [&](auto change) {
    auto forged = manifest;
    change(forged);
    content(2, Manifest::kFileName) = forged.text();
    return opening(2).text;
  };
  const std::string prefix = "/runs/a/checkpoints/step-000000000002/" + part + ": tensor ";
  EXPECT_EQ(with([](auto& m) { m.tensors[0].name = "other"; }), prefix + "\"other\" is not what MANIFEST.json says");
  EXPECT_EQ(with([](auto& m) { m.tensors[0].dtype = DType::i8; }), prefix + "\"flags\" is not what MANIFEST.json says");
  EXPECT_EQ(with([](auto& m) {
              std::swap(m.tensors[0].shape, m.tensors[2].shape), std::swap(m.tensors[0].slices, m.tensors[2].slices);
            }),
            prefix + "\"flags\" is not what MANIFEST.json says");
  EXPECT_EQ(with([](auto& m) { m.tensors.pop_back(); }), prefix + "\"step\" is not in MANIFEST.json");
}

TEST_F(CheckpointFolderTest, WhenNoneIsIntactItSaysSo) {
  save(1);
  save(2);
  content(1, part).pop_back();
  content(2, part).pop_back();
  EXPECT_EQ(complaint([&] { folder.newest_intact(); }),
            (Complaint{ExitCode::data,
                       "/runs/a/checkpoints: none of the 2 checkpoints is intact; move them away to begin anew"}));
}

TEST_F(CheckpointFolderTest, ABadSectorIsDamageButWantOfMemoryIsNot) {
  save(1);
  save(2);
  const auto fail_reads = [&](int error) {
    faulty.arm([&, error, bad = folder.path() / step_name(2) / part](const Operation& operation) {
      if (operation.verb == "read" && operation.path == bad) operation.fail(error);
    });
  };
  fail_reads(EIO);
  EXPECT_EQ(newest(), 1);
  EXPECT_EQ(opening(2), (Complaint{ExitCode::data, concat("/runs/a/checkpoints/step-000000000002/", part,
                                                          ": cannot read: Input/output error")}));
  for (const int error : {EUCLEAN, EBADMSG}) {
    fail_reads(error);
    EXPECT_EQ(newest(), 1);
  }
  fail_reads(ENOMEM);
  EXPECT_EQ(complaint([&] { folder.newest_intact(); }).code, ExitCode::io);
}

TEST_F(CheckpointFolderTest, ABadSectorIsFoundByWhoReadsIt) {
  save(2);
  const auto checkpoint = folder.open(2);
  SmallRun run;
  const auto loading = [&](const Hook& hook) {
    faulty.arm(hook);
    return complaint([&] { checkpoint.load_some(run.state()); });
  };
  for (const int error : {0, EIO, EUCLEAN, EBADMSG}) {
    EXPECT_EQ(loading(fail_from(1, error)).code, ExitCode::data);
    EXPECT_EQ(faulty.operations(), 2);
    EXPECT_EQ(loading(fail_at(1, error)).code, ExitCode::ok);
    EXPECT_EQ(run, SmallRun(2));
  }
  EXPECT_EQ(loading(fail_from(1, EIO)).text,
            concat("/runs/a/checkpoints/step-000000000002/", part, ": cannot read: Input/output error"));
  for (const int error : {ENOMEM, EACCES}) {
    EXPECT_EQ(loading(fail_from(1, error)).code, ExitCode::io);
    EXPECT_EQ(faulty.operations(), 1);
  }
}

TEST_F(CheckpointFolderTest, OneOfANewerVersionEndsTheSearch) {
  save(1);
  save(2);
  auto& text = content(2, Manifest::kFileName);
  constexpr std::string_view kVersion = "\"version\": 2", kDigest = " \"digest\": \"";
  text.replace(text.find(kVersion), kVersion.size(), "\"version\": 3");
  const auto at = text.rfind(kDigest);
  text.replace(at + kDigest.size(), 32, digest(text.substr(0, at)).hex());
  EXPECT_EQ(complaint([&] { folder.newest_intact(); }),
            (Complaint{ExitCode::data,
                       "/runs/a/checkpoints/step-000000000002/MANIFEST.json: format version 3, written by a newer "
                       "peerless; this one reads version 2"}));
}

TEST_F(CheckpointFolderTest, ADiskThatFailsOnceIsAskedAgain) {
  save(1);
  save(2);
  for (int operation = 1;; ++operation) {
    faulty.arm(fail_at(operation, EIO));
    std::int64_t found = 0;
    const auto failure = complaint([&] { found = newest(); });
    if (faulty.operations() < operation) break;
    EXPECT_TRUE(found == 2 || failure.code == ExitCode::io) << "operation " << operation << ": " << found;
  }
}

// A program of before wrote it, with no checksums of blocks.
TEST(CheckpointOfVersion1, IsReadAndVerified) {
  const TemporaryFolder temporary;
  std::filesystem::copy("tests/checkpoint/version_1", temporary.path(), std::filesystem::copy_options::recursive);
  const auto folder = temporary / step_name(7);
  FaultyFiles faulty(disk());
  SmallRun loaded;
  const auto checkpoint = Checkpoint::open(faulty, folder);
  checkpoint.load(loaded.state());
  EXPECT_EQ(loaded, SmallRun(7));
  faulty.arm(fail_at(1, EIO));
  EXPECT_NO_THROW(checkpoint.load(loaded.state()));
  faulty.arm(fail_from(1, EIO));
  EXPECT_EQ(complaint([&] { checkpoint.load(loaded.state()); }).code, ExitCode::data);

  const auto file = folder / "state-00000-of-00001.safetensors";
  std::fstream(file, std::ios::in | std::ios::out | std::ios::binary).seekp(300).put('x');
  EXPECT_THAT(complaint([&] { Checkpoint::open(disk(), folder); }).text,
              ::testing::HasSubstr("expected XXH3 8d283701"));
}

// Several blocks: what is read is compared, and nothing else.
TEST_F(CheckpointFolderTest, DamageIsFoundByWhoReadsIt) {
  constexpr std::int64_t kNumbers = 400'000;
  std::vector<double> a(kNumbers, 1.0), b(kNumbers, 2.0);
  const auto state_of = [](std::vector<double>& values, const char* name) {
    State state;
    state.add(name, DType::f64, {kNumbers}, std::as_writable_bytes(std::span(values)));
    return state;
  };
  auto state = state_of(a, "a");
  state.add(state_of(b, "b"));
  folder.save(state, SmallRun(1).info());
  content(1, part)[5 << 20] ^= 1;
  const auto checkpoint = folder.open(1);
  EXPECT_NO_THROW(checkpoint.load_some(state_of(a, "a")));
  EXPECT_EQ(complaint([&] { checkpoint.load_some(state_of(b, "b")); }),
            (Complaint{ExitCode::data, concat(folder.path().string(), "/", step_name(1), "/", part,
                                              ": changed since it was written, at bytes 5242880 to 6291456")}));
  EXPECT_EQ(complaint([&] { checkpoint.verify(); }).code, ExitCode::data);
}

// ---- loading into another state

TEST_F(CheckpointFolderTest, AStateOfAnotherMakeIsRefusedAndStaysAsItWas) {
  save(2);
  const auto checkpoint = folder.open(2);
  SmallRun run;
  const auto loading = [&](State state) { return complaint([&] { checkpoint.load(state); }); };
  const auto says = [&](std::string_view text) {
    return Complaint{ExitCode::config, concat("/runs/a/checkpoints/step-000000000002: ", text)};
  };
  std::int64_t extra = 0;
  auto more = run.state();
  more.add("extra", extra);
  EXPECT_EQ(loading(std::move(more)),
            says("holds no tensor \"extra\"; the checkpoint is of another architecture or optimizer"));

  State fewer;
  fewer.add("step", run.step);
  EXPECT_EQ(loading(std::move(fewer)),
            says("tensor \"flags\" has no place in this run; the checkpoint is of another architecture or optimizer"));

  State other;
  other.add("step", run.step);
  other.add("weight", DType::f32, {3, 4}, std::as_writable_bytes(std::span(run.weight)));
  EXPECT_EQ(complaint([&] { checkpoint.load_some(other); }),
            says("tensor \"weight\": expected F32 [3, 4], found F32 [4, 3]"));
  State typed;
  typed.add("weight", DType::i32, {4, 3}, std::as_writable_bytes(std::span(run.weight)));
  EXPECT_EQ(complaint([&] { checkpoint.load_some(typed); }),
            says("tensor \"weight\": expected I32 [4, 3], found F32 [4, 3]"));
  EXPECT_EQ(run, SmallRun());
}

TEST_F(CheckpointFolderTest, APartOfTheTensorsMayBeLoaded) {
  save(2);
  SmallRun run;
  State weights;
  weights.add("weight", DType::f32, {4, 3}, std::as_writable_bytes(std::span(run.weight)));
  folder.open(2).load_some(weights);
  EXPECT_EQ(run.weight, SmallRun(2).weight);
  EXPECT_EQ(run.moment, SmallRun().moment);
}

// ---- what a path means

TEST_F(CheckpointFolderTest, IsFoundByItsRunItsFolderOrItself) {
  save(1);
  save(2);
  for (const char* path : {"/runs/a", "/runs/a/checkpoints", "/runs/a/checkpoints/step-000000000002"}) {
    EXPECT_EQ(find_checkpoint(files, path).info().step, 2);
  }
  EXPECT_EQ(find_checkpoint(files, "/runs/a/checkpoints/step-000000000001").info().step, 1);
  files.remove("/runs/a/checkpoints/step-000000000001/MANIFEST.json");
  EXPECT_EQ(complaint([&] { find_checkpoint(files, "/runs/a/checkpoints/step-000000000001/"); }).code, ExitCode::data);
  EXPECT_EQ(
      complaint([&] { find_checkpoint(files, "/runs/b"); }),
      (Complaint{ExitCode::no_input,
                 "/runs/b: no checkpoint here; name a run's folder, its checkpoints/, or one step-* folder in it"}));
}

TEST_F(CheckpointFolderTest, AFileIsNoneWhateverItHolds) {
  const TemporaryFolder temporary;
  std::ofstream(temporary / "model.pt") << "PK";
  std::filesystem::create_symlink("model.pt", temporary / "latest");
  for (const auto* const name : {"model.pt", "latest"})
    EXPECT_EQ(complaint([&] { find_checkpoint(disk(), temporary / name); }),
              (Complaint{ExitCode::data, concat(temporary / name,
                                                ": is a file, and no folder of checkpoints; name a run's folder, its "
                                                "checkpoints/, or one step-* folder in it (.pt, .bin, .ckpt and "
                                                "archives are never opened)")}));
}

}  // namespace
}  // namespace peerless
