"""openstacksdk, as programs use it."""

from pathlib import Path

from tests.e2e.conftest import Appliance


def test_the_sdk_takes_an_image_all_the_way(appliance: Appliance, disk: Path) -> None:
    tour = Path(__file__).with_name("sdk_tour.py")
    assert appliance.run("python", str(tour), str(disk)).strip() == "toured"
