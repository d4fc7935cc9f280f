#include "peerless/checkpoint/save.h"

#include <gtest/gtest.h>

#include "peerless/base/random.h"
#include "peerless/checkpoint/checkpoint_folder.h"
#include "tests/checkpoint/small_state.h"
#include "tests/support/complaint.h"
#include "tests/support/faulty_files.h"
#include "tests/support/memory_files.h"

namespace peerless {
namespace {

using test::complaint;
using test::Complaint;
using test::SmallRun;

const std::filesystem::path kFolder = "/runs/checkpoints";

class SaveTest : public testing::Test {
 protected:
  void save(Files& files, std::int64_t step) {
    SmallRun run(step);
    CheckpointFolder(files, kFolder).save(run.state(), run.info());
  }

  // The step that a later process finds, its content checked.
  std::int64_t newest(Files& files) {
    const auto checkpoint = CheckpointFolder(files, kFolder).newest_intact();
    if (!checkpoint) return -1;
    SmallRun run;
    checkpoint->load(run.state());
    EXPECT_EQ(run, SmallRun(run.step));
    return run.step;
  }

  // Whether `action` came to its end.
  template <class Action>
  bool completes(const Action& action) {
    try {
      action();
      return true;
    } catch (const Error&) {
      return false;
    }
  }

  const std::vector<Loss> losses = {Loss::nothing, Loss::unsynced_data, Loss::unsynced_names, Loss::unsynced};
};

TEST_F(SaveTest, KilledOrWithoutPowerAtAnyOperationLeavesTheOldOneOrTheNew) {
  int last = 0;
  for (const Loss loss : losses) {
    for (int operation = 1;; ++operation) {
      MemoryFiles files;
      save(files, 1);
      FaultyFiles dying(files);
      dying.arm(fail_from(operation, EIO));
      const bool durable = completes([&] { save(dying, 2); });
      files.crash(loss);
      const auto found = newest(files);
      ASSERT_TRUE(found == 2 || (found == 1 && !durable)) << "operation " << operation << ": found " << found;
      save(files, 3);  // whatever lies about, the next save succeeds and clears it away
      ASSERT_EQ(newest(files), 3);
      for (const auto& name : files.list(kFolder)) ASSERT_TRUE(name.starts_with("step-")) << name;
      if (durable) {
        last = operation;
        break;
      }
    }
  }
  EXPECT_GT(last, 15);  // operations were indeed counted
}

TEST_F(SaveTest, TheFirstOneEverIsWholeOrAbsent) {
  for (const Loss loss : losses) {
    for (int operation = 1;; ++operation) {
      MemoryFiles files;
      FaultyFiles dying(files);
      dying.arm(fail_from(operation, EIO));
      const bool durable = completes([&] { save(dying, 1); });
      files.crash(loss);
      const auto found = newest(files);
      ASSERT_TRUE(found == 1 || (found == -1 && !durable)) << "operation " << operation;
      if (durable) break;
    }
  }
}

TEST_F(SaveTest, AFullDiskAtAnyOperationLeavesEverythingAsItWas) {
  for (int operation = 1;; ++operation) {
    MemoryFiles files;
    save(files, 1);
    const auto before = files.tree(kFolder);
    FaultyFiles full(files);
    full.arm(fail_at(operation, ENOSPC));
    const auto failure = complaint([&] { save(full, 2); });
    if (failure.code == ExitCode::ok) break;
    EXPECT_EQ(failure.code, ExitCode::io);
    EXPECT_TRUE(failure.text.ends_with("No space left on device")) << failure.text;
    ASSERT_TRUE(files.tree(kFolder) == before) << "operation " << operation;
    save(files, 2);
    ASSERT_EQ(newest(files), 2);
  }
}

class DyingRetention : public SaveTest {
 protected:
  // Two of four checkpoints are removed on a disk that dies at one operation after another; then power is lost.
  template <class HowPowerIsLost, class Expect>
  void die_at_each_operation(const HowPowerIsLost& loss, const Expect& expect) {
    for (int operation = 1;; ++operation) {
      SCOPED_TRACE(operation);
      MemoryFiles files;
      for (const std::int64_t step : {1, 2, 3, 4}) save(files, step);
      FaultyFiles dying(files);
      dying.arm(fail_from(operation, EIO));
      completes([&] { CheckpointFolder(dying, kFolder).prune(2); });
      files.crash(loss);
      CheckpointFolder folder(files, kFolder);
      expect(folder);
      if (HasFatalFailure() || dying.operations() < operation) return;
    }
  }
};

TEST_F(DyingRetention, KeepsWhatIsToBeKept) {
  for (const Loss loss : losses) {
    die_at_each_operation(loss, [](CheckpointFolder& folder) {
      ASSERT_NO_THROW(folder.open(4).verify());
      ASSERT_NO_THROW(folder.open(3).verify());
      folder.prune(2);
      ASSERT_EQ(folder.steps(), (std::vector<std::int64_t>{4, 3}));
    });
  }
}

// After a loss of power some of the names that were removed are there again, and others are not.
TEST_F(DyingRetention, LeavesNoCheckpointThatIsHalfThere) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    die_at_each_operation(seed, [](const CheckpointFolder& folder) {
      const auto steps = folder.steps();
      ASSERT_GE(steps.size(), 2u);
      for (const auto step : steps) ASSERT_NO_THROW(folder.open(step).verify()) << "step " << step;
    });
  }
}

