"""Write the pages of the reference (``docs/api``) from the lists in ``pages.contents``."""

import importlib
import inspect
from collections.abc import Iterable
from pathlib import Path

from pages.contents import (
    INHERITED,
    INTRODUCTIONS,
    METHODS,
    PACKAGES,
    SYSTEMS,
)
from pages.pictures import CODE, IMAGES, TRAINING

MODEL = "hzau_omics.model.HZAUVAE"
FENCE = "```"


def pages() -> dict[str, str]:
    """Return the text of every page by its path below ``docs/api``."""
    found = {"index.md": _index(), "model/index.md": _model_index()}
    for name, (title, members) in METHODS.items():
        found[f"model/{name}.md"] = _methods(title, members)
    found["model/systems.md"] = _systems()
    for package, groups in PACKAGES.items():
        folder = _folder(package)
        found[f"{folder}/index.md"] = _package(package, groups)
        for name in (one for names in groups.values() for one in names):
            found[f"{folder}/{name}.md"] = _name(package, name)
    return found


def write(folder: Path) -> None:
    """Write the pages; one that has not changed keeps its date, so that it is not read again."""
    texts = pages()
    for path, text in texts.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            target.write_text(text, encoding="utf-8")
    for old in folder.rglob("*.md"):
        if str(old.relative_to(folder)) not in texts and old.name != "command_line.md":
            old.unlink()


def _folder(package: str) -> str:
    return package.removeprefix("hzau_omics").strip(".") or "package"


def _short(package: str) -> str:
    return package.replace("hzau_omics", "ho", 1)


def _first_line(owner: object, name: str) -> str:
    """Return the first sentence of a documented name, or the value of a constant."""
    value = getattr(owner, name)
    static = inspect.getattr_static(owner, name, value)
    if callable(value) or isinstance(static, property):
        text = (inspect.getdoc(static) or inspect.getdoc(value) or "").split("\n\n")[0]
        return _markdown(" ".join(text.split()))
    if type(value).__module__.startswith("hzau_omics"):
        return _markdown((inspect.getdoc(value) or "").split("\n\n")[0])
    return "A constant."


def _markdown(text: str) -> str:
    """Turn the marks of a docstring's first sentence into those of markdown."""
    text = text.replace("``", "`").replace("|", "\\|")
    for role in ("meth", "func", "class", "attr"):
        text = text.replace(f":{role}:`~", "`").replace(f":{role}:`", "`")
    return text


def _table(rows: Iterable[tuple[str, str]]) -> str:
    lines = ["| name | what it is |", "|---|---|", *(f"| {one} | {what} |" for one, what in rows)]
    return "\n".join(lines)


def _toctree(names: Iterable[str], *, hidden: bool = True, depth: int = 1) -> str:
    options = [":hidden:"] if hidden else []
    return "\n".join([f"{FENCE}{{toctree}}", *options, f":maxdepth: {depth}", "", *names, FENCE])


def _directive(kind: str, name: str, *options: str) -> str:
    lines = [f"{FENCE}{{eval-rst}}", f".. {kind}:: {name}", *(f"   {one}" for one in options)]
    return "\n".join([*lines, FENCE])


def _index() -> str:
    rows = [
        ("[`ho.model`](model/index.md)", "HZAU-VAE, its methods by question, and other systems.")
    ]
    rows += [
        (f"[`{_short(package)}`]({_folder(package)}/index.md)", INTRODUCTIONS[package])
        for package in PACKAGES
    ]
    rows.append(("[`hzau-omics`](command_line.md)", "The command line."))
    children = ["model/index", *(f"{_folder(one)}/index" for one in PACKAGES), "command_line"]
    return "\n\n".join(
        [
            "# Reference",
            (
                "Every public name, with its arguments as the code declares them. In code, "
                "`import hzau_omics as ho` comes first."
            ),
            _table(rows),
            _toctree(children),
            "",
        ]
    )


def _package(package: str, groups: dict[str, tuple[str, ...]]) -> str:
    module = importlib.import_module(package)
    parts = [f"# {_short(package)}", INTRODUCTIONS[package]]
    for title, names in groups.items():
        rows = [(f"[`{name}`]({name}.md)", _first_line(module, name)) for name in names]
        parts += [f"## {title}", _table(rows)]
        if package == "hzau_omics.pl":
            parts.append(_gallery(names))
    every = [one for group in groups.values() for one in group]
    return "\n\n".join([*parts, _toctree(every), ""])


