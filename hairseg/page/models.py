"""The models that a page serves: those that its owner listed, and which of them are in memory."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from hairseg.errors import InputError, quote
from hairseg.page.remembered import Remembered

if TYPE_CHECKING:  # they take PyTorch along, which the page starts without
    from hairseg.hub.resolve import ResolvedRepo
    from hairseg.inference.predictor import HairPredictor
    from hairseg.repository import ModelRepository

MEMORY = 1000  # megabytes of weights: four pairs of ResNet-101, or forty of the bundled size


@dataclass(frozen=True)
class Model:
    """A model repository that visitors may choose, by its name."""

    name: str
    source: "ResolvedRepo | None" = None  # None: bundled with the code

    @cached_property
    def repository(self) -> "ModelRepository":
        from hairseg.repository import BUNDLED, ModelRepository

        return ModelRepository(self.source.folder if self.source else BUNDLED)

    @cached_property
    def weight(self) -> int:
        """Bytes of both networks' files; in memory as many where the hardware is made for bfloat16, else twice that."""
        return self.repository.weight_bytes()

    def __str__(self) -> str:
        """Where it comes from, in Markdown; paths of the server stay its own."""
        if self.source is None:
            return "bundled with this page"
        return f"[{self.source}]({self.source.url})" if self.source.url else f"`{self.name}`"


class Models:
    """Loads a model when it is first asked for, once, and lets go of the one used last longest ago.

    A photo that is being looked at keeps its networks until it has been.

    Args:
        listed: what visitors may choose; the first one is taken where nothing is chosen. Names differ.
        load: gives the networks of a model.
        memory: megabytes of weights beyond which models are let go. One larger than that is held alone.

    Example:
        >>> models = Models([Model("bundled")], load=lambda model: f"the networks of {model.name}")
        >>> models.predictor("bundled")
        'the networks of bundled'
    """

    def __init__(self, listed: Iterable[Model], load: "Callable[[Model], HairPredictor]", memory: float = MEMORY):
        self._listed = {model.name: model for model in listed}
        self._load = load
        self._loaded = Remembered(memory * 1e6, lambda name: self._listed[name].weight)

    @classmethod
    def of(cls, predictor: "HairPredictor") -> "Models":
        """One model, loaded already."""
        from hairseg.hub.resolve import ResolvedRepo

        return cls([Model(predictor.folder.name, ResolvedRepo(predictor.folder))], lambda model: predictor)

    @property
    def names(self) -> list[str]:
        return list(self._listed)

    def __iter__(self):
        return iter(self._listed.values())

    def known(self, name: str | None) -> Model:
        """The model of that name, the first one for None. Raises InputError if the owner did not list it."""
        if name is None:
            return next(iter(self))
        if not isinstance(name, str) or name not in self._listed:
            raise InputError(f"{quote(name)} is no model of this page", f"one of {', '.join(self._listed)}")
        return self._listed[name]

    def predictor(self, name: str | None = None) -> "HairPredictor":
        """Both networks of a model. Waits while they are loaded. Raises InputError where they cannot be."""
        model = self.known(name)
        return self._loaded.get(model.name, lambda: self._load(model))

    def aside(self, name: str) -> "HairPredictor | None":
        """Both networks without counting as a use: those in memory, else others, as long as they find room there."""
        model = self.known(name)
        loaded = self._loaded.peek(name)
        return loaded or (self._load(model) if self._loaded.room() >= model.weight else None)
