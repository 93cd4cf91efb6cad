"""`python -m tests.parts list` and `python -m tests.parts install [NAME…]`."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

from tests.parts.catalogue import PARTS, install
from tests.parts.debian import InstallError, NotThisMachine
from tests.parts.require import in_ci


def main() -> int:
    """0 if every part asked for is on the machine at the end."""
    parser = argparse.ArgumentParser(prog="python -m tests.parts", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="which parts are here")
    wanted = commands.add_parser("install", help="install what is missing (Debian 12, root)")
    wanted.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(PARTS)}; all if none is given")
    arguments = parser.parse_args()
    if arguments.command == "list":
        for part in PARTS.values():
            print(f"{part.name:12} {'here' if part.here() else 'missing':8} {part.about}")
        return 0
    unknown = [name for name in arguments.names if name not in PARTS]
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    return install_all(arguments.names or list(PARTS), must=bool(arguments.names) or in_ci())


def install_all(names: list[str], *, must: bool) -> int:
    """Install the parts one after another, telling each one's end; 1 if any failed.

    Unless they `must` be here, a machine we cannot install on is no failure: its tests will skip.
    """
    failed = 0
    for name in names:
        began = time.monotonic()
        try:
            done = install(PARTS[name])
        except (InstallError, subprocess.CalledProcessError) as error:
            print(f"{name}: {error}", file=sys.stderr)
            failed = failed if isinstance(error, NotThisMachine) and not must else 1
            continue
        print(f"{name}: {f'installed in {time.monotonic() - began:.0f} s' if done else 'already here'}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
