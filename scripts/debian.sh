# Sourced by the commands in the project's root: installs Debian packages, says which, and only when they are missing.

# need_debian WHAT_FOR command:package …
# An empty command means the package has none to look for; then the package database is asked.
need_debian() {
    local what_for=$1 missing=() pair command package
    shift
    for pair in "$@"; do
        command=${pair%%:*} package=${pair#*:}
        if [ -n "$command" ]; then
            # PostgreSQL's server programs are not on the PATH of Debian.
            command -v "$command" >/dev/null 2>&1 || compgen -G "/usr/lib/postgresql/*/bin/$command" >/dev/null ||
                missing+=("$package")
        elif command -v dpkg-query >/dev/null 2>&1; then
            [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
        fi
    done
    [ ${#missing[@]} -eq 0 ] && return
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "For $what_for please install what Debian calls: ${missing[*]}" >&2
        exit 1
    fi
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then as_root=(sudo); fi
    echo "Installing for $what_for: ${missing[*]}" >&2
    export DEBIAN_FRONTEND=noninteractive
    "${as_root[@]}" apt-get -qq update >&2
    "${as_root[@]}" apt-get -qq install -y --no-install-recommends "${missing[@]}" >&2
}

# need_command COMMAND WHERE_FROM
need_command() {
    command -v "$1" >/dev/null 2>&1 || {
        echo "$1 is missing; install $2" >&2
        exit 1
    }
}
