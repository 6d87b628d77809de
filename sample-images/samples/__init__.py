"""Sample images for the appliance: official CirrOS where the network allows it, else a bootable stand-in built here."""

import sys


class NoSample(Exception):
    """Why a sample image cannot be had, in a sentence."""


def say(sentence: str) -> None:
    """Tell the person at the terminal."""
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()
