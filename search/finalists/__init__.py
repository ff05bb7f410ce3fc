"""The best of a sweep trained again: confirmed with fresh seeds, retrained, tested once.

For others, in this order: `choosing` (which trials), `training_images` (what a CNN learns from then),
`repeats` (configurations trained again), `confirm` (which is best without luck), `retrain` (the winner,
trained and tested), `publish` (its model in MLflow), `reads_of_test` (who has read a test set), `examine`
(what the model does), `finishing` (how much of it a budget pays for), `spending` (what it all has taken).
What a retraining makes is in product, of CNNs in images, of other LightningModules in modules.
"""
