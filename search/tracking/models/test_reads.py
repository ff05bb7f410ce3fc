"""Who has read a test set, as all who share a tracking store know it: tags of the retrainings' runs."""

from __future__ import annotations

from mlflow.entities import RunTag, ViewType

from search.tracking.answering import answering
from search.tracking.models.tested import TEST_SET
from search.tracking.store import TrackingStore

_READ = "sweep.test_read"


def note_read(store: TrackingStore, run_id: str, test_set: str, read: str) -> None:
    """Write to a retraining's run that it has read a test set; the same again changes nothing.

    Args:
        store: of the run.
        run_id: of the retraining.
        test_set: its digest.
        read: tells it from all other reads.

    Raises:
        TrackingDown: the store does not answer.
    """
    with answering(store.uri):
        store.client.log_batch(
            run_id, tags=[RunTag(TEST_SET, test_set), RunTag(_READ, read)], synchronous=True
        )


def reads_in_store(store: TrackingStore, test_set: str) -> set[str]:
    """The reads of a test set in all experiments of a store, those of deleted runs too: they have happened.

    Raises:
        TrackingDown: the store does not answer.
    """
    reads: set[str] = set()
    with answering(store.uri):
        experiments, token = [], None
        while True:
            some = store.client.search_experiments(ViewType.ALL, page_token=token)
            experiments += [experiment.experiment_id for experiment in some]
            if not (token := some.token):
                break
        while True:
            runs = store.client.search_runs(
                experiments, f"tags.`{TEST_SET}` = '{test_set}'", ViewType.ALL, page_token=token
            )
            reads |= {run.data.tags[_READ] for run in runs if _READ in run.data.tags}
            if not (token := runs.token):
                return reads
