"""What the API takes and gives, as pydantic records. The OpenAPI document is made of these."""

from __future__ import annotations

import re
from typing import Annotated
from typing import Any
from typing import Literal

from pydantic import BaseModel
from pydantic import ConfigDict
from pydantic import Field

RUN = r"^[0-7][0-9a-hjkmnp-tv-z]{25}$"
Time = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", examples=["2026-11-25T03:26:58Z"])]
RunId = Annotated[str, Field(pattern=RUN, examples=["01kaxc2m7q5v9b3z8d4f6g1h0j"])]
Resource = Literal["card_s", "core_s", "money_fen"]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
#: A name below the task's folder: no way up, no absolute path, no hidden file.
FILE_NAME = re.compile(r"(?!.*//)(?!.*/$)[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}(/[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}){0,7}")


class In(BaseModel):
    """What we are given: an unknown field is an error."""

    model_config = ConfigDict(extra="forbid")


class Out(BaseModel):
    """What we answer."""

    model_config = ConfigDict(from_attributes=True)


# -- errors ----------------------------------------------------------------------------------------------
class Problem(Out):
    """RFC 9457 problem+json. field: what of the request is wrong; way_out: what to do."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str | None = None
    field: str | None = None
    way_out: str | None = None
    allowed: list[str] | None = None


# -- who -------------------------------------------------------------------------------------------------
class Enter(In):
    """The lab's own login."""

    principal: str = Field(max_length=200)
    password: str = Field(max_length=200)


class Session(Out):
    principal: str
    name: str
    roles: list[str]
    tenants: list[str]
    sites: list[str] = []
    csrf: str | None = None


class TokenIn(In):
    name: str = Field(min_length=1, max_length=100)
    roles: list[str] = []
    days: int = Field(default=30, ge=1, le=366)


class Token(Out):
    id: str
    name: str
    principal: str
    roles: list[str]
    tenants: list[str]
    sites: list[str] = []
    created_at: Time
    expires_at: Time
    used_at: Time | None = None
    revoked_at: Time | None = None
    secret: str | None = Field(default=None, description="Shown once, when it is made.")


# -- asking ----------------------------------------------------------------------------------------------
class TaskFile(In):
    """One file beside the task: text, or bytes in base 64."""

    path: str = Field(max_length=400)
    text: str | None = None
    base64: str | None = None


class TaskIn(In):
    """A task: its document, its text in YAML, or an entry of the catalogue; with the files that it names."""

    document: dict[str, Any] | None = Field(default=None, description="schemas/task.json")
    yaml: str | None = Field(default=None, max_length=1_000_000)
    catalogue: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,60}$")
    files: list[TaskFile] = Field(default=[], max_length=200)


class Entry(Out):
    """One entry of the catalogue."""

    name: str
    title: str
    kinds: list[str]
    document: dict[str, Any]


class Decision(Out):
    person: str
    verdict: Literal["approve", "reject"]
    digest: str
    reason: str | None = None
    at: Time
    expires_at: Time | None = None


class Task(Out):
    id: RunId
    name: str
    tenant: str
    requester: str
    source: str
    state: str
    round: int
    proposal: str | None = None
    digest: str | None = None
    message: str | None = None
    created_at: Time
    updated_at: Time


#: English sentence → what it was made of: {template, values} or {template, parts}, to say it in another language.
Told = Annotated[dict[str, dict[str, Any]], Field(description="sentence → {template, values}, for translations")]


class TaskFull(Task):
    document: str
    told: Told = {}
    decisions: list[Decision] = []
    can: list[str] = Field(default=[], description="What the caller can do with it now.")


class Page(Out):
    """after: give it as `after` for the next page; null on the last one."""

    after: str | None = None


class Tasks(Page):
    items: list[Task]


# -- proposals -------------------------------------------------------------------------------------------
class Placement(Out):
    component: str
    kind: str
    pool: str | None = None
    site: str
    nodes: int
    accelerators: int
    start_s: int
    end_s: int
    wall_s: int
    link: str | None = None
    rate_mbps: int | None = None


class Fact(Out):
    """What was known of a pool when a proposal was reckoned; age_s: how old that was then."""

    state: str
    seen_at: Time | None = None
    age_s: int | None = None
    running: int | None = None
    pending: int | None = None
    wait_s: int | None = None
    accelerators: int | None = None
    free_accelerators: int | None = None
    cpu: int | None = None
    free_cpu: int | None = None


class Proposal(Out):
    id: str
    round: int
    number: int
    label: str
    labels: list[str]
    parent: str | None = None
    edits: list[dict[str, Any]] = []
    objectives: dict[str, int | None]
    unknown: list[str] = []
    placements: list[Placement]
    pools: dict[str, list[str]] = Field(default={}, description="component → pools that could take it")
    window: dict[str, Time] = Field(default={}, description="not_before and start_by, where somebody asked for them")
    shares_mbps: dict[str, int] = Field(default={}, description="copy over a link → what it may take at most")
    reasons: list[str] = []
    loses: list[str] = []
    notes: list[str] = []
    risks: list[str] = []
    facts: dict[str, Fact] = Field(default={}, description="pool → what was known of it")
    told: Told = {}
    deltas: dict[str, int | None] | None = None
    created_at: Time


class No(Out):
    component: str
    pool: str
    rule: str
    sentence: str


