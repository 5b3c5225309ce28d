# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A platform whose API is described by a profile. A subclass is a name and a table.

What the engine asks of a platform: a list of pools, one of nodes with what is taken of them, one of live jobs and,
where that forgets finished ones, a history; a submit that names the job, at once or by an operation to poll; a cancel.
"""

from __future__ import annotations

import functools
import time
from collections import Counter
from dataclasses import replace

from .. import configfile
from .. import nodefacts
from ..errors import BrainError
from ..errors import Invalid
from ..errors import NotFound
from ..errors import Refused
from ..errors import Unreachable
from ..platforms.base import compiled
from ..platforms.base import Platform
from ..resources import Job
from ..resources import JOB_ENDED
from ..resources import Pool
from . import language
from . import records
from .files import ApiFiles
from .language import number
from .records import Reader
from .talk import Talk

SUBMIT_S = 40
POLL_S = 0.5
#: kind of row → fields without which it says nothing
NEEDED = {"pool": ("name",), "node": ("name", "pools", "cpu"), "job": ("id", "name", "state")}


class Profiled(Platform):
    """One endpoint of a platform with a profile. PROFILE: the shipped one; a site's file is laid over it."""

    PROFILE = None
    #: Of a class without a profile: the rest is as the site's file says.
    CAPABILITIES = language.ABSENT

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        if cls.PROFILE:
            cls._take(cls, cls.PROFILE)

    def __init__(self, connection):
        super().__init__(connection)
        self.profile = self.checked_profile(connection.config.folder, self.endpoint.profile)
        self._take(self, self.profile, self.endpoint.data)
        self.can = self.CAPABILITIES.get
        self.talk = Talk(connection, self.profile, self.NAME)
        self.reader = Reader(self.profile, self.site, self.endpoint, self.NAME)
        self._ids = {}

    @staticmethod
    def _take(target, profile, data=None):
        """Let a class or an instance say of itself what its profile says."""
        target.NAME_RULE = language.name_rule(profile)
        target.FIND_BY_NAME = profile["names"]["find"]
        target.KEEPS_LABEL = profile["keeps_label"]
        target.CAPABILITIES = language.capabilities(profile, data)

    @classmethod
    def checked_profile(cls, folder, file):
        """Return the profile of an endpoint: ours, with the site's own file over it. Raises Invalid with its line."""
        if cls.PROFILE is None and not file:
            raise Invalid(f"the platform {cls.NAME} is nothing but a profile.", way_out="Add `profile: <file>`.")
        return language.effective(cls.PROFILE, folder / file if file else None)

    @classmethod
    def check_endpoint(cls, folder, endpoint):
        cls.checked_profile(folder, endpoint.profile)

    # -- what a site's own table says wrong ----------------------------------------------------------
    def mend(self, error):
        """Return the line of the profile that made the request of an error; the profile where none is known."""
        request = error.request if error else None
        if error and "keys" in error.details:
            return self._place(*error.details["keys"])
        for noun, entry in self.profile["paths"].items():
            if request == f"{entry['method']} {entry['path']}":
                return self._place("paths", noun)
        login = self.profile["auth"].get("login")
        if login and request == f"{login['method']} {login['path']}":
            return self._place("auth", "login")
        return self._place()

    def _place(self, *keys):
        if not self.endpoint.profile:
            return f"the shipped profile of {self.NAME}: {'.'.join(keys)}".removesuffix(": ")
        file = self.connection.config.folder / self.endpoint.profile
        return f"{configfile.place(file, keys)}: {'.'.join(keys)}" if keys else str(file)

    # -- perception ----------------------------------------------------------------------------------
    def ping(self):
        """Return {version, api}: what the platform says of itself, else whose shape its profile has."""
        data, fields = self.talk.call("ping"), self.profile["fields"].get("ping", {})
        said = {name: compiled(text).search(data) for name, text in fields.items()}
        shape = self.profile["about"]["shape"]
        return {"version": str(said.get("version") or "not said"), "api": f"{shape}, profile language 1"}

    def pools(self):
        """Return one Pool a partition; `partial`, with the reason, where a side fact or a part of a list is missing."""
        missed, now, reader = [], time.time(), self.reader
        rows = self._list("pools", "pool", missed)
        nodes = [reader.node(row) for row in self._list("nodes", "node", missed)]
        loads = [reader.load(row) for row in self._list("jobs", "job", missed)]
        limits = self._or_missed("quota", self.quota, missed)
        alarms = self._or_missed("alarms", self._alarms, missed)
        images = self._images(missed)
        members = {row["name"]: [node for node, pools in nodes if row["name"] in pools] for row in rows}
        domains = self._domains(members)
        found = []
        for row in rows:
            name, mine = row["name"], members[row["name"]]
            native, places = nodefacts.accelerator(mine), {None, name, *(node.name for node in mine)}
            facts = nodefacts.capacity_facts(mine, native)
            here = [load for load in loads if load.job.pool == reader.pool_id(name)]
            found.append(
                Pool(
                    id=reader.pool_id(name),
                    name=name,
                    serves=self.can("serve") is None,
                    site=self.site.id,
                    platform=self.NAME,
                    endpoint=self.endpoint.id,
                    domains=(domains[name],),
                    accelerator=reader.accelerator(native, facts["capacity"].accelerators),
                    max_wall_s=records.seconds(row, "wall"),
                    quota=tuple(limits),
                    images=images,
                    alarms=tuple(replace(one, domain=domains[name]) for one, place in alarms if place in places),
                    open=row.get("open", True) is True,
                    seen=reader.seen(row, len(mine), missed, now),
                    **facts,
                    **records.queue(row, nodefacts.queue_facts(here, facts, now)),
                )
            )
        return found

    def alarms(self):
        """Return Alarms, each once."""
        return [alarm for alarm, _place in self._alarms()]

    def quota(self):
        """Return the account's limits as the platform states them."""
        if self.can("quota"):
            self.refuse("quota")
        return [self.reader.quota(row, self.connection.tenant) for row in self.talk.rows("quota", "quota").rows]

    # -- work ----------------------------------------------------------------------------------------
    def job(self, name):
        """Return the newest Job of that name, or None where live list and history both said so."""
        live = self._running(name) or self._live(name)
        if live or not self.talk.can("history"):
            return self._known(live)
        since = language.written(records.since(name), self.profile["time"])
        rows = self.talk.rows("history", "job", name=name, since=since).rows
        past = self.reader.newest([row for row in rows if row["name"] == name])
        if past is None:
            return None
        job = self.reader.job(past)
        if job.state in (*JOB_ENDED, "unknown"):
            return job
        # The two were asked one after the other: it may have appeared in between.
        live = self._known(self._live(name))
        return live or replace(job, state="failed", reason="lost: the live list no longer knows it")

    def jobs(self):
        return [self.reader.job(row) for row in self.talk.rows("jobs", "job").rows]

    def submit(self, spec):
        """Submit once. Unreachable with details.doubt: look it up by name before anything else."""
        self.NAME_RULE.check(spec.name)
        pool = spec.pool.rpartition("/")[2]
        words = self._words(spec, pool)
        request, way = f"POST {self.profile['paths']['submit']['path']}", self.profile["asynchronous"]
        data = self.talk.call("submit", timeout_s=SUBMIT_S, **words)
        if way["kind"] == "operation":
            data = self._operation_done(data, request)
        found = compiled(way["id"]).search(data)
        if not self._is_id(found):
            raise self._doubt(f"it took the job but names no id of one ({found!r})", request)
        return Job(
            id=str(found),
            name=spec.name,
            state="queued",
            pool=self.reader.pool_id(pool),
            label=spec.label if self.KEEPS_LABEL else None,
        )

    def cancel(self, job):
        """Ask for the end of a Job, if its id is still that of its name and it has not ended."""
        row = self._by_id(job.id, job.name)
        if row and self.reader.job(row).state not in JOB_ENDED:
            self.talk.call("cancel", id=self._typed(job.id))

    # -- serving -------------------------------------------------------------------------------------
    def serve(self, spec):
        """Make a service, or bring the one of that name to the spec: in place, else ended and made anew."""
        for verb in ("serve", "inference_service"):
            if self.can(verb):
                self.refuse(verb)
        self.NAME_RULE.check(spec.name)
        pool = spec.pool.rpartition("/")[2]
        words = self._words(spec, pool) | {"replicas": spec.replicas, "port": spec.port, "id": None}
        there = self._service(spec.name)
        if there and self.talk.can("update"):
            self.talk.call("update", timeout_s=SUBMIT_S, **{**words, "id": there["id"]})
        else:
            if there:
                self.talk.call("unserve", id=there["id"])
            self.talk.call("serve", timeout_s=SUBMIT_S, **words)
        made = self.inference_service(spec.name)
        if made is None:
            raise self._doubt("it took the service but does not show it", "serve")
        return made

    def inference_service(self, name):
        if self.can("inference_service"):
            self.refuse("inference_service")
        row = self._service(name)
        return self.reader.service(row, self.connection.http.foreign_url) if row else None

    def unserve(self, name):
        if self.can("unserve"):
            self.refuse("unserve")
        row = self._service(name)
        if row:
            self.talk.call("unserve", id=row["id"])

    # -- files ---------------------------------------------------------------------------------------
    @property
    def files(self):
        """Return the Files of the endpoint named under `data`, else those of the platform's own API."""
        if self.endpoint.data:
            return super().files
        if self.can("put_dataset"):
            self.refuse("put_dataset")
        return self._files

    @functools.cached_property
    def _files(self):
        return ApiFiles(self.site, self.endpoint, self.talk)

    # -- asking --------------------------------------------------------------------------------------
    def _list(self, noun, fields, missed):
        found = self.talk.rows(noun, fields, strict=False)
        if found.short:
            missed.append(f"{noun}: {found.short}")
        for field in NEEDED[fields]:
            if found.rows and all(row.get(field) is None for row in found.rows):
                keys = ["fields", fields, field]
                raise Invalid(
                    f"{'.'.join(keys)} of the profile gives nothing in any of {len(found.rows)} rows.",
                    site=self.site.id,
                    request=f"{self.profile['paths'][noun]['method']} {self.profile['paths'][noun]['path']}",
                    way_out=f"Correct it: {self._place(*keys)}.",
                    details={"keys": keys},
                )
        return found.rows

    def _or_missed(self, verb, call, missed):
        if self.can(verb):
            return []
        try:
            return call()
        except BrainError as error:
            missed.append(str(error))
            return []

    def _images(self, missed):
        """Return the names of the images that our user may start, None where the platform does not say."""
        if not self.talk.can("images"):
            return None
        try:
            return tuple(sorted({str(row["name"]) for row in self.talk.rows("images", "image").rows}))
        except BrainError as error:
            missed.append(str(error))
            return None

    def _service(self, name):
        rows = self.talk.rows("services", "service", name=name).rows
        return next((row for row in rows if row["name"] == name), None)

    def _words(self, spec, pool):
        words = records.words_of(spec, pool, self._native(spec, pool) if spec.accelerators else None)
        return words | {"image": spec.image or self.profile.get("constants", {}).get("image")}

    def _alarms(self):
        if self.can("alarms"):
            self.refuse("alarms")
        found = [self.reader.alarm(row) for row in self.talk.rows("alarms", "alarm").rows]
        return list({alarm.id: (alarm, place) for alarm, place in found}.values())

    def _domains(self, members):
        if self.endpoint.capacity_domain:
            return dict.fromkeys(members, f"{self.site.id}/{self.endpoint.capacity_domain}")
        return nodefacts.domains({name: [n.name for n in there] for name, there in members.items()}, self.reader.place)

    def _live(self, name):
        rows = self.talk.rows("find", "job", name=name) if self.talk.can("find") else self.talk.rows("jobs", "job")
        return self.reader.newest([row for row in rows.rows if row["name"] == name])

    def _known(self, row):
        job = self.reader.job(row) if row else None
        if job and job.state not in JOB_ENDED:
            self._ids[job.name] = job.id
        return job

    def _running(self, name):
        """Return the row that this name had at the last look, while it runs: a poll need not scan."""
        known = self._ids.pop(name, None)
        row = self._by_id(known, name) if known and self.talk.can("job") else None
        return row if row and self.reader.job(row).state not in JOB_ENDED else None

    def _by_id(self, known, name):
        """Return the row of an id if it still has that name: ids are reused, here and there."""
        if self.talk.can("job"):
            try:
                rows = [self.talk.row("job", "job", id=self._typed(known))]
            except NotFound:
                rows = []
        else:
            rows = self.talk.rows("jobs", "job").rows
        return next((row for row in rows if str(row["id"]) == str(known) and row["name"] == name), None)

    def _operation_done(self, data, request):
        """Poll an operation to its end and return its answer; doubt where no end is seen in time."""
        way = self.profile["asynchronous"]
        found = compiled(way["operation"]).search(data)
        if not found:
            raise self._doubt("it named no operation", request)
        until = time.monotonic() + SUBMIT_S
        while True:
            try:
                data = self.talk.call("operation", operation=found)
            except Unreachable as error:
                error.details["doubt"] = True
                raise
            word = compiled(way["state"]).search(data)
            if word in way["succeeded"]:
                return data
            if word in way["failed"]:
                why = compiled(way["message"]).search(data) if "message" in way else None
                raise Refused(f"its operation ended as {word}: {why}.", site=self.site.id, request=request)
            if time.monotonic() > until:
                raise self._doubt(f"its operation is still {word} after {SUBMIT_S} s", request)
            time.sleep(POLL_S)

    def _doubt(self, said, request):
        return Unreachable(
            f"{said}: the job may have been taken or not.",
            site=self.site.id,
            request=request,
            details={"doubt": True},
        )

    def _is_id(self, found):
        if self.profile["id"] == "integer":
            return isinstance(number(found), int) and number(found) > 0
        return isinstance(found, str) and bool(found)

    def _typed(self, found):
        return int(found) if self.profile["id"] == "integer" else str(found)

    def _native(self, spec, pool):
        """Return their name of the model that is asked for; one that no node has would wait for ever."""
        counts = Counter()
        for node, pools in map(self.reader.node, self._list("nodes", "node", [])):
            if pool in pools:
                counts.update(node.cards)
        for native, _count in counts.most_common():
            if spec.accelerator in (None, self.reader.model(native)):
                return native
        has = ", ".join(map(self.reader.model, counts)) or "none"
        raise Refused(
            f"pool {pool} has no accelerator {spec.accelerator} (it has: {has}).",
            site=self.site.id,
            way_out="Take another pool.",
        )
