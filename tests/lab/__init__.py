"""The lab: data centres as processes on loopback, shaped by the traps of the real servers.

Each site answers REST over HTTPS and SSH like the software it stands for, *runs the jobs it is given
as real processes*, keeps their files, counts what was asked of it and injects faults on request.
No root, no network but loopback. Start one with :class:`tests.lab.lab.Lab` or ``python -m tests.lab``.
"""
