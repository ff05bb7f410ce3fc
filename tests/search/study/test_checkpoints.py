"""Checkpoints are written whole, found again after any crash, and dropped when nothing needs them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sweep_makers import epoch

from search.errors import UserError
from search.study.checkpoints import MANIFEST, OWNER, CheckpointStore, checkpoint_path
from search.study.records import Epoch


@pytest.fixture(params=["{}", "file://{}"], ids=["folder", "URI"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> CheckpointStore:
    """A store in `tmp_path / "checkpoints"`, named in both ways."""
    return CheckpointStore(request.param.format(tmp_path / "checkpoints"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where the store's files lie."""
    return tmp_path / "checkpoints"


def history(number: int, epochs: int) -> tuple[Epoch, ...]:
    """The epochs of a trial, each with its checkpoint."""
    return tuple(epoch(n, n / 10, checkpoint=checkpoint_path(number, n)) for n in range(1, epochs + 1))


def save(store: CheckpointStore, number: int, epochs: int, folder: Path) -> None:
    """A checkpoint of a few files whose content tells the epoch."""
    (folder / "deep" / "er").mkdir(parents=True, exist_ok=True)
    (folder / "model.pt").write_bytes(f"model after {epochs}".encode())
    (folder / "deep" / "er" / "optimizer.pt").write_bytes(bytes([epochs]) * 3_000_000)
    (folder / "empty").write_bytes(b"")
    store.save(number, history(number, epochs), folder)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def folders(root: Path) -> list[str]:
    """The checkpoints that lie there, whole or not."""
    return sorted(str(path.relative_to(root)) for path in root.glob("trial-*/*"))


def test_what_was_saved_comes_back_with_its_history(store: CheckpointStore, tmp_path: Path) -> None:
    save(store, 7, 3, tmp_path / "files")
    newest, faults = store.newest(7)
    assert newest is not None
    assert (newest.path, newest.history, faults) == ("trial-007/epoch-0003", history(7, 3), [])
    fetched = store.fetch(newest, tmp_path / "fetched")
    assert contents(fetched) == contents(tmp_path / "files")


def test_a_trial_without_checkpoints_has_none(store: CheckpointStore) -> None:
    assert store.newest(7) == (None, [])


def test_the_newest_two_are_kept(store: CheckpointStore, root: Path, tmp_path: Path) -> None:
    for epochs in (1, 2, 3, 12):
        save(store, 7, epochs, tmp_path / "files")
    save(store, 8, 1, tmp_path / "files")
    assert folders(root) == ["trial-007/epoch-0003", "trial-007/epoch-0012", "trial-008/epoch-0001"]
    newest, _ = store.newest(7)
    assert newest is not None
    assert newest.history[-1].epoch == 12


def test_saving_an_epoch_again_replaces_it(store: CheckpointStore, tmp_path: Path) -> None:
    save(store, 7, 3, tmp_path / "files")
    (tmp_path / "files" / "empty").unlink()
    (tmp_path / "files" / "model.pt").write_bytes(b"trained again")
    store.save(7, history(7, 3), tmp_path / "files")
    newest, _ = store.newest(7)
    assert newest is not None
    assert contents(store.fetch(newest, tmp_path / "fetched")) == contents(tmp_path / "files")


