"""Looks locked packages up in the OSV database of known vulnerabilities: `make audit`."""

import json
import subprocess
import sys
from typing import Any

from churnlib.shown import one_line

TOOL = ("uv", "tool", "run", "--quiet", "--from", "pip-audit==2.10.1", "pip-audit")
OPTIONS = ("--vulnerability-service", "osv", "--require-hashes", "--disable-pip", "--timeout", "10")
UNREACHABLE = 3
"""The exit status if the database cannot be reached, so that nothing is known."""


def main(locks: list[str]) -> int:
    """Prints the known vulnerabilities of the packages in lock files.

    Returns:
        0 if there are none, 1 if there are some, `UNREACHABLE` if nobody could tell.
    """
    files = [word for lock in locks for word in ("--requirement", lock)]
    command = [sys.executable, "-m", *TOOL, *OPTIONS, "--progress-spinner=off", "--format=json"]
    done = subprocess.run([*command, *files], capture_output=True, text=True, check=False)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        lines = done.stderr.strip().splitlines() or ["no answer"]
        why = one_line(lines[-1])[:80]
        print(f"not audited: no database of vulnerabilities can be reached ({why})")
        return UNREACHABLE
    found = list(map(one_line, _findings(packages)))
    print(*found, f"{len(packages)} packages audited, {len(found)} known vulnerabilities", sep="\n")
    return 1 if found else 0


def _findings(packages: list[dict[str, Any]]) -> list[str]:
    return [
        f"{package['name']} {package['version']}: {fault['id']}, fixed in "
        f"{', '.join(fault['fix_versions']) or 'no version'}"
        for package in packages
        for fault in package.get("vulns", ())
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
