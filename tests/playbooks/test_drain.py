"""drain.yml: a site is drained and let work again on the shell; the inventory and the planner see it at once."""


def test_a_site_is_drained_and_let_work_again(project):
    drains = project.store.root / "drains.json"
    shown = project.play("drain", "-e", '{"scope": "hunan", "reason": "power maintenance"}', "--check", "--diff")
    assert "power maintenance" in shown.good().text and not drains.exists()
    assert "changed=1" in project.play("drain", "-e", "scope=hunan", "-e", "reason=maintenance").good().text
    assert "changed=0" in project.play("drain", "-e", "scope=hunan", "-e", "reason=maintenance").good().text
    seen = project.perceive().good()
    assert "drained" in seen.text
    wrong = project.play("drain", "-e", "scope=mars", "-e", "reason=maintenance")
    assert wrong.code != 0 and "mars" in wrong.text
    assert "changed=1" in project.play("drain", "-e", "scope=hunan", "-e", "state=absent").good().text
    assert "changed=0" in project.play("drain", "-e", "scope=hunan", "-e", "state=absent").good().text
    assert drains.read_text().strip() == "{}"
