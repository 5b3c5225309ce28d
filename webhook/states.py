"""The one table of states: what may follow what. A move that is not in it is refused (409 over HTTP).

A task is a person's request; a launch is one start of a playbook for it; a notice is a message to send. Nothing else
has a state here.
"""

from __future__ import annotations

#: (state, what happens) → the state after it.
TASK = {
    ("submitted", "propose"): "proposed",
    ("submitted", "refuse"): "refused",
    ("refused", "propose"): "proposed",
    ("refused", "refuse"): "refused",
    ("proposed", "propose"): "proposed",
    ("proposed", "refuse"): "refused",
    ("proposed", "revise"): "revised",
    ("proposed", "confirm"): "confirmed",
    ("revised", "propose"): "proposed",
    ("revised", "refuse"): "refused",
    ("revised", "revise"): "revised",
    ("revised", "confirm"): "confirmed",
    # What was confirmed may be taken up again: the new plan has another digest, and old approvals do not fit it.
    ("confirmed", "propose"): "proposed",
    ("confirmed", "revise"): "revised",
    ("confirmed", "confirm"): "confirmed",
    ("confirmed", "approve"): "approved",
    ("confirmed", "reject"): "rejected",
    ("confirmed", "expire"): "expired",
    ("approved", "start"): "running",
    ("approved", "expire"): "expired",
    ("approved", "cancel"): "cancelled",
    ("running", "succeed"): "succeeded",
    ("running", "fail"): "failed",
    ("running", "cancel"): "cancelling",
    ("cancelling", "cancelled"): "cancelled",
    ("cancelling", "succeed"): "succeeded",  # it was quicker than the signal
    ("cancelling", "fail"): "failed",  # what it took could not all be given back
    ("failed", "resume"): "approved",
    ("failed", "cancel"): "cancelling",
    **{(state, "withdraw"): "withdrawn" for state in ("submitted", "refused", "proposed", "revised", "confirmed")},
}

LAUNCH = {
    ("queued", "claim"): "claimed",
    ("queued", "cancel"): "cancelled",
    ("claimed", "start"): "running",
    ("claimed", "requeue"): "queued",  # its launcher died before the process began
    ("running", "requeue"): "queued",  # the process died: running again is the resume
    **{
        (state, event): after
        for state in ("claimed", "running")
        for event, after in {
            "succeed": "succeeded",
            "fail": "failed",
            "cancel": "cancelled",
            "lose": "lost",  # died too often
        }.items()
    },
}

NOTICE = {
    ("pending", "send"): "sending",
    ("sending", "send"): "sending",  # whoever sent it died, perhaps before it went out
    ("sending", "sent"): "sent",
    ("sending", "retry"): "pending",
    ("sending", "give_up"): "failed",
    ("failed", "again"): "pending",
}

TABLES = {"task": TASK, "launch": LAUNCH, "notice": NOTICE}
TASK_STATES = sorted({state for state, _event in TASK} | set(TASK.values()))
LAUNCH_STATES = sorted({state for state, _event in LAUNCH} | set(LAUNCH.values()))
#: Nothing of the service moves these any more, but for a person's word.
TASK_ENDS = ("refused", "withdrawn", "rejected", "expired", "succeeded", "failed", "cancelled")
NOTICE_STATES = sorted({state for state, _event in NOTICE} | set(NOTICE.values()))
LAUNCH_ENDS = ("succeeded", "failed", "cancelled", "lost")


class Illegal(Exception):
    """A move that the table does not have. state, event: what was tried; allowed: what could be done instead."""

    def __init__(self, kind, state, event):
        self.kind, self.state, self.event = kind, state, event
        self.allowed = sorted(what for (before, what) in TABLES[kind] if before == state)
        super().__init__(f"a {kind} that is {state} cannot {event}")


def after(kind, state, event):
    """Return the state that follows; raise Illegal."""
    try:
        return TABLES[kind][state, event]
    except KeyError:
        raise Illegal(kind, state, event) from None


def sources(kind, event):
    """Return the states from which an event is possible."""
    return tuple(sorted(before for (before, what) in TABLES[kind] if what == event))
