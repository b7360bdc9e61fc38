"""Many models, many times: studies through Ray Tune.

plan.py says what is asked for, pack.py gathers trials into packs, study.py keeps the folder,
cluster.py starts or joins Ray, tune.py runs what is missing.
"""
