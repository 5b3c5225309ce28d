"""Launching: a row of the database becomes one playbook process, and is followed to its end, whoever dies meanwhile."""