TEST_F(SaveTest, TooLittleRoomIsSaidBeforeAnythingIsWritten) {
  MemoryFiles files;
  save(files, 1);
  const auto before = files.tree(kFolder);
  files.free = 80;
  EXPECT_EQ(complaint([&] { save(files, 2); }),
            (Complaint{ExitCode::io,
                       "/runs/checkpoints: the checkpoint of step 2 needs 82 B of disk space, 80 B are free; "
                       "the checkpoints before it are untouched"}));
  EXPECT_EQ(files.tree(kFolder), before);
}

TEST_F(SaveTest, AManifestThatNobodyWouldReadIsAFailure) {
  MemoryFiles files;
  FaultyFiles padding(files);
  padding.arm([&](const Operation& operation) {
    if (operation.verb == "open" && operation.path.filename() == Manifest::kFileName)
      files.content(operation.path).resize(Manifest::kMaxBytes + 1);
  });
  EXPECT_EQ(complaint([&] { save(padding, 1); }),
            (Complaint{ExitCode::io,
                       "/runs/checkpoints/.tmp-step-000000000001-r1/MANIFEST.json: must not exceed 268435456 bytes, "
                       "got 268435457"}));
  EXPECT_TRUE(files.list(kFolder).empty());
}

TEST_F(SaveTest, TheSameStateTwiceIsFine) {
  MemoryFiles files;
  save(files, 1);
  const auto before = files.tree(kFolder);
  save(files, 1);
  EXPECT_EQ(files.tree(kFolder), before);
}

TEST_F(SaveTest, ADamagedCheckpointOfTheStepIsReplacedAnIntactOneIsNot) {
  MemoryFiles files;
  save(files, 1);
  SmallRun other(1);
  other.weight[3] = 7;
  const auto save_other = [&] { CheckpointFolder(files, kFolder).save(other.state(), other.info()); };
  EXPECT_EQ(complaint(save_other),
            (Complaint{ExitCode::output,
                       "/runs/checkpoints/step-000000000001: another intact checkpoint of this step is here "
                       "already; remove it to save this one"}));
  EXPECT_EQ(newest(files), 1);

  files.content(kFolder / "step-000000000001/state-00000-of-00001.safetensors").pop_back();
  save_other();
  SmallRun loaded;
  CheckpointFolder(files, kFolder).open(1).load(loaded.state());
  EXPECT_EQ(loaded, other);
}

TEST_F(SaveTest, LargeTensorsGoInPieces) {
  MemoryFiles files;
  std::vector<float> table(3'000'000);
  State state;
  state.add("table", DType::f32, {3'000'000}, std::as_writable_bytes(std::span(table)));
  CheckpointFolder(files, kFolder).save(state, SmallRun(1).info());
  EXPECT_EQ(files.most_at_once, StoredFile::kBlockBytes);
}

TEST_F(SaveTest, ARunIdThatIsNoFileNameIsABrokenInvariant) {
  MemoryFiles files;
  auto info = SmallRun(1).info();
  info.run = "../elsewhere";
  EXPECT_THROW(Save(files, kFolder, info), BrokenInvariant);
}

// ---- several processes

// A [rows, columns] table of which a process holds a box; element (r, c) is 10000 r + c.
struct Holding {
  Box box;
  Shape shape;
  std::vector<float> values;

  Holding(Box held, bool filled, Shape shape_ = {6, 4})
      : box(std::move(held)), shape(std::move(shape_)), values(static_cast<std::size_t>(volume(box.extent)), -1) {
    std::size_t i = 0;
    for (auto r = box.offset[0]; filled && r < box.offset[0] + box.extent[0]; ++r) {
      for (auto c = box.offset[1]; c < box.offset[1] + box.extent[1]; ++c)
        values[i++] = static_cast<float>(10000 * r + c);
    }
  }

  State state() {
    State state;
    state.add({"table", DType::f32, shape, box.offset, box.extent, std::as_writable_bytes(std::span(values)), nullptr});
    return state;
  }
};

