"""The process in which planning happens: JSON lines in, JSON lines out, one request at a time.

It reads task files, snapshots and plans of the store, and writes plans; it opens no connection. What a round was
reckoned from is kept beside the task, so that a revision, here or in another process, starts from the same facts.
"""

from __future__ import annotations

import collections
import dataclasses
import json
import pathlib
import sys

from ansible_collections.suanwang.brain.plugins.module_utils.errors import BrainError
from ansible_collections.suanwang.brain.plugins.module_utils.errors import NotFound
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Refused
from ansible_collections.suanwang.brain.plugins.module_utils.plain import from_plain
from ansible_collections.suanwang.brain.plugins.module_utils.plain import to_plain
from ansible_collections.suanwang.brain.plugins.module_utils.resources import Pool
from ansible_collections.suanwang.brain.plugins.module_utils.said import say
from ansible_collections.suanwang.brain.plugins.module_utils.said import words
from ansible_collections.suanwang.brain.plugins.plugin_utils import clock
from ansible_collections.suanwang.brain.plugins.plugin_utils import draining
from ansible_collections.suanwang.brain.plugins.plugin_utils import governance
from ansible_collections.suanwang.brain.plugins.plugin_utils import proposing
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning.capacity import Commitment
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning.propose import pick
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning.revise import revise
from ansible_collections.suanwang.brain.plugins.plugin_utils.store import Store
from ansible_collections.suanwang.brain.plugins.plugin_utils.usage import Record

from . import shapes

KEPT_ROUNDS = 32


class Worker:
    """Answers requests. Rounds are kept in memory too: an edit of one costs milliseconds then."""

    def __init__(self, state, config):
        self.store = Store(state)
        self.folder = config
        self.rounds = collections.OrderedDict()
        self.use = Record(self.store)

    def answer(self, request):
        """Return {ok, result} or {ok, error} for a request {verb, …}."""
        verb = request.pop("verb")
        try:
            return {"ok": True, "result": getattr(self, f"do_{verb}")(**request)}
        except BrainError as error:
            return {"ok": False, "error": shapes.error(error)}

    def do_read(self, path):
        """Return what a task file asks for, checked: name, tenant, components."""
        reading = proposing.read(path, self.store)
        return shapes.task(reading.task)

    def do_propose(self, path, round):
        """Reckon a round for a task file, and keep what it was reckoned from beside it."""
        config, now = governance.load(self.folder), clock.now()
        seen = [one for one in proposing.remembered(config, self.store, now) if one.at]
        if not seen:
            raise NotFound("nothing was read from any site yet.", way_out="Wait for the first perception.")
        pools = [pool for one in seen for pool in one.pools]
        promised = proposing.commitments(self.store, now)
        kept = {"now": now, "pools": [to_plain(p) for p in pools], "promised": [to_plain(c) for c in promised]}
        self.store.write(_kept(path, round), json.dumps(kept).encode())
        found = self._round(path, round)
        return shapes.proposals(found)

    def do_revise(self, path, round, label, chain):
        """Return the revision at the end of a chain of edits, with its changes against the step before."""
        chosen, deltas = self._chosen(path, round, label, chain)
        return {"proposal": shapes.proposal(chosen), "deltas": deltas}

    def do_confirm(self, path, round, label, chain, run, requester, keep=None):
        """Write plan and estimate of a proposal; return the digest.

        keep: the digest of the plan before. Where only its start window differs and is still open, it stays.
        """
        chosen, _deltas = self._chosen(path, round, label, chain)
        self._refuse_drained(chosen)
        config = governance.load(self.folder)
        reading = proposing.read(path, self.store)
        now = clock.now()
        plan, estimate = proposing.planned(reading, chosen, config, run, requester, now)
        if keep:
            old, _digest = self.store.read_plan(self.store.find_plan(keep))
            asked = self.store.estimate(keep).get("window", {})
            same = {**old, "window": None} == {**plan, "window": None} and asked == estimate["window"]
            if same and now < old["window"]["start_by"]:
                return {"digest": keep}
        digest, _path = self.store.save_plan(plan, estimate)
        return {"digest": digest}

    def do_overview(self):
        """Return sites, pools, links, alarms and the map as the store remembers them."""
        config, now = governance.load(self.folder), clock.now()
        promised = proposing.commitments(self.store, now)
        return shapes.overview(proposing.remembered(config, self.store, now), config, promised, now)

    def do_use(self, hours, steps):
        """Return the use of every pool over the last hours, in so many steps."""
        config, now = governance.load(self.folder), clock.now()
        pools = [pool for one in proposing.remembered(config, self.store, now) for pool in one.pools]
        step_s = hours * 3600 // steps
        until_s = -(-int(clock.moment(now).timestamp()) // step_s) * step_s
        found = self.use.over([pool.id for pool in pools], until_s - hours * 3600, until_s, step_s)
        return {
            "step_s": step_s,
            "pools": [
                {"pool": pool.id, "site": pool.site, "name": pool.name, "platform": pool.platform,
                 "accelerator": pool.accelerator.model if pool.accelerator else None, "points": found[pool.id]}
                for pool in pools
            ],
        }  # fmt: skip

    def _round(self, path, round):
        key = (path, round)
        if key not in self.rounds:
            try:
                kept = json.loads(_kept(path, round).read_bytes())
            except FileNotFoundError as error:
                raise NotFound("that round of proposals is gone.", way_out="Propose again.") from error
            pools = [from_plain(Pool, plain) for plain in kept["pools"]]
            promised = [_commitment(plain) for plain in kept["promised"]]
            reading = proposing.read(path, self.store)
            config = governance.load(self.folder)
            self.rounds[key] = proposing.proposals(reading, pools, config, promised, kept["now"])
        self.rounds.move_to_end(key)
        while len(self.rounds) > KEPT_ROUNDS:
            self.rounds.popitem(last=False)
        return self.rounds[key]

    def _chosen(self, path, round, label, chain):
        found = self._round(path, round)
        chosen, deltas = pick(found, label), None
        for number, edits in enumerate(chain, 1):
            # The steps before are as they were; what is asked now counts as the sites are drained now.
            context = found.context if number < len(chain) else self._drained_now(found.context)
            chosen, deltas = revise(context, chosen, edits)
        return chosen, deltas

    def _drained_now(self, context):
        pools = draining.applied(context.pools, draining.read(self.store))
        return dataclasses.replace(context, pools=pools)

    def _refuse_drained(self, chosen):
        """Raise Refused where a proposal places something on what was drained since it was made."""
        drains = draining.read(self.store)
        for place in chosen.placements:
            drained = draining.over(place.pool, drains) if place.pool else None
            if drained:
                raise Refused(
                    say(
                        "{component} is placed on {pool}, which is drained: {why}",
                        component=place.component, pool=place.pool, why=draining.said(*drained),
                    ),
                    way_out=words("Choose another pool for it, or propose again"),
                )  # fmt: skip


def _kept(path, round):
    return pathlib.Path(path).parent.parent / f"round-{round}.json"


def _commitment(plain):
    made = from_plain(Commitment, plain)
    return Commitment(**{**vars(made), "hops": tuple(tuple(hop) for hop in plain["hops"])})


def main(argv):
    """Answer the lines of standard input until it ends, which it does when whoever started us dies."""
    worker = Worker(argv[0], argv[1])
    for line in sys.stdin:
        answer = worker.answer(json.loads(line))
        sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
