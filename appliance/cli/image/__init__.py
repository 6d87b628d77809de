"""`image`: the verbs for images, one file each."""

import argparse

from appliance.cli.image import create, delete, import_, save, share, show
from appliance.cli.image import list as list_
from appliance.cli.image import set as set_
from appliance.cli.verbs import Member, add_group


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_group(
        parser,
        {
            "create": Member("make an image, from a file, a pipe or an address", create.add_arguments, create.run),
            "list": Member("list images", list_.add_arguments, list_.run),
            "show": Member("show an image", show.add_arguments, show.run),
            "set": Member("change an image", set_.add_arguments, set_.run),
            "save": Member("fetch an image's data", save.add_arguments, save.run),
            "import": Member("give an image its data by import", import_.add_arguments, import_.run),
            "share": Member("let other projects use an image", share.add_arguments, share.run),
            "delete": Member("delete images", delete.add_arguments, delete.run),
        },
    )
