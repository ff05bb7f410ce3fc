"""What tests of the documents share with those of scripts and servers is found there."""

import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS / "sweeps"), str(TESTS / "serving")]