def _name(package: str, name: str) -> str:
    module = importlib.import_module(package)
    value = getattr(module, name)
    full = f"{package}.{name}"
    title = f"{_short(package)}.{name}".replace("__", "\\_\\_")
    parts = [f"# {title}"]
    if inspect.isclass(value):
        options = [] if issubclass(value, Exception) else [":members:"]
        parts.append(_directive("autoclass", full, *options))
    elif callable(value):
        parts.append(_directive("autofunction", full))
    elif type(value).__module__.startswith("hzau_omics"):
        kind = f"{type(value).__module__}.{type(value).__name__}"
        parts += [
            f"The one object of the class below, `{_short(package)}.{name}`.",
            _directive("autoclass", kind, ":members:"),
        ]
    else:
        parts += [_directive("py:data", full), f"Here `{value!r}`."]
    if package == "hzau_omics.pl":
        parts += _picture(name)
    return "\n\n".join([*parts, ""])


def _gallery(names: Iterable[str]) -> str:
    """Return the pictures of some plots side by side, each a link to its page."""
    cards = [
        f":::{{grid-item-card}} {name}\n:img-top: ../../_build/pictures/{name}.svg\n"
        f":img-alt: example of {name}\n:link: {name}\n:link-type: doc\n:::"
        for name in names
    ]
    return "\n\n".join(["::::{grid} 1 2 2 3\n:gutter: 3", *cards, "::::"])


def _picture(name: str) -> list[str]:
    """Return the code of a picture, the picture, and what the code starts from."""
    lines = [
        "## Picture",
        f"{FENCE}python\n{CODE[name]}{FENCE}",
        (
            f"{FENCE}{{image}} ../../_build/pictures/{name}.svg\n"
            f":alt: example of {name}, drawn by the code above\n:class: drawn\n{FENCE}"
        ),
    ]
    if CODE[name] != IMAGES:
        code = f"{FENCE}python\n{TRAINING}{FENCE}"
        lines.append(f":::{{dropdown}} The model that it draws\n{code}\n:::")
    return lines


def _model_index() -> str:
    cls = importlib.import_module("hzau_omics.model").HZAUVAE
    parts = [
        "# ho.model",
        (
            "`HZAUVAE` is the model of this package. The other systems have the same methods, but "
            "for those of the gate and of reliability ([systems](systems.md))."
        ),
        "## HZAUVAE",
        _directive("autoclass", MODEL),
        "## Its methods, by question",
    ]
    for name, (title, members) in METHODS.items():
        rows = [(f"[`{one}`]({name}.md#{one})", _first_line(cls, one)) for one in members]
        parts += [f"### {title}", _table(rows)]
    parts += [
        "### Of scvi-tools",
        "As scvi-tools documents them: "
        + ", ".join(f"`{one}`" for one in INHERITED)
        + ". `history` holds the curves of training. Lists of cells: `train_indices`, "
        "`validation_indices`, `test_indices`, and `calibration_indices_`, those that calibrations "
        "were fitted on.",
        _toctree([*METHODS, "systems"]),
        "",
    ]
    return "\n\n".join(parts)


def _methods(title: str, members: tuple[str, ...]) -> str:
    cls = importlib.import_module("hzau_omics.model").HZAUVAE
    parts = [f"# {title}", "Methods of a model. Back to [all of them](index.md)."]
    for name in members:
        kind = "autoproperty" if isinstance(inspect.getattr_static(cls, name), property) else ""
        parts += [f"## `{name}`", _directive(kind or "automethod", f"{MODEL}.{name}")]
    return "\n\n".join([*parts, ""])


def _systems() -> str:
    parts = [
        "# Other systems",
        (
            "The systems of the literature under the class and on the data path of HZAU-VAE: "
            "sizes, likelihoods and optimisation are the same, so that two of them differ only in "
            "what their names say ([how](../../method.md#11-the-other-systems)). All take the "
            "options of `System` below."
        ),
    ]
    for name in SYSTEMS:
        parts += [f"## `{name}`", _directive("autoclass", f"hzau_omics.model.{name}")]
    parts += [
        "## What they share",
        _directive("autoclass", "hzau_omics.model.system.System"),
        _directive("autoclass", "hzau_omics.model.training.config.TrainingPlanConfig"),
    ]
    return "\n\n".join([*parts, ""])
