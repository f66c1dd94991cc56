#!/usr/bin/env bash
# Prints the path of a Chromium that starts; installs one where there is none.
#   CHROMIUM=/path/to/chrome   is taken as it is
#   PYTHON=.venv/bin/python    the Python that has playwright
set -euo pipefail

PYTHON="${PYTHON:-.venv/bin/python}"

playwrights_own() {
    "$PYTHON" -c 'from playwright.sync_api import sync_playwright
with sync_playwright() as p: print(p.chromium.executable_path)'
}

find_chromium() {
    # --version, because Ubuntu's chromium-browser may be a stub that only asks for snap
    for name in chromium chromium-browser google-chrome google-chrome-stable chrome \
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" "$(playwrights_own)"; do
        if path=$(command -v "$name") && "$path" --version >/dev/null 2>&1; then
            echo "$path"
            return
        fi
    done
    return 1
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
