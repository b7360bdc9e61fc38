"""The kinds of study: what each varies, and what its outcome is."""
