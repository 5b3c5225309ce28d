"""The credential type of a controller: what it injects is what sites.py reads."""

import os

import pytest
from jinja2 import Environment

from ansible_collections.suanwang.brain.plugins.filter.controller_credential_type import credential_type
from ansible_collections.suanwang.brain.plugins.module_utils import sites
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Invalid


def injected(made, folder, values):
    """Return the environment that a controller makes of a type: files of names of its own, then templates."""
    render, files = Environment().from_string, {}
    for number, (label, template) in enumerate(made["injectors"]["file"].items()):
        path = folder / f"tmp{number}"
        path.write_text(render(template).render(**values))
        path.chmod(0o600)
        files[label.removeprefix("template.")] = str(path)
    env = made["injectors"]["env"].items()
    return {name: render(template).render(**values, tower={"filename": files}) for name, template in env}


@pytest.fixture
def config(tmp_path):
    return sites.Config(tmp_path, {}, (), {}, {}, "")


def test_every_credential_is_found_by_its_name(tmp_path, monkeypatch, config):
    made = credential_type(["hunan-slurm", "webhook"])
    assert [field["id"] for field in made["inputs"]["fields"] if field.get("secret")] == ["hunan_slurm", "webhook"]
    values = {"hunan_slurm": "one\nline\n", "webhook": "two", "config": "/runner/project/config/x"}
    env = injected(made, tmp_path, values)
    assert env["SUANWANG_CONFIG"] == "/runner/project/config/x" and env["SUANWANG_STATE"] == ""
    assert "one" not in env["SUANWANG_CREDENTIALS"]
    monkeypatch.setenv("SUANWANG_CREDENTIALS", env["SUANWANG_CREDENTIALS"])
    assert (config.secret("hunan-slurm"), config.secret("webhook")) == ("one\nline", "two")
    with pytest.raises(Invalid, match="lists no credential 'other'.*hunan-slurm, webhook"):
        config.secret("other")
    os.chmod(config.secret_path("webhook"), 0o644)
    with pytest.raises(Invalid, match="readable by others"):
        config.secret("webhook")
