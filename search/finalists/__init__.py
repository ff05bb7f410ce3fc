"""The best of a sweep trained again: confirmed with fresh seeds, retrained, tested once.

For others, in this order: `repeats` (trainings of some configurations again), `confirm` (which is best
without luck), `retrain` (the winner, as a model), `reads_of_test` (the one reading of the test split),
`examine` (what the model does).
"""
