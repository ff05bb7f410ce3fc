"""Many runs: ask, place, prune, log, resume, retrain."""

import os

from cifar_cnn.home import provide_home

provide_home()  # before any library looks for one

# Ray reads this when it is first imported. Under `uv run` its hook would otherwise start every worker
# through `uv run` again, in a copied folder: 18 to 40 s before the first trial. On a cluster the nodes
# have the environment installed.
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
# Likewise. A local Ray is reached over loopback alone, as on macOS: it needs no network, looks no host name
# up, outlives a change of the machine's address, and opens no port to others. (A cluster is joined at its
# own address, whatever this says.)
os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
