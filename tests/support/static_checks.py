"""All checks that run nothing of the library: style, layers, workflows, JavaScript and types.

``python tests/support/static_checks.py`` is what ``make lint`` calls; it works without make, bash and a network, except
that npm fetches eslint once.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
WORKFLOWS = [str(path.relative_to(CHECKOUT)) for path in sorted((CHECKOUT / ".github" / "workflows").glob("*.yml"))]
COMMANDS = {
    "style": ["ruff", "check", "."],
    "format": ["ruff", "format", "--check", "."],
    "layers": ["lint-imports"],
    "workflows": ["zizmor", "--offline", "--quiet", "--pedantic", *WORKFLOWS],
    "schema": ["check-jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS],
    "citation": ["check-jsonschema", "--builtin-schema", "vendor.citation-file-format", "CITATION.cff"],
    "JavaScript": ["npm", "run", "--silent", "lint"],
    "types": ["mypy"],
}


def run(command: list[str], **options) -> subprocess.CompletedProcess:
    """Run a command in the checkout; programs of this Python's environment come first."""
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])
    program = shutil.which(command[0], path=path)
    if program is None:
        raise FileNotFoundError(f"{command[0]} is not installed")
    return subprocess.run([program, *command[1:]], cwd=CHECKOUT, **options)


def install_eslint() -> None:
    """Install what package-lock.json names, unless it is there."""
    installed, wanted = CHECKOUT / "node_modules" / ".package-lock.json", CHECKOUT / "package-lock.json"
    if not installed.is_file() or installed.stat().st_mtime < wanted.stat().st_mtime:
        done = run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        if done.returncode:
            raise FileNotFoundError("npm could not fetch eslint")


def main() -> int:
    """Run all checks, also those after a failure, and return how many failed."""
    failed = []
    for name, command in COMMANDS.items():
        print(f"== {name}: {' '.join(command)}", flush=True)
        try:
            if name == "JavaScript":
                install_eslint()
            if run(command).returncode:
                failed.append(name)
        except FileNotFoundError as error:
            print(f"{name} not checked: {error}", flush=True)
            if name != "JavaScript" or os.environ.get("CI") == "true":
                failed.append(name)
    print(f"failed: {', '.join(failed)}" if failed else "all checks passed")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
