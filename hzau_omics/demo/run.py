"""Run of the demo: prepare data, train, evaluate, write files."""

import json
import logging
import time
from pathlib import Path
from typing import Any

from hzau_omics.checks import LARGEST_SEED_OF_SKLEARN, check_integer, check_seed, if_given
from hzau_omics.demo.content import report_content
from hzau_omics.demo.dataset import TEXT, prepare
from hzau_omics.demo.evaluate import evaluate
from hzau_omics.errors import ConfigError
from hzau_omics.files import replacing
from hzau_omics.model import HZAUVAE
from hzau_omics.report import write_report

logger = logging.getLogger(__name__)

METRICS, DATA, REPORT = "metrics.json", "pbmc_mosaic.h5mu", "report.html"
MARK = "imputation_rna_to_protein"
"""Entry of ``metrics.json`` by which the demo recognises a folder that it wrote."""


def run(out: str | Path, *, seed: int = 0, max_epochs: int | None = None) -> dict[str, Any]:
    """Train on the bundled mosaic and write report, MuData and metrics.

    Parameters
    ----------
    out
        Folder for ``report.html``, ``pbmc_mosaic.h5mu`` and ``metrics.json``. Files of an earlier
        run of the demo are replaced.
    seed
        Seed of all random numbers.
    max_epochs
        Number of training epochs; None takes the model's default.

    Returns
    -------
    The content of ``metrics.json``.

    Raises
    ------
    ConfigError
        The folder holds a file with one of these names that the demo did not write.
    """
    seed = check_seed("seed", seed, most=LARGEST_SEED_OF_SKLEARN)
    max_epochs = if_given(check_integer, "max_epochs", max_epochs)
    started = time.perf_counter()
    folder = Path(out)
    check_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    data = prepare(seed)
    HZAUVAE.setup_mudata(
        data.mdata,
        {"rna": "nb", "adt": "nb", TEXT: "bernoulli"},
        batch_key="batch",
        labels_key="cell_type",
    )
    model = HZAUVAE(data.mdata)
    model.train(max_epochs=max_epochs, seed=seed)
    trained = time.perf_counter()
    logger.info("Trained in %.0f s; now embedding, imputing and drawing.", trained - started)
    results = evaluate(model, data, seed)
    command = f"hzau-omics demo --seed {seed}"
    command += "" if max_epochs is None else f" --max-epochs {max_epochs}"
    general = model.report_content(seed=seed, command=command)
    model.annotate()
    metrics = {
        **results.metrics,
        "seed": seed,
        "seconds": {
            "training": round(trained - started, 1),
            "total": round(time.perf_counter() - started, 1),
        },
    }
    # Metrics first: they mark the other files as the demo's, should the run be interrupted.
    with replacing(folder / METRICS) as partial:
        partial.write_text(json.dumps(metrics, indent=2), encoding="utf-8")
    with replacing(folder / DATA) as partial:
        data.mdata.write(partial)
    write_report(folder / REPORT, report_content(general, data, results, metrics))
    return metrics


def check_folder(folder: Path) -> None:
    """Refuse a folder that holds files with the names of the demo's, written by others.

    Raises
    ------
    ConfigError
        There are such files, or the folder is a file.
    """
    if folder.exists() and not folder.is_dir():
        msg = f"The demo writes into a folder. Received {folder}, a file. Choose another name."
        raise ConfigError(msg)
    foreign = [name for name in (METRICS, DATA, REPORT) if (folder / name).exists()]
    if foreign and not _is_ours(folder / METRICS):
        msg = (
            "The demo does not replace files of others. Received the folder "
            f"{folder}, which holds {', '.join(foreign)} not written by the demo. Choose another "
            "folder, or move these files."
        )
        raise ConfigError(msg)


def _is_ours(metrics: Path) -> bool:
    try:
        found = json.loads(metrics.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and MARK in found
