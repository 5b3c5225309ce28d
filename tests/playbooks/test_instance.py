"""Machines on a cloud from somebody's own playbook, and a cloud in the inventory."""

import pytest

from tests.lab.openstack.handle import CloudLab
from tests.playbooks.project import Project

PLAY = """
- hosts: localhost
  gather_facts: false
  module_defaults:
    group/suanwang.brain.brain: {{site: hunan, endpoint: cloud, tenant: demo}}
  vars:
    web: {{deployment: web, component: front}}
  tasks:
    - suanwang.brain.instance: "{{{{ web | combine(wanted) }}}}"
      vars:
        wanted: {wanted}
      register: made
    - ansible.builtin.debug:
        msg: "SAID {{{{ made | to_json }}}}"
"""
PRESENT = "{pool: hunan/cloud/az-general.x86_64, image: openeuler-x86_64, cpu: 2, networks: [work], poll_s: 0.2}"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    started = CloudLab(tmp_path_factory.mktemp("cloud")).start()
    yield started
    started.stop()


@pytest.fixture
def project(cloud, tmp_path):
    return Project(cloud, tmp_path)


def play(project, wanted, *options):
    path = project.folder / "play.yml"
    path.write_text(PLAY.format(wanted=wanted))
    return project.run("ansible-playbook", path, "-i", "localhost,", "-c", "local", "--diff", *options)


def machines(cloud):
    return [server["name"] for server in cloud.ask("info")["servers"]]


def test_a_cloud_in_the_inventory(project):
    seen = project.perceive().good()
    assert "openstack:az-ai" in seen.flat and "openstack:az-general" in seen.flat and "0/16" not in seen.flat


def test_a_machine_is_made_once_and_removed(project, cloud):
    shown = play(project, PRESENT, "--check").good()
    assert "+instance swb-web-front" in shown.text and machines(cloud) == []
    first = play(project, PRESENT).good()
    assert first.changed["localhost"] == 1 and machines(cloud) == ["swb-web-front"]
    assert '"public_port"' in first.text.replace("\\", "") and '"state": "running"' in first.text.replace("\\", "")
    assert play(project, PRESENT).good().changed["localhost"] == 0
    assert play(project, "{state: absent}").good().changed["localhost"] == 1
    assert machines(cloud) == [] and play(project, "{state: absent}").good().changed["localhost"] == 0


def test_a_refusal_names_site_request_and_way_out(project, cloud):
    refused = play(project, PRESENT.replace("openeuler-x86_64", "nope"))
    assert refused.code != 0 and "there is no image 'nope'" in refused.flat and "hunan" in refused.flat
    assert machines(cloud) == []
