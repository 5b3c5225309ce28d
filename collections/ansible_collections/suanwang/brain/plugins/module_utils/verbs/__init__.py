# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module name → Verb. A static table, so that a shipped module carries what it needs."""

from __future__ import annotations

from .alarm import ALARM_INFO
from .artifact import ARTIFACT
from .conformance import CONFORMANCE_INFO
from .dataset import DATASET
from .dataset import DATASET_INFO
from .inference_service import INFERENCE_SERVICE
from .inference_service import INFERENCE_SERVICE_INFO
from .instance import INSTANCE
from .instance import INSTANCE_INFO
from .job import JOB
from .job import JOB_INFO
from .path import PATH_INFO
from .pools import POOL_INFO
from .quota import QUOTA
from .quota import QUOTA_INFO
from .reservation import RESERVATION
from .reservation import RESERVATION_INFO

VERBS = {
    "alarm_info": ALARM_INFO,
    "artifact": ARTIFACT,
    "conformance_info": CONFORMANCE_INFO,
    "dataset": DATASET,
    "dataset_info": DATASET_INFO,
    "inference_service": INFERENCE_SERVICE,
    "inference_service_info": INFERENCE_SERVICE_INFO,
    "instance": INSTANCE,
    "instance_info": INSTANCE_INFO,
    "job": JOB,
    "job_info": JOB_INFO,
    "path_info": PATH_INFO,
    "pool_info": POOL_INFO,
    "quota": QUOTA,
    "quota_info": QUOTA_INFO,
    "reservation": RESERVATION,
    "reservation_info": RESERVATION_INFO,
}
