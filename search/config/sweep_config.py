"""A sweep's whole configuration: what its trials are, and how it is run, in one value that is saved."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from search.config import folder_file
from search.config.credentials import hide
from search.config.definition import Definition, migrated
from search.config.folder_file import CONFIG_FILE
from search.config.model import Settings, one_line
from search.config.names import NAME_RULE, check_tags
from search.config.places import absolute
from search.config.resources import STORED
from search.config.run_settings import URL_FIELDS, RunSettings
from search.errors import UserError


class SweepConfig(Definition, RunSettings):
    """Everything that a sweep is, flat: the fields of its definition and of its run, its name and kind.

    `definition()` decides what the trials are: it is kept in the study and may not change when the sweep is
    resumed. `run_settings()` says how the sweep is run here and now.

    >>> from spaces.registry import load_space
    >>> config = SweepConfig(
    ...     name="night",
    ...     space=load_space("quickstart"),
    ...     objective="package.module:train",
    ...     max_epochs=10,
    ...     trials=20,
    ...     time_budget="8h",
    ... )
    >>> config.definition().metric, config.run_settings().time_budget
    ('val_acc', 28800.0)
    """

    name: str = Field(description="Name of the sweep, its study and its MLflow parent run.")
    kind: Literal["sweep", "confirm", "retrain"] = Field(
        default="sweep", description="What the trials are for; a tag of the MLflow runs."
    )
    tags: dict[str, str] = Field(
        default_factory=dict,
        description="Further tags of the MLflow parent run: what a confirmation or retraining belongs to.",
    )

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if not NAME_RULE.fullmatch(name):
            raise ValueError(
                "a name is 1 to 64 letters, digits, '.', '_' or '-', and begins with a letter or digit"
            )
        return name

    @field_validator("tags")
    @classmethod
    def _check_tags(cls, tags: dict[str, str]) -> dict[str, str]:
        return check_tags(tags)

    @model_validator(mode="after")
    def _check_one_training(self) -> Self:
        if self.budget_epochs is not None and self.budget_epochs < self.max_epochs:
            if self.finish:
                raise ValueError(
                    f"`budget={self.budget}` with {self.kept_epochs} epochs kept back to `finish` trains no "
                    f"trial to its end, which takes {self.max_epochs}: give more, or leave `finish` out"
                )
            raise ValueError(
                f"`budget={self.budget}` trains no trial to its end, which takes {self.max_epochs} epochs: "
                "give `budget=1x` or more, or fewer `max_epochs`"
            )
        return self

    @property
    def folder(self) -> Path:
        """The sweep's own folder."""
        return self.sweeps_dir / self.name

    @property
    def storage_url(self) -> str:
        """URL of the study's storage, with the default filled in."""
        return self.storage or f"sqlite:///{self.folder / 'study.db'}"

    @property
    def checkpoint_root(self) -> str:
        """Where the trials' checkpoints lie, with the default filled in; never shared with another sweep."""
        if self.checkpoints is None:
            return str(self.folder / "checkpoints")
        place, mark, options = self.checkpoints.partition("?")  # s3://bucket?endpoint_override=...
        return f"{place.rstrip('/')}/{self.name}{mark}{options}"

    @property
    def whole_epochs(self) -> int | None:
        """Epochs that are trained in all, to finish too; None: the sweep's size is in trials alone."""
        if isinstance(self.budget, str):
            return int(self.budget.removesuffix("x")) * self.max_epochs
        return self.budget

    @property
    def kept_epochs(self) -> int:
        """Epochs of those that are kept back to finish."""
        return self.kept_trainings((self.whole_epochs or 0) / self.max_epochs) * self.max_epochs

    @property
    def budget_epochs(self) -> int | None:
        """Epochs that the search may train; None: the sweep's size is in trials alone."""
        return None if self.whole_epochs is None else self.whole_epochs - self.kept_epochs

    @property
    def most_trials(self) -> int:
        """Trials the sweep ends with at the latest: its epochs may be used up before, as a grid may be."""
        grid = self.space.size() if self.sampler == "grid" else None
        return min(most for most in (self.trials, self.budget_epochs, grid) if most is not None)

    @property
    def size_text(self) -> str:
        """How large the sweep is, in words: `16 trials of up to 6 epochs`."""
        if self.budget_epochs is None:
            return f"{self.most_trials} trials of up to {self.max_epochs} epochs"
        epochs = f"{self.budget_epochs} epochs in trials of up to {self.max_epochs}"
        kept = f"; {self.kept_epochs} more are kept back to finish" if self.finish else ""
        trials = "" if self.trials is None else f", {self.most_trials} trials at most"
        return f"{epochs}{trials}{kept}"

    def definition(self) -> Definition:
        """What the trials are: the part that a resume may not change."""
        return Definition.model_construct(**self._part(Definition))

    def run_settings(self) -> RunSettings:
        """How the sweep is run: the part that a resume may change."""
        return RunSettings.model_construct(**self._part(RunSettings))

    def _part(self, model: type[Settings]) -> dict[str, Any]:
        return {field: getattr(self, field) for field in model.model_fields}

    def shown(self) -> dict[str, Any]:
        """The whole configuration as plain JSON, without passwords: for others to read."""
        fields = self.model_dump(mode="json")
        return fields | {field: hide(fields[field]) for field in URL_FIELDS if fields[field] is not None}

    @classmethod
    def of(cls, definition: Definition, run: RunSettings, **identity: Any) -> SweepConfig:
        """The configuration with this definition and these settings of the run.

        Args:
            definition: what the trials are.
            run: how they are run.
            identity: `name`, and `kind` and `tags` if it is not just a sweep.
        """
        return cls(**{**dict(definition), **dict(run), **identity})

    def save(self, study_id: str | None = None) -> None:
        """Write the configuration into the sweep's folder, whole or not at all.

        Args:
            study_id: identity of its study, once that is made: a resume goes on with no other.
        """
        folder_file.write(
            self.folder,
            {"study_id": study_id, "name": self.name, "kind": self.kind, "tags": self.tags},
            self.definition().to_json(),
            # sweeps_dir is where the file is found, so writing it down would only break a moved folder.
            self.run_settings().model_dump(mode="json", exclude={"sweeps_dir"}),
        )

    @classmethod
    def load(cls, name: str, sweeps_dir: Path, given: Collection[str] = ()) -> SweepConfig:
        """Read the configuration of a sweep that exists.

        Args:
            name: of the sweep.
            sweeps_dir: where it lies.
            given: fields that are about to be replaced: their passwords need not be found.

        Raises:
            UserError: there is no such sweep, or its file cannot be read; names the sweeps there are.
        """
        path = sweeps_dir / name / CONFIG_FILE
        if not NAME_RULE.fullmatch(name) or not path.is_file():
            names = ", ".join(sweep_names(sweeps_dir))
            existing = f"the sweeps in it are {names}" if names else "it has no sweep"
            raise UserError(f"no sweep {name!r} in {sweeps_dir}; {existing}: check the name and `sweeps_dir`")
        try:
            fields = folder_file.read(absolute(path.parent), given)
            flat = {key: fields[key] for key in Definition.model_fields if key in fields}
            recorded = fields.pop("definition", flat)
            stored = {**fields, **migrated(recorded), "sweeps_dir": sweeps_dir}
            return cls.model_validate(stored, context=STORED)
        except UserError:
            raise
        except (AttributeError, OSError, TypeError, ValueError) as error:
            raise UserError(f"{path} cannot be read ({one_line(error)}): restore the file") from error


def sweep_names(sweeps_dir: Path) -> list[str]:
    """Names of the sweeps in a folder, sorted."""
    return sorted(path.parent.name for path in sweeps_dir.glob(f"*/{CONFIG_FILE}"))
