"""The lowest version of each package that pyproject.toml admits, one constraint a line, for pip's ``-c``."""

import re
import tomllib
from pathlib import Path


def lowest(project: Path) -> list[str]:
    """``name==version`` for each direct dependency with a lower bound, those of the tests included."""
    said = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    wanted = [*said["dependencies"], *said["optional-dependencies"]["test"]]
    found = (re.match(r"([A-Za-z0-9_.-]+)\s*[>=]=\s*([^,;\s]+)", one) for one in wanted)
    return [f"{match[1]}=={match[2]}" for match in found if match]


if __name__ == "__main__":
    print("\n".join(lowest(Path(__file__).resolve().parents[2])))
