#!/usr/bin/env bash
# Makes .venv with Lithify, every extra and the development tools, in the exact versions of constraints.txt, and compiles
# the numeric kernels.
# The marker file .venv/.ready tells make that there is nothing to do; it is written last.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=.venv
log=$venv/install.log
fits='import sys, venv, ensurepip; raise SystemExit(sys.version_info < (3, 11))'

# The first Python that is new enough and can make an environment; PYTHON=... overrides.
find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.11 python3.12 python3.13 python3.14 python}; do
        if "$candidate" -c "$fits" >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
    done
    {
        echo "Lithify needs Python 3.11 or newer with the modules venv and ensurepip."
        echo "Found: $("${PYTHON:-python3}" --version 2>/dev/null || echo "nothing that runs as ${PYTHON:-python3}")."
        echo "Install it (on Debian and Ubuntu: python3 and python3-venv), or name one: make setup PYTHON=/path/to/python3.11"
    } >&2
    return 1
}

# pip, once more if it fails: an index that hiccups is the common reason.
install() {
    local try
    for try in 1 2; do
        if "$venv/bin/python" -m pip install --quiet --no-input --disable-pip-version-check \
            --constraint constraints.txt "$@" >>"$log" 2>&1; then
            return
        fi
        [ "$try" = 2 ] || { echo "Installing failed; trying once more." >&2; sleep 2; }
    done
    echo "Installing failed. The end of $log:" >&2
    tail -n 20 "$log" >&2
    return 1
}

rm -f "$venv/.ready"
if ! "$venv/bin/python" -c "$fits" >/dev/null 2>&1; then
    python=$(find_python)
    echo "Making $venv with $("$python" --version)."
    rm -rf "$venv"
    "$python" -m venv "$venv"
fi
echo "Installing Lithify, its extras and the development tools into $venv (about a minute)."
: >"$log"
install hatchling editables
install --no-build-isolation --editable '.[dev,docs]'
echo "Compiling the numeric kernels, once for this installation (some seconds)."
"$venv/bin/lithify" doctor --warm --quiet --home "$venv/home" >>"$log" 2>&1 || { tail -n 20 "$log" >&2; exit 1; }
touch "$venv/.ready"
