# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every platform answers: the verbs, and a sentence for each one it cannot do."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from ..errors import Invalid
from ..errors import Unsupported

try:
    import jmespath
except ImportError:  # ansible-test imports this file without our requirements
    jmespath = None

VERBS = (
    "ping pools alarms usage quota set_quota reserve reservation release put_dataset dataset remove_dataset"
    " submit job jobs cancel log fetch_artifact serve inference_service unserve"
    " create_instance instance delete_instance access set_access remove_access"
).split()


@functools.cache
def compiled(expression):
    """Return a JMESPath expression of a platform's FIELDS, compiled once."""
    if jmespath is None:
        raise Invalid("the Python library jmespath is missing.", way_out="Install requirements.txt.")
    return jmespath.compile(expression)


@dataclass(frozen=True)
class NameRule:
    """What a platform allows as a name. unique: the platform itself refuses the same name twice."""

    length: int
    characters: str
    unique: bool = False
    dot: bool = True

    def check(self, name):
        """Return name, or raise Invalid where the platform would cut or refuse it."""
        if len(name) > self.length or not re.fullmatch(f"[{self.characters}]+", name):
            raise Invalid(f"{name!r} does not fit the platform's names ({self.length} of [{self.characters}]).")
        return name


class Platform:
    """One platform endpoint of one site, for one account.

    connection: sites.Connection, which hands out the site and endpoint records, the account's secret at use, an
    http session and the endpoint that moves files. A subclass fills the class attributes and the verbs it has.
    """

    #: Every verb there is; `can` says which of them it has.
    VERBS = tuple(VERBS)
    NAME = ""
    NAME_RULE = NameRule(64, "A-Za-z0-9._-")
    FIND_BY_NAME = "none"
    KEEPS_LABEL = False
    #: It has no pools, and watches those of other platforms of its site.
    OBSERVES = False
    #: How it holds what a run will need: `reservation`, `standing` (what runs there holds it), or `none`.
    RESERVES = "none"
    #: Jobs of one run at one endpoint see each other's files. Where not, each has a machine of its own.
    SHARED_FILES = True
    #: verb → why not. A verb that is not here works.
    CAPABILITIES = dict.fromkeys(VERBS, "This platform file has no such verb.")

    def __init__(self, connection):
        self.connection = connection
        self.site = connection.site
        self.endpoint = connection.endpoint
        self.account = connection.account

    @classmethod
    def check_endpoint(cls, folder, endpoint):
        """Raise Invalid for what this platform cannot take of a site file's endpoint. folder: the config folder."""
        if endpoint.profile:
            raise Invalid(f"the platform {cls.NAME} has no profile.", way_out="Take `profile` out.")

    @classmethod
    def can(cls, verb):
        """Return None where the verb works, else the sentence that says why not."""
        sentence = cls.CAPABILITIES.get(verb)
        own = getattr(Platform, verb, None)
        if sentence is None and own and getattr(cls, verb) is own:
            return "this platform file has no such verb."
        return sentence

    @classmethod
    def runs_jobs(cls, endpoint):
        """Return whether work of plans can be placed at an endpoint of this platform."""
        return cls.can("submit") is None

    def mend(self, error):
        """Return which line of a site's own table an error is about, or the table; None where there is no table."""

    def refuse(self, verb):
        raise Unsupported(f"{self.NAME} cannot {verb}: {self.can(verb)}", site=self.site.id, request=verb)

    # -- perception: facts, as the platform states them ----------------------------------------------------
    def ping(self):
        """Return {version, api}: that the platform answers, and as what."""
        self.refuse("ping")

    def pools(self):
        """Return Pool records with what the platform knows; prices, power and runtimes are the site's."""
        self.refuse("pools")

    def alarms(self):
        """Return Alarm records."""
        self.refuse("alarms")

    def usage(self):
        """Return the Observation of a monitoring system: measured use and alarms, for pools of other platforms."""
        self.refuse("usage")

    def quota(self):
        """Return Quota records of the account."""
        self.refuse("quota")

    def set_quota(self, account, limits):
        """Set limits, resource → number, of a native account. Needs an administrator's account of ours."""
        self.refuse("set_quota")

    # -- work ------------------------------------------------------------------------------------------------
    def job(self, name):
        """Return the Job of that name, the newest where there are several, or None.

        None only if the platform said so without an error; anything else raises.
        """
        self.refuse("job")

    def jobs(self):
        """Return all Jobs that the platform still shows."""
        self.refuse("jobs")

    def submit(self, spec):
        """Submit a JobSpec once, without retry, and return its Job."""
        self.refuse("submit")

    def cancel(self, job):
        """Ask for the end of a Job. One that has ended already is fine."""
        self.refuse("cancel")

    # -- holding: whole nodes of a pool for our user -----------------------------------------------------------
    def reserve(self, spec):
        """Make the Reservation of a ReservationSpec, once, and return it.

        Conflict: there is one of that name, ours or not. Refused: not those nodes at that time. Unsupported also
        where the site file leaves out what this needs. Unreachable: look it up by name before anything else.
        """
        self.refuse("reserve")

    def reservation(self, name):
        """Return the Reservation of that name, or None only if the platform said so without an error."""
        self.refuse("reservation")

    def release(self, name):
        """Give a Reservation back. One that is gone is fine; Refused with details.in_use while jobs need it."""
        self.refuse("release")

    # -- serving: a model that answers until it is ended ------------------------------------------------------
    def serve(self, spec):
        """Make the inference service of a ServiceSpec, or bring the one of that name to it; return its Service.

        Unreachable: look it up by name before anything else.
        """
        self.refuse("serve")

    def inference_service(self, name):
        """Return the Service of that name, or None only if the platform said so without an error."""
        self.refuse("inference_service")

    def unserve(self, name):
        """End an inference service. One that is gone is fine."""
        self.refuse("unserve")

    # -- machines ----------------------------------------------------------------------------------------------
    def instance(self, name):
        """Return the Instance of that name, or None only if the platform said so without an error."""
        self.refuse("instance")

    def create_instance(self, spec):
        """Ask for the machine of an InstanceSpec once, without retry, and return its Instance."""
        self.refuse("create_instance")

    def delete_instance(self, instance):
        """Ask for the end of an Instance. One that is gone is fine."""
        self.refuse("delete_instance")

    def access(self, name, group):
        """Return the Access that a machine has, or would have by what carries its name already; None without any."""
        self.refuse("access")

    def set_access(self, spec):
        """Bring what reaches the machine of an InstanceSpec to exactly its ports; return its Access.

        Each thing is looked for by its name before it is made, so that a call may be repeated.
        """
        self.refuse("set_access")

    def remove_access(self, name, group):
        """Remove what lets others reach a machine. What is gone is fine, and a group that others use stays."""
        self.refuse("remove_access")

    # -- files: by the endpoint that the site file names under `data` -----------------------------------------
    @property
    def files(self):
        """Return the ssh.Files of the data endpoint."""
        return self.connection.files()

    def files_of(self, run, component):
        """Return the files that the job of a component works on, as SiteFiles; None where they are gone with it."""
        return self.files
