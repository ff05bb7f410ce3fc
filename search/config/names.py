"""Names are checked by the rules of whoever gets them, before anything starts. No name is a path."""

from __future__ import annotations

import hashlib
import posixpath
import re

from search.errors import UserError

NAME_RULE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # of a sweep: a folder, a study and a run
# What MLflow takes: parts between slashes, none of which begins with a dot.
METRIC_NAME = re.compile(r"[\w\- ][\w\-. ]*(/[\w\- ][\w\-. ]*)*", re.ASCII)
_LONGEST_KEY = 250  # of a metric, parameter or tag
_LONGEST_METRIC = _LONGEST_KEY - len("final_")
_LONGEST_TAG = 8000
_LONGEST_EXPERIMENT = 500
_LONGEST_MODEL = 256
_FOLDER_NAME = re.compile(r"[A-Za-z0-9_][\w.\- ]{0,99}", re.ASCII)


def check_metric(name: str) -> str:
    """A metric's name, as MLflow and the study's exports take it.

    Raises:
        ValueError: they do not.
    """
    if not METRIC_NAME.fullmatch(name) or len(name) > _LONGEST_METRIC:
        raise ValueError(
            f"a metric's name is 1 to {_LONGEST_METRIC} ASCII letters, digits, '_', '-', '.', spaces and "
            "slashes, and no part of it begins with a dot"
        )
    return name


def check_experiment(name: str) -> str:
    """The name of an MLflow experiment, which may hold slashes: servers have `/Users/me/mine`.

    Raises:
        ValueError: MLflow does not take it, or its database cannot hold it.
    """
    if not name.strip() or not name.isprintable() or len(name) > _LONGEST_EXPERIMENT:
        raise ValueError(f"an experiment's name is 1 to {_LONGEST_EXPERIMENT} printable characters")
    return name


def check_tags(tags: dict[str, str]) -> dict[str, str]:
    """Tags of an MLflow run.

    Raises:
        ValueError: MLflow does not take one of them.
    """
    for key, value in tags.items():
        if not METRIC_NAME.fullmatch(key) or len(key) > _LONGEST_KEY:
            raise ValueError(
                f"tag {key!r}: a tag's name is 1 to {_LONGEST_KEY} ASCII letters, digits, '_', '-', '.', "
                "spaces and slashes, and no part of it begins with a dot"
            )
        if len(value) > _LONGEST_TAG:
            raise ValueError(f"tag {key!r} has {len(value)} characters: MLflow takes {_LONGEST_TAG}")
    return tags


def check_model_name(name: str) -> None:
    """A name in MLflow's registry, by which `models:/NAME@ALIAS` finds it again.

    Raises:
        UserError: MLflow does not take it, or could not find it again.
    """
    unaddressable = set(name) & set("/:@'\"`\\")
    unlike_a_file = posixpath.normpath(name) != name or name.startswith(".")  # MLflow's own rule
    if not name.strip() or not name.isprintable() or unaddressable or unlike_a_file:
        raise UserError(
            f"`model_name={name}`: a model's name has printable characters without / : @ \\ or quotes, "
            "and does not begin with a dot"
        )
    if len(name) > _LONGEST_MODEL:
        raise UserError(f"`model_name={name[:20]}`... has {len(name)} characters: take {_LONGEST_MODEL}")


def folder_name(name: str) -> str:
    """A folder for what goes by a name, whatever is in it; two names never share one."""
    if _FOLDER_NAME.fullmatch(name):
        return name
    digest = hashlib.blake2b(name.encode(), digest_size=4).hexdigest()
    return f"_{re.sub(r'[^A-Za-z0-9_.-]+', '_', name)[:60]}-{digest}"
