"""What pyproject.toml says of versions; as a program, the lowest of each package as constraints for pip's ``-c``."""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement


def requirements(project: Path, *extras: str) -> list[Requirement]:
    """What the package needs; with extras, also what these add, and the extras that they name in turn."""
    declared = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    found, waiting = [Requirement(text) for text in declared["dependencies"]], list(extras)
    for extra in waiting:
        for requirement in map(Requirement, declared["optional-dependencies"][extra]):
            if requirement.name == declared["name"]:
                waiting += requirement.extras
            else:
                found.append(requirement)
    return found


def lowest(project: Path) -> list[str]:
    """``name==version`` for each dependency with a lower bound, those of the tests included.

    Without pip, which cannot replace itself while it installs.
    """
    bounds = {
        requirement.name: bound.version
        for requirement in requirements(project, "test")
        for bound in requirement.specifier
        if bound.operator in (">=", "==") and requirement.name != "pip"
    }
    return [f"{name}=={version}" for name, version in bounds.items()]


if __name__ == "__main__":
    print("\n".join(lowest(Path(__file__).resolve().parents[2])))
