"""Execute lessons in place, and write each only if its prose agrees with what it shows.

PYTHONPATH=tests python -m support.execute notebooks/00_start_here.ipynb ...
"""

import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from support.claims import ClaimError, Page, answered, asked, evaluate, read_page


def execute(path: Path) -> list[str]:
    """Execute a lesson, write it with its outputs, and return the sentences that do not agree with them."""
    page = read_page(path)
    notebook = nbformat.read(path, as_version=4)
    complaints: list[str] = []

    async def check(cell, cell_index, execute_reply):
        complaints.extend(await _check(client, page, cell.id))

    client = NotebookClient(
        notebook,
        timeout=3600,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
        on_cell_executed=check,
    )
    client.execute()
    for cell in notebook.cells:  # numbers of the run, without the expressions that claims asked for
        cell.metadata.pop("execution", None)
    target = path if not complaints else Path(tempfile.gettempdir()) / path.name
    nbformat.write(notebook, target)
    return complaints + ([f"{path.name} was not changed; with its outputs it is {target}"] if complaints else [])


async def _check(client: NotebookClient, page: Page, cell: str) -> list[str]:
    """Complaints about the claims that are due after a cell."""
    claims = [claim for claim in page.claims if claim.after == cell]
    found = {claim.value: await _value(client, claim.value) for claim in claims}

    def value(expression: str):
        if isinstance(found[expression], ClaimError):
            raise found[expression]
        return found[expression]

    return evaluate(claims, value)[1]


async def _value(client: NotebookClient, expression: str):
    sent = client.kc.execute("", silent=True, store_history=False, user_expressions=asked(expression))
    while True:
        reply = await client.kc.get_shell_msg(timeout=60)
        if reply["parent_header"].get("msg_id") == sent:
            try:
                return answered(expression, reply["content"])
            except ClaimError as error:
                return error


if __name__ == "__main__":
    disagreements = [complaint for lesson in sys.argv[1:] for complaint in execute(Path(lesson).resolve())]
    print(*disagreements, sep="\n")
    sys.exit(bool(disagreements))
