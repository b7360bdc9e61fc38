"""Can the protected attribute still be read off? Fresh probes on what a model gives away.

Read probes.py first: it reads groups off columns of numbers and says how sure that is. sources.py
gets those columns out of models, audit.py asks for every attribute and source; the report presents what it finds.
"""
