"""Many models, many times: studies through Ray Tune.

plan.py says what varies, pack.py gathers trials into packs, study.py keeps the folder, tune.py runs
what is missing.
"""
