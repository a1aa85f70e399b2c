#include "object/worker.h"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

namespace ring3 {
namespace {

struct Note : Worker::Item {
  explicit Note(std::vector<int>& to, int number) : into(to), value(number) {
    run = [](Item* item) noexcept {
      auto* note = static_cast<Note*>(item);
      note->into.push_back(note->value);
    };
  }
  std::vector<int>& into;
  int value;
};

TEST(WorkerTest, RunsInOrder) {
  std::vector<int> seen;
  Note a(seen, 1), b(seen, 2), c(seen, 3);
  Worker worker;
  ASSERT_TRUE(worker.start().ok());
  ASSERT_TRUE(worker.start().ok()) << "twice is once";
  worker.post(&a);
  worker.post(&b);
  worker.post(&c);
  worker.drain();
  EXPECT_EQ(seen, (std::vector<int>{1, 2, 3}));
}

TEST(WorkerTest, TheEndRunsWhatIsLeft) {
  std::vector<int> seen;
  std::vector<Note> notes;
  for (int i = 0; i < 100; ++i) notes.emplace_back(seen, i);
  {
    Worker worker;
    ASSERT_TRUE(worker.start().ok());
    for (Note& note : notes) worker.post(&note);
  }
  EXPECT_EQ(seen.size(), 100u);
}

TEST(WorkerTest, AnItemPostsAnother) {
  struct Chain : Worker::Item {
    Worker* worker = nullptr;
    int left = 5;
    std::atomic<int> ran{0};
  } chain;
  Worker worker;
  chain.worker = &worker;
  chain.run = [](Worker::Item* item) noexcept {
    auto* self = static_cast<Chain*>(item);
    ++self->ran;
    if (--self->left > 0) self->worker->post(self);
  };
  ASSERT_TRUE(worker.start().ok());
  worker.post(&chain);
  worker.stop();
  EXPECT_EQ(chain.ran, 5);
}

TEST(WorkerTest, WithoutAThreadItRunsAtOnce) {
  std::vector<int> seen;
  Note a(seen, 1), b(seen, 2);
  Worker worker;
  worker.post(&a);
  EXPECT_EQ(seen, (std::vector<int>{1}));
  ASSERT_TRUE(worker.start().ok());
  worker.stop();
  worker.post(&b);
  EXPECT_EQ(seen, (std::vector<int>{1, 2}));
}

}  // namespace
}  // namespace ring3
