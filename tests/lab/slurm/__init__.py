"""A stand-in for one Slurm 22.05 cluster with slurmrestd (v0.0.36–38) that really runs its jobs.

Sources: a real Slurm 22.05.8 observed on Debian 12 (what decides), and the field names of
``src/plugins/openapi/{v0.0.38,dbv0.0.38}`` of SchedMD's source. Its oddities are here on purpose.
"""
