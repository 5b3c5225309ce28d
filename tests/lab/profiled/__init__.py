"""Stand-ins for platforms that a profile describes: three faces before machines that really run jobs.

No H3C AoFei and no TianYin has been seen: their faces are modelled on public shapes, as the profiles are. What they
share with each other is here: the machines (those of the Slurm stand-in), files, routes.
"""
