"""Fixtures that all backends share."""

import pytest

from appliance.values import Clock, now


@pytest.fixture
def clock() -> Clock:
    return now
