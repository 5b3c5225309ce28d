"""The cookie of a session."""

from __future__ import annotations


def name(settings):
    """The name says to the browser that no other host may set it; over plain HTTP it could not be kept."""
    return "__Host-suanwang" if settings.secure else "suanwang"


def put(answer, settings, cookie):
    answer.set_cookie(
        name(settings), cookie, max_age=3600 * settings.file.limits.session_h, path="/",
        secure=settings.secure, httponly=True, samesite="Lax",
    )  # fmt: skip
    return answer


def drop(answer, settings):
    answer.delete_cookie(name(settings), path="/", secure=settings.secure, httponly=True, samesite="Lax")
    return answer
