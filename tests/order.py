"""A pytest plugin: folders whose files take minutes come first, lest all but one worker wait for them at the end."""

FIRST = (
    "tests/contract/test_platforms.py",
    "tests/real/",
    "tests/faults/",
    "tests/webhook/",
    "tests/playbooks/",
    "tests/contract/",
)


def pytest_collection_modifyitems(items):
    def turn(item):
        return next((place for place, folder in enumerate(FIRST) if item.nodeid.startswith(folder)), len(FIRST))

    items.sort(key=turn)
