"""The process of one lab site: its platforms' REST, its login node, its control API, its faults and counters."""
