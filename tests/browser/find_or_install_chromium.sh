#!/usr/bin/env bash
# Prints the path of a Chromium that starts; installs one where there is none.
#   CHROMIUM=/path/to/chrome   is taken as it is
#   PYTHON=.venv/bin/python    the Python that has playwright
set -euo pipefail

PYTHON="${PYTHON:-.venv/bin/python}"

find_chromium() {
    "$PYTHON" -m benchmarks.browser
}

if [ -n "${CHROMIUM:-}" ]; then
    "$CHROMIUM" --version >/dev/null || { echo "CHROMIUM=$CHROMIUM does not start" >&2; exit 1; }
    echo "$CHROMIUM"
    exit
fi
find_chromium && exit

echo "No Chromium found; installing one for the browser tests" >&2
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    { apt-get update && apt-get install -y --no-install-recommends chromium; } >&2 || true
    find_chromium && exit
fi
"$PYTHON" -m playwright install chromium >&2
find_chromium
