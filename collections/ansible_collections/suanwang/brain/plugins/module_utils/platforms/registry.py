# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Platform name → class. Static imports, alphabetical: a dynamic import does not reach a shipped module."""

from __future__ import annotations

from ..errors import Invalid
from .aofei import Aofei
from .custom import Custom
from .donau import Donau
from .openstack import OpenStack
from .prometheus import Prometheus
from .slurm import Slurm
from .tianyin import Tianyin

PLATFORMS = {
    Aofei.NAME: Aofei,
    Custom.NAME: Custom,
    Donau.NAME: Donau,
    OpenStack.NAME: OpenStack,
    Prometheus.NAME: Prometheus,
    Slurm.NAME: Slurm,
    Tianyin.NAME: Tianyin,
}


def platform_class(name):
    """Return the class of a platform, or raise Invalid with the names that exist."""
    try:
        return PLATFORMS[name]
    except KeyError:
        raise Invalid(f"there is no platform {name!r}.", way_out=f"Known: {', '.join(sorted(PLATFORMS))}.") from None
