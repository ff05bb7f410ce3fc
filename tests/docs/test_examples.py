"""The examples in docstrings run, and print what they say."""

from __future__ import annotations

import ast
import builtins
import doctest
import importlib
from pathlib import Path

import pytest
from optuna.distributions import FloatDistribution

from search.config.sweep_config import SweepConfig
from search.policy.making import make_policy
from search.study.database import opened_storage
from search.study.ledger import Ledger
from search.study.records import Epoch
from spaces.space import SearchSpace

ROOT = Path(__file__).parents[2]
# Only what has an example is imported: Ray is not, unless one is about Ray.
WITH_EXAMPLES = [
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
    for package in ("spaces", "cifar_cnn", "search")
    for path in sorted((ROOT / package).rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


READ_A_SWEEP = {  # called `night`
    "search.progress.live",
    "search.reader",
    "search.reporting.run_links",
    "search.results.listing",
    "search.results.summary",
}


def make_night() -> None:
    """A sweep in which one trial was pruned."""
    config = SweepConfig(
        name="night",
        space=SearchSpace(
            name="rate",
            description="A learning rate.",
            parameters={"lr": FloatDistribution(1e-3, 1.0, log=True)},
            fixed={"optimizer": "sgd"},
        ),
        objective="package.module:function",
        enqueue=[{"lr": 0.01}, {"lr": 0.1}, {"lr": 1.0}],
        max_epochs=2,
        trials=3,
        sampler="random",
        pruner="threshold",
        pruner_args={"lower": 0.2, "n_warmup_steps": 0},
    )
    config.save()
    with opened_storage(config.storage_url) as storage:
        ledger = Ledger.open(config, storage, make_policy(config))
        for values in ((0.4, 0.5), (0.7, 0.8), (0.1,)):
            number = ledger.start(ledger.ask().number).number
            for epoch, value in enumerate(values, 1):
                ledger.report(
                    number, Epoch(epoch, {"val_acc": value, "epoch_s": 2.0}, 1000 * epoch, "host:1")
                )
            if len(values) == config.max_epochs:
                ledger.complete(number)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where examples write: one for all, for an MLflow store takes seconds to make."""
    return tmp_path_factory.mktemp("examples")


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_the_examples_of_a_module_run(module: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    if module in READ_A_SWEEP and not Path("sweeps/night").exists():
        make_night()
    results = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)
    assert results.attempted
    assert not results.failed, "see the captured output for what was expected"


def test_every_public_class_has_one() -> None:
    """But for enumerations, protocols and errors, whose members and messages say how they are used."""
    packages = ("spaces", "cifar_cnn", "search")
    trees = [ast.parse(file.read_text()) for package in packages for file in (ROOT / package).rglob("*.py")]
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    bases = [(each, {ast.unparse(base).split(".")[-1] for base in each.bases}) for each in classes]
    exempt = {"Protocol", "Enum", "StrEnum", "SystemExit"}
    exempt |= {name for name in vars(builtins) if name.endswith(("Error", "Exception"))}
    while heirs := {each.name for each, names in bases if names & exempt} - exempt:
        exempt |= heirs
    needed = [each for each, names in bases if not names & exempt and not each.name.startswith("_")]
    assert len(needed) > 50
    assert [each.name for each in needed if ">>>" not in (ast.get_docstring(each) or "")] == []
