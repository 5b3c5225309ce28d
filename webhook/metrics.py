"""What Prometheus may ask: counted from the database when it asks, so that every process says the same."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from prometheus_client import Gauge
from prometheus_client import generate_latest
from sqlalchemy import func
from sqlalchemy import select

from ansible_collections.suanwang.brain.plugins.plugin_utils import clock

from . import states
from .models import Entry
from .models import Launch
from .models import Login
from .models import Task
from .notices import outbox


def text(desk):
    """Return the metrics in the exposition format."""
    registry = CollectorRegistry()
    tasks = Gauge("suanwang_tasks", "Tasks by state.", ["state"], registry=registry)
    launches = Gauge("suanwang_launches", "Launches by kind and state.", ["kind", "state"], registry=registry)
    waiting = Gauge("suanwang_launch_waiting_s", "Age of the oldest queued launch, seconds.", registry=registry)
    logins = Gauge("suanwang_sessions", "Sessions that are not over.", registry=registry)
    notices = Gauge("suanwang_notices", "Notices by channel and state.", ["channel", "state"], registry=registry)
    rows = Gauge("suanwang_audit_rows", "Rows of the audit.", registry=registry)
    now = clock.now()
    with desk.database.read() as session:
        counts = dict(session.execute(select(Task.state, func.count()).group_by(Task.state)).all())
        for state in states.TASK_STATES:
            tasks.labels(state).set(counts.get(state, 0))
        query = select(Launch.kind, Launch.state, func.count()).group_by(Launch.kind, Launch.state)
        for kind, state, count in session.execute(query):
            launches.labels(kind, state).set(count)
        oldest = session.scalar(select(func.min(Launch.created_at)).where(Launch.state == "queued"))
        waiting.set(clock.seconds_between(oldest, now) if oldest else 0)
        logins.set(session.scalar(select(func.count()).select_from(Login).where(Login.expires_at >= now)))
        for (channel, state), count in outbox.counts(session).items():
            notices.labels(channel, state).set(count)
        rows.set(session.scalar(select(func.count()).select_from(Entry)))
    return generate_latest(registry)
