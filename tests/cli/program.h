// The program as its user runs it: started in a folder, waited for, killed.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <ostream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace peerless::test {

namespace fs = std::filesystem;

inline std::string content(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

inline void write(const fs::path& file, const std::string& text) { std::ofstream(file, std::ios::binary) << text; }

struct Outcome {
  int code;  // exit code, or 128 + the signal that killed it
  std::string out, err;
};

inline std::ostream& operator<<(std::ostream& stream, const Outcome& o) {
  return stream << "exit " << o.code << "\n--- out\n" << o.out << "--- err\n" << o.err;
}

// A program beside the test program: both come from one build.
inline fs::path program(const char* name = "peerless") {
  return fs::read_symlink("/proc/self/exe").parent_path() / name;
}

// A process of the program, in `folder`.
class Process {
 public:
  // `prepare` is what the process does before it becomes the program.
  Process(const fs::path& folder, const std::vector<std::string>& arguments, const char* name = "peerless",
          const std::function<void()>& prepare = {})
      : out_(unique(folder, "out")), err_(unique(folder, "err")) {
    std::vector<char*> argv{const_cast<char*>("peerless")};
    for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    const std::string path = program(name).string();
    pid_ = fork();
    if (pid_ != 0) return;
    if (chdir(folder.c_str()) != 0) _exit(127);
    dup2(open(out_.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0600), STDOUT_FILENO);
    dup2(open(err_.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0600), STDERR_FILENO);
    if (prepare) prepare();
    execv(path.c_str(), argv.data());
    _exit(127);
  }

  pid_t id() const { return pid_; }
  std::string printed() const { return content(err_); }  // to standard error, so far
  void signal(int number) const { kill(pid_, number); }

  // Whether `text` appears in what it prints to standard error, within a minute and before it ends.
  bool prints(const std::string& text) const {
    using namespace std::chrono_literals;
    for (int i = 0; i < 6000; ++i, std::this_thread::sleep_for(10ms)) {
      const bool over = ended();
      if (content(err_).find(text) != std::string::npos) return true;
      if (over) return false;
    }
    return false;
  }
  bool ended() const {
    siginfo_t end{};
    waitid(P_PID, static_cast<id_t>(pid_), &end, WEXITED | WNOHANG | WNOWAIT);
    return end.si_pid == pid_;
  }

  Outcome wait() const {
    int status = 0;
    waitpid(pid_, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), content(out_), content(err_)};
  }

 private:
  static fs::path unique(const fs::path& folder, const char* what) {
    static int number = 0;
    return folder / (".process-" + std::to_string(++number) + "." + what);
  }
  fs::path out_, err_;
  pid_t pid_;
};

inline Outcome run(const fs::path& folder, const std::vector<std::string>& arguments) {
  return Process(folder, arguments).wait();
}

}  // namespace peerless::test
