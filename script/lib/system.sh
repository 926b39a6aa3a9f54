# System packages: which ones this machine needs, which of them are missing, and how to get them.
# Sourced by script/bootstrap, which sets `log` and defines `step` and `say`.

supported_systems="Debian 12 and Ubuntu 24.04"

# system_id: "debian 12", "ubuntu 24.04", ...; empty when the machine does not say.
system_id() {
    ( . "${OS_RELEASE:-/etc/os-release}" 2>/dev/null && printf '%s %s\n' "${ID:-}" "${VERSION_ID:-}" )
}

# python_packages <python>: what is missing to make a virtual environment and to build a module for it.
python_packages() {
    if ! command -v "$1" >/dev/null; then
        [ "$1" = python3 ] && echo python3 python3-venv python3-dev
        return 0
    fi
    "$1" -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
    "$1" -c 'import os, sysconfig as s; os.stat(os.path.join(s.get_path("include"), "Python.h"))' 2>/dev/null ||
        echo python3-dev
}

# build_packages <system>: what building headrace and the quickstart need.
build_packages() {
    echo g++ cmake ninja-build pkg-config libssl-dev libhiredis-dev libxxhash-dev libsqlite3-dev redis-server
    case $1 in
        "debian 12") echo libboost1.81-dev ;;   # plain libboost-dev is 1.74 there
        *) echo libboost-dev ;;
    esac
}

# test_packages <system>: what the tests, sanitizers and comparisons use on top.
test_packages() {
    echo ccache mold clang-14 libclang-rt-14-dev llvm-14 libgtest-dev libgmock-dev libbenchmark-dev
    echo wrk siege hey                          # the load generators that ours is compared with
    echo slowhttptest                           # attacks that the HTTP server must survive
    echo iproute2                               # tests in a network of their own
    case $1 in
        "debian 12") echo chromium ;;           # Ubuntu has it as a snap only; without it screenshots are skipped
    esac
}

# not_installed <package...>: those that dpkg does not know as installed.
not_installed() {
    local have
    have=" $(dpkg-query -W -f '${db:Status-Abbrev}:${Package} ' "$@" 2>/dev/null || true)"
    local name
    for name in "$@"; do
        case $have in *" ii :$name "*) ;; *) echo "$name" ;; esac
    done
}

# as_root <command...>: as it is for root, through sudo for others; without a terminal sudo may not ask.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif [ -t 2 ]; then
        sudo "$@"
    else
        sudo -n "$@"
    fi
}

# may_become_root: whether as_root will work. On a terminal sudo asks for the password here, before the log is opened.
may_become_root() {
    [ "$(id -u)" = 0 ] && return 0
    command -v sudo >/dev/null || return 1
    if [ -t 2 ]; then sudo -v; else sudo -n true 2>/dev/null; fi
}

apt_install() {
    local apt=(as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o Acquire::Retries=5 -o DPkg::Lock::Timeout=300)
    retry 3 "${apt[@]}" update && retry 3 "${apt[@]}" install -y --no-install-recommends "$@"
}

# ensure_packages <package...>: 0 when they are all there in the end, 1 after saying what to do.
ensure_packages() {
    local missing
    mapfile -t missing < <(not_installed "$@")
    [ ${#missing[@]} = 0 ] && return 0
    if ! may_become_root; then
        say "Missing system packages: ${missing[*]}"
        say "Installing them needs root, and neither root nor sudo is available here. Run this, then try again:"
        say "    apt-get install ${missing[*]}"
        return 1
    fi
    step "Installing ${#missing[@]} system packages (${missing[*]})" apt_install "${missing[@]}"
}
