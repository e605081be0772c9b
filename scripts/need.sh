# shellcheck shell=bash
# Sourced by the commands of the project's root: says what this machine lacks, and installs it where it can.

# need_command COMMAND WHERE_FROM
need_command() {
    present "$1" || stop "$1 is missing; install $2"
}

# need_debian WHAT_FOR probe:package …
# Installs the packages whose probe finds nothing, and says which. Elsewhere than on Debian: says what to install.
need_debian() {
    local what_for=$1 missing=() pair
    shift
    for pair in "$@"; do
        present "${pair%%:*}" || missing+=("${pair#*:}")
    done
    [ ${#missing[@]} -eq 0 ] && return
    present apt-get || stop "For $what_for please install what Debian calls: ${missing[*]}"
    # Asks nothing, and waits while a new machine updates itself.
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
    if [ "$(id -u)" -ne 0 ]; then
        present sudo || stop "For $what_for please run as root: apt-get install ${missing[*]}"
        apt=(sudo "${apt[@]}")
    fi
    echo "Installing for $what_for: ${missing[*]}" >&2
    local said
    # When the update fails for somebody else's packages, ours may still be there.
    said=$("${apt[@]}" update 2>&1) || true
    said+=$("${apt[@]}" install -y --no-install-recommends "${missing[@]}" 2>&1) ||
        stop "$said"$'\n'"They could not be installed. Please run as root: apt-get install ${missing[*]}"
}

# need_cargo_tool NAME VERSION [further arguments of cargo install]
# Whatever version is on the PATH will do; otherwise this one is built into .tools, unoptimised because that is quick.
need_cargo_tool() {
    local name=$1 version=$2
    shift 2
    PATH="$PWD/.tools/bin:$PATH"
    present "$name" && return
    echo "Building $name $version, once; this takes minutes" >&2
    CARGO_PROFILE_DEV_DEBUG=false cargo install --quiet --locked --debug --root .tools --target-dir target/tools \
        --version "$version" "$@" "$name" ||
        stop "$name could not be built; the messages are above. One of your own on the PATH will do, too."
}

# present PROBE: a command to find on the PATH, a file of Linux, or, with a space in it, a command that must succeed.
present() {
    case $1 in
    *' '*) bash -c "$1" >/dev/null 2>&1 ;;
    /*) [ -e "$1" ] || [ "$(uname)" != Linux ] ;;
    # PostgreSQL's server programs are not on the PATH of Debian.
    initdb) command -v initdb >/dev/null 2>&1 || compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null ;;
    *) command -v "$1" >/dev/null 2>&1 ;;
    esac
}

stop() {
    echo "$1" >&2
    exit 1
}
