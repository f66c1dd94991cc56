"""Start a server for a class: `python -m ui.classroom.serve`, or `make class`.

It listens on the network, and prints its address, a QR code of it for phones, and the address of
the instructor's page, which nobody can guess.
"""

import argparse
import os
import secrets
import socket
import sys
from pathlib import Path

import segno

from ui.classroom import ADDRESS_VARIABLE, TOKEN_VARIABLE
from ui.classroom.limits import MOST_REQUESTS, MOST_VISITORS, WINDOW_S

APP = Path(__file__).resolve().parents[2] / "app.py"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m ui.classroom.serve", description=__doc__)
    parser.add_argument("--port", type=int, default=8501)
    parser.add_argument("--qr", type=Path, default=Path("class.svg"), help="where the code is put")
    options = parser.parse_args()
    address = f"http://{own_address()}:{options.port}"
    token = secrets.token_urlsafe(16)
    options.qr.write_text(qr_code(address))
    print(welcome(address, token, options.qr), flush=True)
    environment = {**os.environ, TOKEN_VARIABLE: token, ADDRESS_VARIABLE: address}
    os.execve(sys.executable, [sys.executable, *command(options.port)], environment)


def command(port: int) -> list[str]:
    """What Python runs: the app, for everybody in the network. Not told its own address, Streamlit
    would ask a server on the internet for it."""
    listening = ["--server.address=0.0.0.0", f"--browser.serverAddress={own_address()}"]
    flags = [*listening, f"--server.port={port}", "--server.headless=true"]
    return ["-m", "streamlit", "run", str(APP), *flags]


def welcome(address: str, token: str, qr: Path) -> str:
    """What stands on the console."""
    return (
        f"The class opens       {address}   (its QR code: {qr})\n"
        f"You open              {address}/instructor?token={token}\n"
        f"Limits: {MOST_VISITORS} visitors at once; {MOST_REQUESTS:,} requests in {WINDOW_S:.0f} s "
        "from one address; no uploads.\n"
        "Nothing is encrypted, and everybody in this network can open it: stop it after class."
    )


def qr_code(text: str) -> str:
    """The QR code of a text, as SVG."""
    return segno.make(text, micro=False).svg_inline(scale=6, border=3, light="white")


def own_address() -> str:
    """This machine's address in its network; that of the machine itself without one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # a documentation address: nothing is sent
        except OSError:
            return "127.0.0.1"
        found: str = probe.getsockname()[0]
        return found


if __name__ == "__main__":
    main()
