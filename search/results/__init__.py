"""What trials came to, and how sure that is. Reads records alone.

For others: `summary` (one sweep), `comparison` (several), `listing` (all of a folder), `leaderboard` (the
best, importances, what pruning saved), `utilisation` (of the slots), `size` (how much of it is used),
`configurations` (each trial is a seed of one), `cost` (core-hours and GPU-hours), `outlook` (what another
hour would bring), `freezing` (rungs and thaws), `statistics` (what a few seeds say), `next_steps` (what to
do now), and for tables that people read `columns` (what they are called, which of them fit), `influence`
(which parameters come first) and `digits` (how numbers are written).
"""
