"""A whole sweep in this project and in other tools, side by side, each against the practical limit.

    uv run python -m benchmarks.sweeps ours ray_tune --data-dir images --repeats 3
    uv run python -m benchmarks.sweeps ours --smoke                     # must run; its times mean nothing

Sampler and pruner differ from tool to tool, and so do the trials that a sweep comes to. So after each sweep
`benchmarks/raw.py` does the very trials and epochs again, and what is compared is the ratio to that.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.work import SweepTimes, Work, replay
from cifar_cnn.prepare import prepare_data

PEERS = ("ours", "ray_tune", "optuna_lightning", "syne_tune_local")
ROOT = Path(__file__).parents[1]
_OUTPUT = "output.txt"  # of a peer, in its folder


@dataclass(frozen=True)
class Outcome:
    """One sweep of a peer, and the limit's time for its trials."""

    peer: str
    epochs: int
    seconds: float  # from the first trial's beginning to the last epoch's end
    limit_seconds: float  # the same epochs, in the plain loop
    command_seconds: float  # from the command to its end
    first_trial_seconds: float  # from the command to the first trial's beginning
    efficiency: float  # share of the slots' time in which a trial ran

    @property
    def ratio(self) -> float:
        """How many times the limit."""
        return self.seconds / self.limit_seconds

    def line(self) -> str:
        """For the screen."""
        return (
            f"{self.peer}: {self.epochs} epochs in {self.seconds:.1f} s, limit {self.limit_seconds:.1f} s, "
            f"ratio {self.ratio:.2f}, efficiency {self.efficiency:.2f}; "
            f"command {self.command_seconds:.1f} s, first trial after {self.first_trial_seconds:.1f} s"
        )


def main() -> None:
    """Run the peers in turn, as often as asked, and print medians and spreads."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("peers", nargs="+", choices=PEERS)
    parser.add_argument("--data-dir", type=Path, help="train/<class>/ and test/<class>/ with images")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, help="write each outcome as JSON")
    parser.add_argument("--smoke", action="store_true", help="tiny, on made-up images")
    arguments = parser.parse_args()
    if not arguments.smoke and arguments.data_dir is None:
        parser.error("--data-dir is needed, or --smoke")
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="sweeps-") as folder:
        smoke, data_dir = arguments.smoke, arguments.data_dir
        work = smoke_work(Path(folder)) if smoke else Work(str(data_dir.absolute()), folder)
        prepare_data(work.data)  # decoded before any time is taken
        for repeat in range(1 if smoke else arguments.repeats):
            for peer in arguments.peers:
                own = replace(work, folder=str(Path(folder, f"{peer}-{repeat}")), seed=repeat)
                outcomes.append(outcome(peer, own))
                print(outcomes[-1].line(), file=sys.stderr, flush=True)
                if arguments.out:
                    arguments.out.write_text(json.dumps([asdict(each) for each in outcomes], indent=1))
    print(table(outcomes))


def outcome(peer: str, work: Work) -> Outcome:
    """Run one sweep of a peer, then its trials in the plain loop."""
    began = time.time()
    _run(f"benchmarks.peers.{peer}", work)
    ended = time.time()
    times = SweepTimes.of(work)
    require_whole(peer, times, work)
    limit = replace(work, folder=f"{work.folder}-limit")
    _run("benchmarks.raw", limit, "--replay", json.dumps(replay(times.trials)))
    return Outcome(
        peer=peer,
        epochs=times.epochs,
        seconds=times.seconds,
        limit_seconds=SweepTimes.of(limit).seconds,
        command_seconds=ended - began,
        first_trial_seconds=times.trials[0].began - began,
        efficiency=times.efficiency(work.slots),
    )


def require_whole(peer: str, times: SweepTimes, work: Work) -> None:
    """Refuse a sweep that did less than it was given: it would count as speed.

    One trial more may be: two of Optuna's processes can each ask for the last.

    Raises:
        SystemExit: trials are missing, or ended before their first epoch did.
    """
    whole = sum(bool(trial.epoch_ends) for trial in times.trials)
    if whole < max(work.trials, len(times.trials)):
        raise SystemExit(f"{peer}: {whole} of {work.trials} trials trained an epoch:\n{_last_output(work)}")


def table(outcomes: list[Outcome]) -> str:
    """Medians, with the smallest and largest in brackets, as Markdown."""
    lines = [
        "| tool | n | seconds | epochs | times the limit | efficiency | first trial after |",
        "|---|---|---|---|---|---|---|",
    ]
    for peer in dict.fromkeys(each.peer for each in outcomes):
        own = [each for each in outcomes if each.peer == peer]
        cells = [
            _spread([each.seconds for each in own], 0),
            _spread([each.epochs for each in own], 0),
            _spread([each.ratio for each in own], 2),
            _spread([each.efficiency for each in own], 2),
            _spread([each.first_trial_seconds for each in own], 1) + " s",
        ]
        lines.append(f"| {peer} | {len(own)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def smoke_work(folder: Path) -> Work:
    """Work that takes seconds, on images of noise."""
    rng = np.random.default_rng(0)
    for part, count in (("train", 20), ("test", 2)):
        for label in range(10):
            target = folder / "images" / part / f"class{label}"
            target.mkdir(parents=True)
            for index in range(count):
                pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(target / f"{index}.png")
    return Work(str(folder / "images"), str(folder), trials=3, epochs=2, train_size=128, val_size=32)


def _run(module: str, work: Work, *options: str) -> None:
    Path(work.folder).mkdir(parents=True, exist_ok=True)
    with (Path(work.folder) / _OUTPUT).open("w") as output:
        command = [sys.executable, "-m", module, work.dumps(), *options]
        # Under `uv run`, Ray's own hook would start each of the Ray peer's workers through `uv run` again.
        env = {**os.environ, "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0", "PYTHONPATH": str(ROOT)}
        ended = subprocess.run(command, cwd=ROOT, env=env, stdout=output, stderr=subprocess.STDOUT)
    if ended.returncode:
        raise SystemExit(f"{module} failed:\n{_last_output(work)}")


def _last_output(work: Work) -> str:
    return "\n".join((Path(work.folder) / _OUTPUT).read_text().splitlines()[-30:])


def _spread(values: list[float] | list[int], digits: int) -> str:
    median = f"{statistics.median(values):.{digits}f}"
    return median if len(values) == 1 else f"{median} ({min(values):.{digits}f}-{max(values):.{digits}f})"


if __name__ == "__main__":
    main()
