"""The shape of the code: small files, short functions, no imports in a circle, one list of words.

``python tests/test_structure.py [FOLDER]`` prints the same figures for a checkout.
"""

import ast
import re
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).resolve().parents[1]
CODE = ("hzau_omics", "benchmarks")
LONGEST_FILE, LONGEST_BODY, MOST_WORDS = 400, 60, 25

type Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources(root: Path) -> dict[str, str]:
    """Return the source of every module by its dotted name."""
    found = {}
    for part in CODE:
        for path in sorted((root / part).rglob("*.py")):
            name = ".".join(path.relative_to(root).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path.read_text(encoding="utf-8")
    return found


def functions(source: str) -> Iterator[Function]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def body_length(function: Function) -> int:
    """Count the lines of a body, without its docstring."""
    body = function.body
    if ast.get_docstring(function) is not None:
        body = body[1:]
    if not body:
        return 0
    assert function.end_lineno is not None
    return function.end_lineno - body[0].lineno + 1


def n_arguments(function: Function) -> int:
    args = function.args
    named = [*args.posonlyargs, *args.args, *args.kwonlyargs]
    return len([one for one in named if one.arg not in {"self", "cls"}])


def imports(modules: dict[str, str]) -> dict[str, set[str]]:
    """Return which modules each module imports, at any depth and for type checking only too."""
    found: dict[str, set[str]] = {}
    for name, source in modules.items():
        found[name] = set()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                found[name] |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                for alias in node.names:
                    inner = f"{node.module}.{alias.name}"
                    found[name].add(inner if inner in modules else node.module)
        found[name] &= modules.keys() - {name}
    return found


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return circles of imports, each once, by depth-first search."""
    found: list[list[str]] = []
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> None:
        if name in path:
            found.append([*path[path.index(name) :], name])
            return
        if name in done:
            return
        for other in sorted(graph[name]):
            visit(other, [*path, name])
        done.add(name)

    for name in sorted(graph):
        visit(name, [])
    return found


def glossary() -> list[str]:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = text.split("## Glossary")[1].splitlines()
    return [row.split("|")[1].strip() for row in rows if row.startswith("| ")][1:]


MODULES = sources(ROOT)


@pytest.mark.parametrize("name", sorted(MODULES))
def test_files_and_functions_are_short(name):
    source = MODULES[name]
    assert len(source.splitlines()) <= LONGEST_FILE
    long = {one.name: body_length(one) for one in functions(source)}
    assert {one: length for one, length in long.items() if length > LONGEST_BODY} == {}


def test_no_module_imports_in_a_circle():
    assert circles(imports(MODULES)) == []


def test_a_circle_is_found():
    modules = {
        "a": "def f():\n    from b import g",
        "b": "import c",
        "c": "from a import f",
        "d": "import a",
    }
    found = circles(imports(modules))
    assert len(found) == 1
    assert set(found[0]) == {"a", "b", "c"}
    assert all(late in imports(modules)[early] for early, late in pairwise(found[0]))


def test_the_glossary_is_short():
    words = glossary()
    assert 0 < len(words) <= MOST_WORDS
    assert len(set(words)) == len(words)


def test_what_the_map_names_exists():
    """The paths that docs/architecture.md gives are there."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for path in set(re.findall(r"`((?:data|nn|text|model|pl|benchmarks|tests)/[\w/.]*)`", text)):
        places = [ROOT / path, ROOT / "hzau_omics" / path]
        places += [place.with_suffix(".py") for place in places]
        assert any(place.exists() for place in places), path


def main(root: Path) -> None:
    """Print the figures of a checkout."""
    modules = sources(root)
    lines = sorted(len(source.splitlines()) for source in modules.values())
    every = [one for source in modules.values() for one in functions(source)]
    bodies = sorted(body_length(one) for one in every)
    args = sorted(n_arguments(one) for one in every)
    share = lambda values, q: values[min(int(q * len(values)), len(values) - 1)]
    print(f"files {len(lines)}, lines {sum(lines)}, median {median(lines):.0f}, max {lines[-1]}")
    print(f"files over {LONGEST_FILE} lines: {sum(n > LONGEST_FILE for n in lines)}")
    print(f"bodies: median {median(bodies):.0f}, p95 {share(bodies, 0.95)}, max {bodies[-1]}")
    print(f"bodies over {LONGEST_BODY} lines: {sum(n > LONGEST_BODY for n in bodies)}")
    print(f"arguments: p95 {share(args, 0.95)}, max {args[-1]}")
    for circle in circles(imports(modules)):
        print("circle:", " -> ".join(circle))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)
