# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records of models that are served, as resources.py has them of the rest. Imports nothing of ours."""

from __future__ import annotations

from dataclasses import dataclass

SERVICE_STATES = ("starting", "running", "degraded", "stopping", "failed", "unknown")


@dataclass(frozen=True)
class ServiceSpec:
    """A model that is served: `replicas` copies of a script that answers HTTP at `port`. Resources are of one copy."""

    name: str
    label: str
    pool: str
    script: str
    workdir: str
    log: str
    environment: dict[str, str]
    replicas: int = 1
    port: int = 8000
    accelerators: int = 0
    accelerator: str | None = None
    cpu: int = 1
    memory_gib: float | None = None
    image: str | None = None


@dataclass(frozen=True)
class Service:
    """An inference service as a platform shows it. ready: copies that answer; url: one that we may open."""

    id: str
    name: str
    state: str
    native_state: str | None = None
    reason: str | None = None
    replicas: int | None = None
    ready: int | None = None
    url: str | None = None
    pool: str | None = None
    label: str | None = None
