"""A controller that answers as AWX 24.6.1 was seen to, and really runs its jobs, in an environment like its own.

``objects`` what there is; ``lists`` how it is asked for; ``launching`` templates and surveys; ``work`` jobs and
updates as processes; ``runner`` such a process; ``routes`` the API. State is in memory, work in a folder.
"""
