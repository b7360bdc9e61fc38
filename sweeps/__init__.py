"""Studies: many models, trained in packs, stored in a directory, and resumed by subtraction.

folder.py is the directory of a study, studies/ plans and opens one, run/ trains its missing models,
retrain.py trains one of them again, and rebuild.py writes its files again.
"""
