"""A retrained LightningModule: tested by its own `test_step`, and saved by its own `forward`."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.finalists.confirm import Confirmation
from search.finalists.product import Evaluations, NotSaved, Product
from search.objective.repeated import ARMS, REPEATS
from search.study.launch_notes import describe_launch
from search.tracking.models.tested import Tested
from search.training.objective import LightningObjective
from search.training.settings import CHECKPOINT_FILE

_OF_TEST = ("precision", "limit_test_batches", "deterministic", "inference_mode", "benchmark")


@dataclass(frozen=True)
class Module(Product):
    """A module of the user's own, built from the configuration and the data of its retraining.

    Example:
        >>> from search.results.leaderboard import savings
        >>> from search.results.summary import SweepSummary
        >>> from search.config.sweep_config import SweepConfig
        >>> from spaces.quickstart import SPACE
        >>> sweep = SweepConfig(name="day", space=SPACE, objective="mine:Net", trials=2, max_epochs=1)
        >>> module = Module(SweepSummary(sweep, "id", [], {}, savings([], 1)), sweep)
        >>> module.metrics([{"metrics": {"test_loss": 0.2}}, {"metrics": {"test_loss": 0.3}}])
        {'test_loss': (0.2, 0.3)}
    """

    @property
    def _objective(self) -> LightningObjective:
        return LightningObjective.of(self.config)

    @property
    def _params(self) -> dict[str, Any]:
        params: dict[str, Any] = self.config.settings[REPEATS][ARMS][0]
        return params

    def has_test(self) -> bool:
        """Whether it has a `test_step`, and it or its data a `test_dataloader`."""
        from search.training.manners import left_as_found
        from search.training.package import lightning_of

        with left_as_found(1, gpus=0):
            module, data = self._objective.build(self._params, self.config.seed)
        of = lightning_of(module)
        has_loader = _overrides(module, of.LightningModule, "test_dataloader") or (
            data is not None and _overrides(data, of.LightningDataModule, "test_dataloader")
        )
        return has_loader and _overrides(module, of.LightningModule, "test_step")

    def evaluate(self, checkpoint: Path) -> dict[str, Any]:
        """All that `test_step` logs."""
        from search.training.manners import left_as_found
        from search.training.package import lightning_of

        objective, config = self._objective, self.config
        options = {name: value for name, value in objective.settings.trainer.items() if name in _OF_TEST}
        gpus = 1.0 if config.gpus_per_trial is None else config.gpus_per_trial
        with left_as_found(config.cpus_per_trial or 1, gpus):
            module, data = objective.build(self._params, config.seed)
            # The driver reports, no callback.
            warnings.filterwarnings("ignore", "Be aware that when using `ckpt_path`", UserWarning)
            trainer = lightning_of(module).Trainer(
                accelerator="cpu" if config.gpus_per_trial == 0 else "auto",
                devices=1,
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                **options,
            )
            # The retraining wrote it itself. A user's callbacks and hyperparameters may hold any object.
            restored = {"ckpt_path": checkpoint / CHECKPOINT_FILE, "weights_only": False}
            logged = trainer.test(module, datamodule=data, verbose=False, **restored)
        return {"metrics": {name: value for each in logged for name, value in each.items()}}

    def _trained(self, checkpoint: Path) -> tuple[Any, Any]:
        """The module as it was trained, and its data.

        Raises:
            NotSaved: its layers are not those that it has right after `__init__`.
        """
        import torch

        module, data = self._objective.build(self._params, self.config.seed)
        # The retraining wrote it itself. A user's callbacks and hyperparameters may hold any object.
        trained = torch.load(checkpoint / CHECKPOINT_FILE, map_location="cpu", weights_only=False)
        module.on_load_checkpoint(trained)
        try:
            module.load_state_dict(trained["state_dict"])
        except RuntimeError as error:
            cause = " ".join(str(error).split())[:200]
            raise NotSaved(f"its weights do not fit it ({cause}): make all layers in __init__") from error
        return module, data

    def metrics(self, evaluations: Evaluations) -> dict[str, tuple[float, ...]]:
        """All of them."""
        names = evaluations[0]["metrics"] if evaluations else {}
        return {name: tuple(float(each["metrics"][name]) for each in evaluations) for name in names}

    def tested(self, evaluations: Evaluations, seeds: int) -> Tested:
        """By what the sweep has optimised, as the test has it."""
        goal, metrics = self.summary.config.goal, self.metrics(evaluations)
        metric = compared_by(goal.metric, metrics)
        settings = self._objective.settings
        return Tested(
            sweep=self.summary.config.name,
            trial=self.trial,
            max_epochs=settings.max_epochs,
            seeds=seeds,
            metric=metric,
            values=() if metric is None else metrics[metric],
            maximise=goal.maximises,
            data=settings.data or self.config.objective,
        )

    def save(
        self,
        checkpoint: Path,
        confirmation: Confirmation | None,
        evaluations: Evaluations,
        test_reads: int,
    ) -> Path:
        """Save it with its card: what its `forward` takes in, what that returns out."""
        from search.tracking.models.save_module import ModuleCard, NotExported, save_module
        from search.training.manners import left_as_found

        launch = describe_launch()
        card = ModuleCard(
            name=f"{self.summary.config.name}-best",
            module=self.config.objective,
            sweep=self.summary.config.name,
            trial=self.trial,
            params=self._params,
            test={name: list(values) for name, values in self.metrics(evaluations).items()},
            confirmation=None if confirmation is None else confirmation.to_json(),
            code=launch["code"],
            versions=launch["versions"],
        )
        with left_as_found(1, gpus=0):
            module, data = self._trained(checkpoint)
            try:
                return save_module(module.eval(), _example(module, data), card, self.model_folder)
            except NotExported as error:
                raise NotSaved(str(error)) from error


def compared_by(metric: str, logged: dict[str, Any]) -> str | None:
    """The test's name for what the sweep optimised; None if it has none.

    >>> compared_by("val_acc", {"test_loss": 0.1, "test_acc": 0.9})
    'test_acc'
    """
    names = (metric.replace("valid", "test").replace("val", "test"), metric)
    return next((name for name in names if name in logged), None)


def _example(module: Any, data: Any) -> Any:
    """Two rows of the module's own `example_input_array`, or of the first batch that it trains on.

    Raises:
        NotSaved: there is none that can be served.
    """
    import torch

    from search.training.package import lightning_of

    if not _overrides(module, lightning_of(module).LightningModule, "forward"):
        raise NotSaved("it has no forward: define one that takes a batch of inputs")
    example = module.example_input_array
    if example is None:
        source = module if data is None else data
        source.prepare_data()
        source.setup("fit")
        batch = next(iter(source.train_dataloader()))
        example = batch[0] if isinstance(batch, tuple | list) else batch
    if not isinstance(example, torch.Tensor) or example.ndim == 0 or not len(example):
        raise NotSaved(
            f"its input is {type(example).__name__}, which is not served: set example_input_array to a tensor"
        )
    rows = example.detach().cpu()
    return rows[:2] if len(rows) > 1 else torch.cat([rows, rows])


def _overrides(each: Any, base: type, method: str) -> bool:
    return getattr(type(each), method) is not getattr(base, method)
