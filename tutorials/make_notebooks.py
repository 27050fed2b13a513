"""Run tutorials, and write them as notebooks with their outputs.

``python tutorials/make_notebooks.py 01_first_steps`` writes
``docs/tutorials/01_first_steps.ipynb``; without a name, all tutorials are run. ``make tutorials``
does this, and installs what it needs. With ``--text`` nothing is run: notebooks get the present
words of their scripts, if the code is the same as when they were run.
"""

import datetime as dt
import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

SCRIPTS = Path(__file__).resolve().parent
ROOT = SCRIPTS.parent
NOTEBOOKS = ROOT / "docs" / "tutorials"

FORMAT = {"extension": ".py", "format_name": "percent", "comment_magics": False}
"""How scripts are read: a first line of a shell script is no magic command."""

DPI = 80
LARGEST = 700_000
"""Bytes of a notebook."""

FACTS = """
import json, resource, scvi, torch
from importlib.metadata import version
from hzau_omics.model.version import MODEL_VERSION
used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(json.dumps({
    "package_version": version("hzau_omics"), "model_version": MODEL_VERSION,
    "scvi_tools": scvi.__version__, "torch": torch.__version__,
    "threads": torch.get_num_threads(),
    "processor_seconds": round(sum(one.ru_utime + one.ru_stime for one in used)),
    "peak_memory_gb": round(max(one.ru_maxrss for one in used) * 1024 / 1e9, 1),
}))
"""
"""Asked of the kernel after the last cell."""

HEADS = {
    "": (
        "*Made on {date} by `make tutorials T={name}` with hzau_omics {package_version} (model "
        "version {model_version}), scvi-tools {scvi_tools} and torch {torch}. Processor time: "
        "{minutes} min {seconds:02d} s, threads: {threads}, peak memory: {peak_memory_gb} GB.*"
    ),
    ".zh": (
        "*本页由 `make tutorials T={name}` 于 {date} 生成,所用版本为 hzau_omics {package_version}"
        "(模型版本 {model_version})、scvi-tools {scvi_tools}、torch {torch}。"
        "处理器时间 {minutes} 分 {seconds:02d} 秒,线程数 {threads},内存峰值 {peak_memory_gb} GB。*"
    ),
}
"""What a notebook says of its making, by the suffix of its language."""

DRAWN = re.compile(r"\[?(<Axes|<matplotlib|<Figure|Text\(|\(array\()")
"""Beginnings of what drawing functions return, which a reader need not see."""

PROGRESS = re.compile(r"\d+%\|")
"""Part of a line that is a progress bar."""


def make(script: Path) -> NotebookNode:
    """Run one tutorial, and return its notebook."""
    notebook = _read(script)
    facts = _run(notebook)
    today = dt.datetime.now(tz=dt.UTC).date()
    facts |= {"name": script.stem, "date": today.isoformat()}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in map(_cleaned, cell.outputs) if _is_kept(output)]
    notebook.metadata["hzau_omics"] = facts
    return _with_head(notebook, script)


def reword(script: Path) -> NotebookNode:
    """Return the notebook of a tutorial with its present words and the outputs of its last run."""
    if not _target(script).exists():
        sys.exit(f"{script.stem} has not been run yet: run it without --text")
    notebook, earlier = _read(script), nbformat.read(_target(script), as_version=4)
    ran = [cell for cell in earlier.cells if cell.cell_type == "code"]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if [cell.source for cell in code] != [cell.source for cell in ran]:
        sys.exit(f"the code of {script.stem} has changed: run it without --text")
    for cell, done in zip(code, ran, strict=True):
        cell.outputs, cell.execution_count = done.outputs, done.execution_count
        cell.metadata = done.metadata
    notebook.metadata = earlier.metadata
    return _with_head(notebook, script)


def _read(script: Path) -> NotebookNode:
    """Return a notebook without outputs; random identifiers would differ each time."""
    notebook = jupytext.read(script, fmt=FORMAT)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02d}"
    return notebook


