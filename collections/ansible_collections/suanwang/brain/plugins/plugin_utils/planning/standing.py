# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands of a task's deployment already: it is changed where it is, unless somebody or a hard rule moves it.

What it takes there is its own: a plan that changes it may use that share again.
"""

from __future__ import annotations

from ...module_utils.said import say
from .feasible import No

#: The rule that keeps what stands where it is, and that an edit of its pool lifts.
STAYS_THERE = "stands"


def standing(task, commitments):
    """Return component id → pool, of what stands of the task's deployment."""
    return {one.component: one.pool for one in commitments if one.stands and one.pool and _is_of(one, task)}


def replaced(task, commitments):
    """Return the (run, component) of the commitments in whose place a plan of this task comes."""
    known = {component.id for component in task.components}
    return frozenset((one.run, one.component) for one in commitments if _is_of(one, task) and one.component in known)


def kept_in_place(matrix, pools, where, moving):
    """Add to a matrix (component → pool → nos) what keeps the standing where they are.

    where: of `standing`. pools: id → Pool. moving: components that are to stand elsewhere. On another pool of the same
    endpoint nothing can stand while the old one is there: names are kept once an endpoint.
    """
    for name, here in sorted(where.items()):
        row = matrix.get(name)
        if row is None:
            continue
        stays = name not in moving and here in row and not row[here]
        for pool in row:
            if pool == here:
                continue
            if here in pools and _endpoint(pools[pool]) == _endpoint(pools[here]):
                sentence = say(
                    "{component} stands at {here}; within its endpoint it cannot move to {pool}",
                    component=name, here=here, pool=pool,
                )  # fmt: skip
                no = No(
                    "same_name", sentence, "sites",
                    "Take a pool of another endpoint, or release the deployment first",
                )  # fmt: skip
                row[pool] = (*row[pool], no)
            elif stays:
                sentence = say(
                    "{component} stands at {here} and is changed there; {pool} would be a move",
                    component=name, here=here, pool=pool,
                )  # fmt: skip
                no = No(
                    STAYS_THERE, sentence, "sites",
                    "To move it, name the site under `sites` of the component, or choose the pool of a proposal",
                )  # fmt: skip
                row[pool] = (*row[pool], no)


def could_move(row):
    """Return the pools of a row of the matrix to which only a person's choice is missing."""
    return [pool for pool, nos in row.items() if nos and all(no.rule == STAYS_THERE for no in nos)]


def _is_of(one, task):
    return one.leased and task.deployment is not None and (one.tenant, one.deployment) == (task.tenant, task.deployment)


def _endpoint(pool):
    return pool.site, pool.endpoint
