"""The one truth: the study, its only writer, and everything that guards it.

For others, to read: `records` (what is known of a trial), `hand_outs` (how far it was handed out, and why),
`epochs` (how many it has used), `opening` (a sweep's study, opened), `snapshot` (a copy of it in memory),
`reading` (its records and counts), `launch_notes` (what it was run with).

To write: `ledger` (the only writer), `transitions` (what may become of a trial), `promotion` (what a free
slot may do), `stopping` (a trial, from outside of its driver), `creating` (a study and its definition),
`lease` (one driver at a time), `database` (the storage), `checkpoints` (of trials), `failpoints` (where a
test may kill).

For samplers: `lessons` (what trials teach that failed), `changes` (which have changed since the last look),
`optuna_private` (what Optuna shows nobody).
"""
