"""A LightningModule trained as a trial, by Lightning's own loop, resumed from Lightning's own checkpoint.

For others: `arguments` (which parameters a module takes), `fitting` (a module that is there already),
`objective` (classes and a sweep's settings as a training function), `settings` (those settings),
`trainer_options` (which of the Trainer's options there are).
"""
