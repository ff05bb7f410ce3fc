"""The documents that `--json` writes: what each command tells programs.

docs/reference/json.md is made of them. Every key is always there. A number that is not finite is null.
"""

from __future__ import annotations

from collections.abc import Mapping

from scripts.documents.models import Evaluation, Retraining
from scripts.documents.parts import Document
from scripts.documents.sweeps import (
    Comparison,
    Files,
    Listing,
    Plan,
    SavedFile,
    Stopped,
    SweepEnd,
    Synchronised,
)

# What each command writes; the first where nothing else was asked for.
DOCUMENTS: Mapping[str, tuple[type[Document], ...]] = {
    "launch_sweep.py": (SweepEnd, Plan, SavedFile),
    "resume_sweep.py": (SweepEnd,),
    "list_sweeps.py": (Listing,),
    "compare_trials.py": (Comparison,),
    "stop_trial.py": (Stopped,),
    "report_sweep.py": (Files,),
    "retrain_best.py": (Retraining,),
    "evaluate_model.py": (Evaluation,),
    "sync_mlflow.py": (Synchronised,),
}
