"""A stand-in for Donau Scheduler: its commands on a real SSH login node, which really run jobs.

Shaped by what is public (references in the platform file): the words, columns and sentences that openEuler's wrappers
read, both generations of options. What nobody has published is made up here, and said to be where it stands.
"""
