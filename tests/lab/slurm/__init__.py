"""A stand-in for one Slurm cluster with slurmrestd that really runs its jobs: 22.05 (v0.0.36–38) or 24.11 (v0.0.40–42).

Sources: a real Slurm 22.05.8 observed on Debian 12 (what decides), and the field names of
``src/plugins/openapi/{v0.0.38,dbv0.0.38}`` of SchedMD's source. Its oddities are here on purpose. What 24.11.5 of
Debian 13 was seen to say otherwise over REST is in `newer`; the commands of the login node say what 22.05 says.
"""
