"""A LightningModule trained as a trial, by Lightning's own loop, resumed from Lightning's own checkpoint.

For others: `arguments` (which parameters a module takes), `fitting` (a module that is there already),
`gpus` (whether torch can use them), `manners` (a process left as it was), `objective` (classes and a
sweep's settings as a training function),
`package` (which Lightning a module is of), `settings`, `trainer_options` (which of the Trainer's there are).
"""