class Proposals(Out):
    task: RunId
    state: str
    round: int
    items: list[Proposal]
    rejected: list[No] = []
    waits: list[No] = Field(default=[], description="pools that could take a component, but not at once")
    notes: list[str] = []
    told: Told = {}


class Edit(In):
    pool: str | None = Field(default=None, max_length=200)
    accelerators: int | None = Field(default=None, ge=0)
    nodes: int | None = Field(default=None, ge=1)
    parameters: dict[str, str | int | float | bool] | None = None
    rate_mbps: int | None = Field(default=None, ge=1, description="of a copy: no more than its share of the link")


class Window(In):
    not_before: str | None = Field(default=None, max_length=20, description="RFC 3339 in UTC: nothing starts before")
    start_by: str | None = Field(default=None, max_length=20, description="RFC 3339 in UTC: too late after")


class Revise(In):
    proposal: str = Field(max_length=26)
    components: dict[str, Edit] = Field(default={}, max_length=500)
    window: Window | None = Field(default=None, description="in place of the one before; empty: none")
    keep: bool = Field(default=True, description="false: only say what would change")


class Confirm(In):
    proposal: str = Field(max_length=26)


class QuotaLine(Out):
    """A quota a month that a plan falls under. needs: at most, null where its price is not known; held: by others."""

    whose: str
    resource: Resource
    amount: int
    used: int
    held: int
    needs: int | None


class PlannedOnDrained(Out):
    """A component whose first pool is drained. others: the allowed pools that are not; one of these would be taken."""

    component: str
    pool: str
    why: str
    others: list[str]


class Plan(Out):
    """What is asked to be approved: the plan's own bytes, and what it was reckoned from."""

    task: RunId
    digest: Digest
    plan: dict[str, Any]
    estimate: dict[str, Any]
    check: str | None = Field(default=None, description="What apply.yml --check --diff said; null while it runs.")
    check_state: str | None = None
    quotas: list[QuotaLine] = []
    drained: list[PlannedOnDrained] = []
    needed: int
    approvers: list[str]
    decisions: list[Decision]
    carried: str = Field(
        description="Plan, approvals and estimate as one word, for `-e plan=` where no store is shared."
    )


# -- judging ---------------------------------------------------------------------------------------------
class Approve(In):
    digest: Digest


class Reject(In):
    digest: Digest
    reason: str = Field(min_length=3, max_length=2000)


# -- runs ------------------------------------------------------------------------------------------------
class Launch(Out):
    id: str
    kind: str
    state: str
    asked_by: str
    attempts: int
    created_at: Time
    started_at: Time | None = None
    ended_at: Time | None = None
    exit_code: int | None = None
    message: str | None = None


class Component(Out):
    id: str
    kind: str
    needs: list[str]
    state: str
    pool: str | None = None
    percent: float | None = None
    message: str | None = None
    since: Time | None = None
    until: Time | None = None
    planned_start: Time | None = None
    planned_end: Time | None = None


class Run(Task):
    components: list[Component] = []
    launches: list[Launch] = []
    models: list[dict[str, Any]] = []
    #: where machines that stay are reached: component, machine, port, private and public {address, port},
    #: lease_until, ended
    endpoints: list[dict[str, Any]] = []
    #: where a model that is served answers: component, pool, url and inside (behind NAT), replicas of those asked,
    #: requests, median_ms, worst_ms, status, lease_until, ended
    services: list[dict[str, Any]] = []
    #: how far apart the members of a gang started: gang, skew_s, allowed_s, starts {component: epoch s}
    gangs: list[dict[str, Any]] = []


class Runs(Page):
    items: list[Task]


class Artifact(Out):
    path: str
    size: int
    sha256: str | None = None


class Artifacts(Out):
    items: list[Artifact]


# -- tenants, and launches held back ----------------------------------------------------------------------
class Tenant(Out):
    id: str
    name: dict[str, str]
    organisation: str | None = None
    sites: list[str]


class Tenants(Out):
    items: list[Tenant]


class Pause(In):
    paused: bool
    reason: str = Field(min_length=3, max_length=500)


# -- usage -----------------------------------------------------------------------------------------------
class Used(Out):
    """unknown: of how many rows a figure is not known; it is not in the sums."""

    tenant: str
    person: str
    runs: int
    card_hours: float
    core_hours: float
    gib: float
    yuan: float
    unknown: int


class Usage(Out):
    month: str
    items: list[Used]


class QuotaIn(In):
    """amount: a month, in the unit that the resource's name ends with; null takes the quota away."""

    tenant: str = Field(max_length=40)
    person: str | None = Field(default=None, max_length=200)
    resource: Resource
    amount: int | None = Field(ge=0, le=10**15)


class Quota(Out):
    """person: None for all of the tenant together."""

    tenant: str
    person: str | None
    resource: Resource
    month: str
    amount: int
    used: int
    held: int
    left: int
    by: str
    at: Time


class Quotas(Out):
    items: list[Quota]


# -- audit -----------------------------------------------------------------------------------------------
class AuditEntry(Out):
    number: int
    at: Time
    actor: str
    action: str
    object: str
    details: dict[str, Any]
    before: str
    hash: str


class Audit(Page):
    items: list[AuditEntry]


class Verified(Out):
    rows: int
    good: bool
    sentence: str