def _with_head(notebook: NotebookNode, script: Path) -> NotebookNode:
    """Add what a reader should know of the run, below the title."""
    facts = notebook.metadata["hzau_omics"]
    minutes, seconds = divmod(facts["processor_seconds"], 60)
    head = HEADS[Path(script.stem).suffix].format(**facts, minutes=minutes, seconds=seconds)
    cell = nbformat.v4.new_markdown_cell(head, id="head", metadata={"tags": ["head"]})
    notebook.cells.insert(1, cell)
    return notebook


def _target(script: Path) -> Path:
    return NOTEBOOKS / f"{script.stem}.ipynb"


def write(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook, unless it is too large or names folders of this machine."""
    text = nbformat.writes(notebook) + "\n"
    _check(text)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _run(notebook: NotebookNode) -> dict[str, Any]:
    """Fill in the outputs of a notebook, and return facts about the process that ran it."""
    notebook.cells.append(nbformat.v4.new_code_cell(FACTS))
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "matplotlibrc"
        settings.write_text(f"figure.dpi: {DPI}\n", encoding="utf-8")
        environment = {
            **os.environ,
            "MATPLOTLIBRC": str(settings),
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
            # Else numba takes every processor, and hands them to torch, which shares its threads.
            "NUMBA_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(os.cpu_count())),
            "PYTHONPATH": str(ROOT),
        }
        (here := Path(folder) / "here").mkdir()
        client = NotebookClient(
            notebook,
            timeout=None,
            record_timing=False,
            resources={"metadata": {"path": str(here)}},
            on_cell_executed=_report,
        )
        client.execute(env=environment)
    last = notebook.cells.pop()
    return json.loads(last.outputs[-1].text)


def _report(cell: NotebookNode, **_: object) -> None:
    """Pass on what a cell wrote to the error stream: warnings and progress are not kept."""
    for output in cell.outputs:
        if output.get("name") == "stderr":
            sys.stderr.write(output.text)


def _cleaned(output: NotebookNode) -> NotebookNode:
    """Take progress bars out of what was printed."""
    if output.output_type == "stream":
        lines = re.split(r"(?<=[\r\n])", output.text)
        output.text = "".join(line for line in lines if not PROGRESS.search(line))
    return output


def _is_kept(output: NotebookNode) -> bool:
    """Whether a reader should see an output."""
    if output.output_type == "stream":
        return output.name != "stderr" and bool(output.text.strip())
    data = output.get("data", {})
    return set(data) != {"text/plain"} or not DRAWN.match(data["text/plain"])


def _check(text: str) -> None:
    """Refuse a notebook that is too large, or that names folders of this machine."""
    if len(text.encode()) > LARGEST:
        msg = f"A notebook takes at most {LARGEST} bytes. Received {len(text.encode())}: draw less."
        raise ValueError(msg)
    folders = {str(ROOT), str(Path.home()), sys.prefix, tempfile.gettempdir()}
    folders |= {os.environ.get("HZAU_OMICS_DATA", str(ROOT))}
    if named := sorted(folder for folder in folders if f"{folder}/" in text):
        msg = f"Outputs must not name folders of one machine. Received {named}: print less."
        raise ValueError(msg)


def main(arguments: list[str]) -> None:
    """Make the notebooks of the tutorials named, or of all."""
    scripts = {path.stem: path for path in sorted(SCRIPTS.glob("[0-9]*.py"))}
    names = [argument for argument in arguments if argument != "--text"]
    made = reword if "--text" in arguments else make
    if unknown := set(names) - set(scripts):
        sys.exit(f"no tutorial {sorted(unknown)}; there are {list(scripts)}")
    failed = []
    for name in names or scripts:
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            write(made(scripts[name]), _target(scripts[name]))
        except CellExecutionError as error:
            # The data of one tutorial may not be there: the others do not depend on it.
            print(error, file=sys.stderr)
            failed.append(name)
    if failed:
        sys.exit(f"failed: {failed}")


if __name__ == "__main__":
    main(sys.argv[1:])
