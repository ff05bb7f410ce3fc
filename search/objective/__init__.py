"""What is trained: the training function, named, found again, sent to workers; its view of the sweep.

For others: `context` (a trial as the function sees it), `reference` (its name), `module` (where it lies),
`portable` (it on its way to the workers), `repeated` (it called again with fresh seeds).
"""

from search.objective.context import Objective, TrialContext, TrialStopped

__all__ = ["Objective", "TrialContext", "TrialStopped"]
