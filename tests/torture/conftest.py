"""What all tests of the folder do on less, unless they are done in full number."""

import pytest
from cartoon_tools import Cartoon, without_longest
from torture_tools import Torture


@pytest.fixture(scope="session")
def cartoon(cartoon: Cartoon, torture: Torture, tmp_path_factory: pytest.TempPathFactory) -> Cartoon:
    """The drawn films; without `--torture` the two short ones."""
    return cartoon if torture.whole else without_longest(cartoon, tmp_path_factory.mktemp("short"))
