#include <headrace/exec/process_spawn.hpp>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>

extern char** environ;  // NOLINT(readability-redundant-declaration): no header has it

namespace headrace::exec {
namespace {

// What posix_spawn needs, in one lifetime.
struct plan {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;

    plan(int channel, int claims) {
        posix_spawn_file_actions_init(&files);
        posix_spawnattr_init(&attributes);
        // Onto itself: that clears close-on-exec in the child alone.
        posix_spawn_file_actions_adddup2(&files, channel, channel);
        posix_spawn_file_actions_adddup2(&files, claims, claims);
        posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        sigset_t none, reset;
        sigemptyset(&none);
        sigemptyset(&reset);
        sigaddset(&reset, SIGTERM);
        sigaddset(&reset, SIGCHLD);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setsigdefault(&attributes, &reset);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    }
    ~plan() {
        posix_spawn_file_actions_destroy(&files);
        posix_spawnattr_destroy(&attributes);
    }
    plan(const plan&) = delete;
    plan& operator=(const plan&) = delete;
};

// As the C interface wants them; it changes nothing.
std::vector<char*> pointers_to(const std::vector<std::string>& words) {
    std::vector<char*> out;
    for (const auto& word : words) out.push_back(const_cast<char*>(word.c_str()));
    out.push_back(nullptr);
    return out;
}

}  // namespace

failure spawn_process(const std::vector<std::string>& command, const std::vector<std::string>& environment, int channel,
                      int claims, pid_t& pid) {
    std::vector<std::string> words = command;
    words.push_back(std::to_string(channel));
    words.push_back(std::to_string(claims));
    const auto arguments = pointers_to(words);
    const auto variables = pointers_to(environment);
    const plan how(channel, claims);
    const int error = ::posix_spawnp(&pid, arguments[0], &how.files, &how.attributes, arguments.data(),
                                     environment.empty() ? environ : variables.data());
    if (error == 0) return {};
    return failure::of(errc::io_error, "cannot start " + command[0] + ": " + std::strerror(error));
}

bool reap_process(pid_t pid, std::string& how) {
    int status = 0;
    const pid_t got = ::waitpid(pid, &status, WNOHANG);
    if (got == 0 || (got < 0 && errno == EINTR)) return false;
    if (got < 0) {
        how = "ended, and somebody else took its exit status";  // SIGCHLD is ignored, or waitpid(-1) somewhere
    } else if (WIFSIGNALED(status)) {
        const int signal = WTERMSIG(status);
        how = "was killed by signal " + std::to_string(signal) + " (" + ::strsignal(signal) + ")";
    } else {
        how = "exited with status " + std::to_string(WEXITSTATUS(status));
    }
    return true;
}

std::uint64_t resident_bytes(pid_t pid) {
    const std::string path = "/proc/" + std::to_string(pid) + "/statm";
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    std::array<char, 128> text{};
    const ssize_t n = ::read(fd, text.data(), text.size());
    ::close(fd);
    const std::string_view words(text.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
    const auto space = words.find(' ');
    if (space == std::string_view::npos) return 0;
    std::uint64_t pages = 0;
    std::from_chars(words.data() + space + 1, words.data() + words.size(), pages);
    return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace headrace::exec
