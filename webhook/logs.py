"""Our own log: one JSON object a line on standard error, and nothing in it that looks like a secret."""

from __future__ import annotations

import datetime
import json
import logging
import re
import sys

_SECRET = re.compile(r"(?i)(bearer\s+|swb_|password\W{1,4}|authorization\W{1,4}|cookie\W{1,4})\S+")


def redacted(text):
    """Return text without what follows the words that announce a secret."""
    return _SECRET.sub(r"\1***", text)


class Line(logging.Formatter):
    """One record as JSON."""

    def format(self, record):
        at = datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat(timespec="milliseconds")
        line = {"at": at, "level": record.levelname.lower(), "who": record.name, "said": redacted(record.getMessage())}
        if record.exc_info:
            line["trace"] = redacted(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


def begin(level=logging.INFO):
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Line())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)
