"""Real frameworks for real jobs: CPU builds in virtual environments of the cache folder."""

import sys

from tests.real import venvs

VERSIONS = {"pytorch": "2.13.0"}
#: Where x86_64 gets a build for processors; PyPI's own brings gigabytes of CUDA.
CPU_BUILDS = "https://download.pytorch.org/whl/cpu"


def pytorch():
    """Return the Python that has PyTorch; raise packages.Missing with how to get it."""
    version = VERSIONS["pytorch"]
    quickly = ["--no-compile", "--retries=1", "--timeout=20", f"--extra-index-url={CPU_BUILDS}"]
    return venvs.python(
        f"pytorch-{version}-{sys.implementation.cache_tag}",
        [*quickly, f"torch=={version}", "numpy"],
        lambda why: f"no PyTorch here: pip says {str(why)!r}; it needs {CPU_BUILDS} or a wheel beside it",
    )
