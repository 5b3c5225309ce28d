# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The error family. Each error knows the site, the request and the way out, and never a secret."""

from __future__ import annotations

from .said import bare


class BrainError(Exception):
    """Something a person can act on.

    message: one sentence, what happened. site, request: where, e.g. ``hunan``, ``POST /job/submit``.
    way_out: one sentence, what to do. details: plain data for programs. Nothing here is ever a secret.
    """

    code = "error"
    retryable = False

    def __init__(self, message, *, site=None, request=None, way_out=None, details=None):
        super().__init__(message)
        self.message = message
        self.site = site
        self.request = request
        self.way_out = way_out
        self.details = dict(details or {})

    def __str__(self):
        where = ", ".join(part for part in (self.site, self.request) if part)
        text = f"{where}: {self.message}" if where else self.message
        return f"{text} {self.way_out}" if self.way_out else text

    def at(self, site=None, request=None):
        """Return self with site and request filled in where they were unknown."""
        self.site = self.site or site
        self.request = self.request or request
        return self

    def failure(self):
        """Return the error as plain data: code, message, site, request, way_out, details."""
        return {
            "code": self.code,
            "message": bare(self.message),
            "site": self.site,
            "request": self.request,
            "way_out": bare(self.way_out),
            "details": bare(self.details),
        }


class Invalid(BrainError):
    """Input from a person or a file that breaks a rule; `details.field` points at it."""

    code = "invalid"


class Unreachable(BrainError):
    """No answer, or none that says anything about our request."""

    code = "unreachable"
    retryable = True


class Timeout(Unreachable):
    """Our own deadline passed. For a write this does not mean that nothing happened."""

    code = "timeout"


class Unauthorized(BrainError):
    """The platform does not accept our credential, or not for this."""

    code = "unauthorized"


class NotFound(BrainError):
    """The platform said, without an error, that there is no such thing."""

    code = "not_found"


class Refused(BrainError):
    """The platform understood and will not do it."""

    code = "refused"


class QuotaExceeded(Refused):
    """Refused because of a limit of tenant, account or user."""

    code = "quota_exceeded"


class Conflict(BrainError):
    """Something of that name is there and is not ours, or is held by somebody else."""

    code = "conflict"


class Unsupported(BrainError):
    """The platform has no such verb; the message is the capability's sentence."""

    code = "unsupported"


class Corrupt(BrainError):
    """Bytes differ from their checksum."""

    code = "corrupt"


class JobFailed(BrainError):
    """A job ended and did not succeed; details hold state, exit code and the last log lines."""

    code = "job_failed"
