"""What a migration has done, and what it could not take: kept while it runs, told at its end."""

from dataclasses import dataclass, field

from appliance.cli.client.output import say


@dataclass
class Notes:
    """Counts by what was done, and a sentence for each thing that was left behind."""

    done: dict[str, int] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)

    def count(self, what: str) -> None:
        self.done[what] = self.done.get(what, 0) + 1

    def leave(self, what: str, why: object) -> None:
        """Something stays where it is; the migration goes on."""
        sentence = f"{what}: {why}"
        self.left.append(sentence)
        say(f"Could not take {sentence}")

    def tell(self) -> None:
        """The summary, on standard output."""
        for what, number in self.done.items():
            print(f"{what}: {number}")
        for sentence in self.left:
            print(f"not taken: {sentence}")
        if not self.done and not self.left:
            print("there was nothing to take")
