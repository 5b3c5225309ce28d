"""The planner's records as plain data, in the shape of the API's records."""

from __future__ import annotations

from ansible_collections.suanwang.brain.plugins.module_utils import said
from ansible_collections.suanwang.brain.plugins.module_utils.plain import to_plain
from ansible_collections.suanwang.brain.plugins.plugin_utils import clock
from ansible_collections.suanwang.brain.plugins.plugin_utils import proposing
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning import score
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning.problem import shares_mbps
from ansible_collections.suanwang.brain.plugins.plugin_utils.planning.standing import could_move

from . import atlas


def task(record):
    return {
        "name": record.name,
        "tenant": record.tenant,
        "priority": record.priority,
        "components": [{"id": one.id, "kind": one.kind} for one in record.components],
    }


def error(found):
    """A BrainError as plain data, its sentences with what they were made of."""
    failure = {**found.failure(), "message": said.plain(found.message), "way_out": said.plain(found.way_out)}
    problems = [{name: said.plain(text) for name, text in one.items()} for one in found.details.get("problems", ())]
    return {**failure, "details": {**failure["details"], "problems": problems}}


def proposals(found):
    rejected, waits = found.sentences, found.waits
    return {
        "items": [proposal(one) for one in found.proposals],
        "rejected": rejected,
        "waits": waits,
        "notes": list(found.notes),
        "told": said.told([*(row["sentence"] for row in (*rejected, *waits)), *found.notes]),
    }


def proposal(one):
    able = {
        name: sorted({option.pool for option in one.problem.options[name]} | set(could_move(one.problem.matrix[name])))
        for name in one.problem.order
    }
    return {
        "label": one.label,
        "labels": list(one.labels),
        "objectives": one.objectives.plain(),
        "unknown": list(one.objectives.unknown),
        "placements": [to_plain(place) for place in one.placements],
        "needs": {node.id: list(node.needs) for node in one.problem.graph.nodes},
        "parameters": {node.id: dict(node.component.parameters) for node in one.problem.graph.nodes if node.component},
        "pools": able,
        "window": one.problem.window.plain(),
        "shares_mbps": shares_mbps(one.problem, one.schedule.choice),
        "reasons": list(one.reasons),
        "loses": list(one.loses),
        "notes": list(one.notes),
        "risks": list(one.objectives.risk_reasons),
        "facts": {name: _fact(one.problem.pools[name], one.problem.now) for name in _used(one)},
        "told": said.told([*one.reasons, *one.loses, *one.notes, *one.objectives.risk_reasons]),
    }


def _used(one):
    return sorted({place.pool for place in one.placements if place.pool})


def _fact(pool, now):
    """What was known of a pool when a proposal was reckoned; ages in seconds as of then."""
    return {
        "state": score.state_of(pool, now),
        "seen_at": pool.seen.at,
        "age_s": score.age_s(pool, now),
        "running": pool.queue.running,
        "pending": pool.queue.pending,
        "wait_s": pool.queue.wait_s,
        "accelerators": score.cards_of(pool),
        "free_accelerators": pool.free.accelerators,
        "cpu": score.cores_of(pool),
        "free_cpu": pool.free.cpu,
    }


def overview(remembered, config, promised, now):
    """Return {sites, pools, links, alarms, map}; ages in seconds as of now."""
    pools = [(one, pool) for one in remembered for pool in one.pools]
    return {
        "sites": [_site(one, now) for one in remembered],
        "pools": [_pool(pool, now) for _one, pool in pools],
        "links": atlas.links(proposing.links(config, [pool for _one, pool in pools], now), promised, now),
        "map": atlas.sites(remembered, now),
        "alarms": [
            *(_alarm(pool.site, pool.id, alarm) for _one, pool in pools for alarm in pool.alarms),
            *(_alarm(one.site.id, None, alarm) for one in remembered for alarm in one.alarms),
        ],
    }


def _age(at, now):
    return None if at is None else int(clock.seconds_between(at, now))


def _site(one, now):
    return {
        "id": one.site.id,
        "name": one.site.name,
        "endpoint": one.endpoint.id,
        "platform": one.endpoint.platform,
        "address": one.endpoint.address,
        "port": one.endpoint.port,
        "state": one.state,
        "at": one.at,
        "age_s": _age(one.at, now),
        "lab": one.site.lab,
    }


def _pool(pool, now):
    return {
        "id": pool.id,
        "site": pool.site,
        "platform": pool.platform,
        "name": pool.name,
        "state": pool.seen.state,
        "age_s": _age(pool.seen.at, now),
        "arch": pool.arch,
        "accelerator": pool.accelerator.model if pool.accelerator else None,
        "accelerators": pool.capacity.accelerators,
        "free_accelerators": pool.free.accelerators,
        "nodes": pool.capacity.nodes,
        "free_nodes": pool.free.nodes,
        "cpu": pool.capacity.cpu,
        "free_cpu": pool.free.cpu,
        "running": pool.queue.running,
        "pending": pool.queue.pending,
        "wait_s": pool.queue.wait_s,
        "rtt_ms": pool.path.rtt_ms,
        "rate_gbps": pool.path.rate_gbps,
        "fen_h": pool.price.accelerator_fen_h,
        "alarms": len(pool.alarms),
    }


def _alarm(site, pool, alarm):
    return {"site": site, "pool": pool, **to_plain(alarm)}
