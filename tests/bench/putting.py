"""``python -m tests.bench.putting <config> <path>``: one `dataset`, present at the lab's site hunan.

A file is read where it lies, a folder becomes an archive in a store first: as for the input of a task.
"""

import hashlib
import sys
import tarfile
import tempfile
from pathlib import Path

from ansible_collections.suanwang.brain.plugins.module_utils import sites
from ansible_collections.suanwang.brain.plugins.module_utils.verbs import VERBS
from ansible_collections.suanwang.brain.plugins.plugin_utils import intake
from ansible_collections.suanwang.brain.plugins.plugin_utils.store import Store


def main(config, path):
    with tempfile.TemporaryDirectory() as folder:
        source, sha256 = _source(Path(path), Store(folder))
        platform = sites.connect({"config": config, "site": "hunan", "tenant": "demo"})
        params = {"state": "present", "path": "bench/there", "source": source, "sha256": sha256, "rate_kbps": None}
        VERBS["dataset"].run(platform, params, False, lambda event, **fields: None)
        platform.files.close()


def _source(path, store):
    if path.is_dir():
        with store.new_object() as made:
            intake.pack(path, made, "uri", tarfile.GNU_FORMAT)
        return str(store.object_path(made.sha256)), made.sha256
    with open(path, "rb") as stream:
        return str(path), hashlib.file_digest(stream, "sha256").hexdigest()


if __name__ == "__main__":
    main(*sys.argv[1:])
