"""From records to what a person reads: tables.py, words.py, figures.py, page.py, in that order."""
