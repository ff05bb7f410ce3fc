"""What a sweep is: its configuration, checked, and where its things lie.

For others: `sweep_config` (the whole of it), of which `definition` (what the trials are) and `run_settings`
(how they are run) are the parts, `method` what needs no Optuna to be said, and `model` what all settings
share; `folder_file` (`sweep.json`), `goals` (a metric and its direction), `names` (checked by the rules of
whoever gets them), `places` (made absolute), `credentials` (hidden).
"""