def cut_manifest(folder: Path) -> None:
    text = (folder / MANIFEST).read_bytes()
    (folder / MANIFEST).write_bytes(text[: len(text) // 2])


def drop_manifest(folder: Path) -> None:
    (folder / MANIFEST).rename(folder / f"{MANIFEST}.part")  # killed just before it was whole


def zero_manifest(folder: Path) -> None:
    (folder / MANIFEST).write_bytes(bytes(len((folder / MANIFEST).read_bytes())))


def forget_history(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({"files": manifest["files"]}))


def flip_a_bit(folder: Path) -> None:
    file = folder / "deep" / "er" / "optimizer.pt"
    data = bytearray(file.read_bytes())
    data[2_500_000] ^= 1
    file.write_bytes(data)


def cut_a_file(folder: Path) -> None:
    (folder / "model.pt").write_bytes(b"model")


def lose_a_file(folder: Path) -> None:
    (folder / "empty").unlink()


DAMAGES = [cut_manifest, drop_manifest, zero_manifest, forget_history, flip_a_bit, cut_a_file, lose_a_file]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_told_and_the_one_before_is_taken(
    store: CheckpointStore, root: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    for epochs in (1, 2):
        save(store, 7, epochs, tmp_path / "files")
    damage(root / "trial-007" / "epoch-0002")
    newest, faults = store.newest(7)
    assert newest is not None
    assert newest.history == history(7, 1)
    [fault] = faults
    assert fault.startswith("checkpoint trial-007/epoch-0002 is not whole (")
    assert "\n" not in fault


@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_a_manifest_cut_anywhere_is_no_manifest(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    store = CheckpointStore(str(folder / "checkpoints"))
    (folder / "files").mkdir()
    (folder / "files" / "model.pt").write_bytes(b"model")
    store.save(7, history(7, 1), folder / "files")
    manifest = folder / "checkpoints" / "trial-007" / "epoch-0001" / MANIFEST
    text = manifest.read_bytes()
    kept = data.draw(st.integers(0, len(text) - 1))
    zeros = data.draw(st.booleans())  # a power cut leaves the length and loses the content
    manifest.write_bytes(text[:kept] + bytes(len(text) - kept) * zeros)
    newest, faults = store.newest(7)
    assert newest is None
    assert len(faults) == 1


def test_with_all_damaged_a_trial_starts_again_and_its_new_checkpoints_stay(
    store: CheckpointStore, root: Path, tmp_path: Path
) -> None:
    for epochs in (4, 5):
        save(store, 7, epochs, tmp_path / "files")
        cut_manifest(root / "trial-007" / f"epoch-{epochs:04d}")
    newest, faults = store.newest(7)
    assert newest is None
    assert len(faults) == 2
    for epochs in (1, 2):
        save(store, 7, epochs, tmp_path / "files")
    newest, _ = store.newest(7)
    assert newest is not None
    assert newest.history == history(7, 2)


def test_a_half_written_checkpoint_is_written_anew(
    store: CheckpointStore, root: Path, tmp_path: Path
) -> None:
    half = root / "trial-007" / "epoch-0001"
    half.mkdir(parents=True)
    (half / "left over").write_bytes(b"of an attempt that was killed")
    save(store, 7, 1, tmp_path / "files")
    assert sorted(contents(half)) == ["deep/er/optimizer.pt", "empty", MANIFEST, "model.pt"]


def test_retain_keeps_these_trials_and_nothing_else_of_trials(
    store: CheckpointStore, root: Path, tmp_path: Path
) -> None:
    for number in (1, 2, 3, 1000):
        save(store, number, 1, tmp_path / "files")
    (root / "notes").mkdir()
    store.retain({2, 1000})
    assert sorted(path.name for path in root.iterdir()) == ["notes", "trial-002", "trial-1000"]


def test_discard_drops_one_trial(store: CheckpointStore, root: Path, tmp_path: Path) -> None:
    for number in (1, 2):
        save(store, number, 1, tmp_path / "files")
    store.discard(1)
    store.discard(5)  # there is none: nothing to do
    assert [path.name for path in root.iterdir()] == ["trial-002"]
    assert store.newest(1) == (None, [])


def test_retain_and_discard_before_anything_was_saved(store: CheckpointStore, root: Path) -> None:
    store.retain(set())
    store.discard(0)
    assert not root.exists()


def test_a_folder_belongs_to_one_study(store: CheckpointStore, root: Path) -> None:
    store.claim("one")
    store.claim("one")
    store.retain(set())
    with pytest.raises(UserError, match="those of another study") as refusal:
        store.claim("other")
    assert str(root) in str(refusal.value)
    assert {path.name for path in root.iterdir()} == {OWNER}


def test_a_claim_cut_short_is_made_again(store: CheckpointStore, root: Path) -> None:
    root.mkdir()
    (root / f"{OWNER}.part").write_text("on")
    store.claim("one")
    with pytest.raises(UserError, match="another study"):
        store.claim("other")


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot be used"):
        CheckpointStore(str(tmp_path / "file" / "checkpoints")).claim("one")


@pytest.mark.parametrize("uri", ["nowhere://bucket/x", "relative/folder", ""])
def test_what_no_worker_reaches_is_refused(uri: str) -> None:
    with pytest.raises(UserError, match="cannot be reached") as refusal:
        CheckpointStore(uri)
    assert repr(uri) in str(refusal.value)