const std::vector<std::vector<Box>> kLayouts = {
    {{{0, 0}, {6, 4}}},
    {{{0, 0}, {3, 4}}, {{3, 0}, {3, 4}}},
    {{{0, 0}, {6, 1}}, {{0, 1}, {6, 3}}},
    {{{0, 0}, {2, 4}}, {{2, 0}, {4, 2}}, {{2, 2}, {4, 2}}, {{6, 0}, {0, 4}}},
};

void save_as(MemoryFiles& files, const std::vector<Box>& layout, const Shape& shape = {6, 4}) {
  Save save(files, kFolder, SmallRun(1).info());
  save.begin(0);
  std::vector<SavedPart> parts;
  for (std::size_t i = 0; i < layout.size(); ++i) {
    Holding holding(layout[i], true, shape);
    parts.push_back(
        write_part(files, save.temporary(), holding.state(), static_cast<int>(i), static_cast<int>(layout.size())));
  }
  save.commit(parts);
}

TEST_F(SaveTest, AnyCutIntoProcessesIsReadByAnyOther) {
  for (const auto& saved : kLayouts) {
    MemoryFiles files;
    save_as(files, saved);
    const auto checkpoint = CheckpointFolder(files, kFolder).open(1);
    EXPECT_EQ(checkpoint.manifest().files.size(), saved.size());
    for (const auto& wanted : kLayouts) {
      for (const auto& box : wanted) {
        Holding holding(box, false);
        checkpoint.load(holding.state());
        EXPECT_EQ(holding.values, Holding(box, true).values);
      }
    }
  }
}

// Columns of a row are a few hundred bytes, or some thousand; the table is larger than what is read at once.
TEST_F(SaveTest, ColumnsOfALargeTableAreReadByAnyOther) {
  const Shape shape{1000, 9000};
  const std::vector<std::vector<Box>> layouts = {
      {{{0, 0}, {1000, 9000}}},
      {{{0, 0}, {1000, 100}}, {{0, 100}, {1000, 8900}}},
      {{{0, 0}, {1000, 4500}}, {{0, 4500}, {1000, 4500}}},
  };
  for (const auto& saved : layouts) {
    MemoryFiles files;
    save_as(files, saved, shape);
    const auto checkpoint = CheckpointFolder(files, kFolder).open(1);
    for (const auto& wanted : layouts) {
      for (const auto& box : wanted) {
        Holding holding(box, false, shape);
        checkpoint.load(holding.state());
        EXPECT_TRUE(holding.values == Holding(box, true, shape).values);
      }
    }
  }
}

TEST_F(SaveTest, SlicesThatLeaveAHoleAreABrokenInvariant) {
  MemoryFiles files;
  EXPECT_THROW(save_as(files, {{{0, 0}, {3, 4}}}), BrokenInvariant);
  EXPECT_THROW(save_as(files, {{{0, 0}, {4, 4}}, {{3, 0}, {3, 4}}}), BrokenInvariant);
}

// Process 0 of two, of which the other says one thing after another, whatever it is asked.
class BesideAScript final : public Peers {
 public:
  explicit BesideAScript(std::vector<std::string> said) : said_(std::move(said)) {}
  std::int64_t rank() const override { return 0; }
  std::int64_t world_size() const override { return 2; }
  std::vector<std::string> collect(const std::string& here) override { return {here, said_.at(next_++)}; }
  std::string announce(const std::string& here) override { return here; }

 private:
  std::vector<std::string> said_;
  std::size_t next_ = 0;
};

TEST_F(SaveTest, AProcessThatTellsWhatNoneWritesFailsTheSave) {
  const auto save_beside = [&](std::vector<std::string> said) {
    MemoryFiles files;
    BesideAScript peers(std::move(said));
    SmallRun run(1);
    const auto found = complaint([&] { save_together(peers, files, kFolder, run.state(), run.info()); });
    EXPECT_TRUE(!exists(files, kFolder) || files.list(kFolder).empty());
    return found;
  };
  EXPECT_EQ(save_beside({"-1", ""}),
            (Complaint{ExitCode::peer, "process 1: expected the size of its state in bytes, got \"-1\""}));
  EXPECT_EQ(save_beside({"many", ""}).code, ExitCode::peer);
  EXPECT_EQ(save_beside({"8", "", "", "{}", ""}).code, ExitCode::peer);
  const auto of_a_file = [](const std::string& name) { return to_text({{name, 8, {1, 2}, {3}}, {}}); };
  EXPECT_EQ(save_beside({"8", "", "", of_a_file("../a"), ""}),
            (Complaint{ExitCode::peer, "process 1 wrote ../a, not state-00001-of-00002.safetensors"}));
}

}  // namespace
}  // namespace peerless
