"""The models that a page serves: find them, name them, and keep the recently used ones in memory."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hairseg.errors import InputError, quote
from hairseg.page.store import Cache
from hairseg.paper import VARIANTS

if TYPE_CHECKING:  # these import PyTorch, and the page starts without it
    from hairseg.hub.resolve import ResolvedRepo
    from hairseg.inference.predictor import HairPredictor
    from hairseg.repository import ModelRepository
    from hairseg.repository.metrics import Metrics

MAX_MEGABYTES = 1000  # weights in memory: four models with ResNet-101, or forty of the bundled size

BUNDLED_NAME = "bundled"


@dataclass(frozen=True)
class Speed:
    """Time of both networks for a small photo."""

    engine: str
    milliseconds: float


@dataclass(frozen=True)
class ServedModel:
    """A model repository that visitors can choose.

    Args:
        name: What visitors call it.
        source: Where it was found; None for the bundled repository.
    """

    name: str
    source: "ResolvedRepo | None" = None

    @cached_property
    def repository(self) -> "ModelRepository":
        """The repository that the model is loaded from."""
        from hairseg.repository import BUNDLED, ModelRepository

        return self.source.repository if self.source else ModelRepository(BUNDLED)

    @cached_property
    def weight_bytes(self) -> int:
        """Size of both weight files. In memory it doubles where the hardware does not support bfloat16."""
        return self.repository.weight_bytes()

    @cached_property
    def metrics(self) -> "Metrics":
        """The scores; empty if metrics.json is missing or malformed."""
        from hairseg.repository.metrics import Metrics

        try:
            return self.repository.metrics()
        except InputError:
            return Metrics()

    def __str__(self) -> str:
        """Describe the origin in Markdown. Paths of the server are not shown to visitors."""
        if self.source is None:
            return "bundled"
        return f"[{self.source}]({self.source.url})" if self.source.url else f"`{self.name}`"


class ModelRegistry:
    """Loads models on demand, once each, and unloads the least recently used one when memory runs short.

    Args:
        models: What visitors can choose, with distinct names. The first one is the default.
        load: Loads the networks of a model.
        max_megabytes: Maximum total size of the weights in memory. A single larger model is still loaded, alone.

    Example:
        >>> registry = ModelRegistry([ServedModel("bundled")], load=lambda model: f"the networks of {model.name}")
        >>> registry.predictor("bundled")
        'the networks of bundled'
    """

    def __init__(
        self,
        models: Iterable[ServedModel],
        load: "Callable[[ServedModel], HairPredictor]",
        max_megabytes: float = MAX_MEGABYTES,
    ):
        self._models = {model.name: model for model in models}
        self.measured: dict[str, Speed] = {}  # by name, when they were loaded
        self._states: dict[str, Literal["ready", "failed"]] = {}
        self._load = load
        self._loaded = Cache(max_megabytes * 1e6, lambda name: self._models[name].weight_bytes)

    @classmethod
    def from_predictor(cls, predictor: "HairPredictor") -> "ModelRegistry":
        """Create a registry of one model that is already loaded."""
        from hairseg.hub.resolve import ResolvedRepo

        registry = cls([ServedModel(predictor.folder.name, ResolvedRepo(predictor.folder))], lambda model: predictor)
        registry.predictor()
        return registry

    @property
    def names(self) -> list[str]:
        """What visitors call the models, the default first."""
        return list(self._models)

    def __iter__(self) -> Iterator[ServedModel]:
        return iter(self._models.values())

    def find(self, name: str | None) -> ServedModel:
        """Return a model by name.

        Args:
            name: What visitors call it; None for the default.

        Raises:
            InputError: No model has this name.
        """
        if name is None:
            return next(iter(self))
        if not isinstance(name, str) or name not in self._models:
            raise InputError(
                f"{quote(name)} is not a model of this page.", remedy=f"Choose one of {', '.join(self._models)}."
            )
        return self._models[name]

    def predictor(self, name: str | None = None) -> "HairPredictor":
        """Return both networks of a model, the default one for None. Blocks while they are loaded.

        Raises:
            InputError: No model has this name, or it cannot be loaded.
        """
        model = self.find(name)
        try:
            predictor = self._loaded.get(model.name, lambda: self._load(model))
        except Exception:
            self._states[model.name] = "failed"
            raise
        self._states[model.name] = "ready"
        return predictor

    def state(self) -> Literal["loading", "ready", "failed"]:
        """Return the state of the default model. It stays "ready" when the model is unloaded to save memory."""
        return self._states.get(self.find(None).name, "loading")


def find_models(repos: Sequence[str] | None = None) -> tuple[list[ServedModel], list[str]]:
    """Find the models to serve.

    Args:
        repos: Folders and Hub ids. Files that are not in the Hub's cache are downloaded. By default the repositories
            in HAIRSEG_REPO, else the bundled one.

    Returns:
        The models, and a notice for visitors about each model that is not served or is a cached copy. If the Hub
        cannot deliver the first model, the bundled one replaces it. Other models that fail are left out.

    Raises:
        InputError: The first repository is not valid.
    """
    if not repos and not os.environ.get("HAIRSEG_REPO"):
        return [ServedModel(BUNDLED_NAME)], []  # the imports below load PyTorch
    from hairseg.hub.errors import HubError
    from hairseg.hub.resolve import default_repos, resolve
    from hairseg.repository import ModelRepository

    found: dict[str, ResolvedRepo | None] = {}
    notices: list[str] = []
    for repo in dict.fromkeys(repos or default_repos()):
        is_id = is_hub_id(repo)
        name = repo if is_id else Path(repo).name  # notices must not show paths of the server
        try:
            source = resolve(repo)
            repository = source.repository if is_id else ModelRepository(source.folder, name)
            repository.check(VARIANTS)
        except InputError as error:
            if found:
                is_missing = not is_id and not Path(repo).is_dir()
                reason = f"{quote(name)} is neither a folder nor a Hub id." if is_missing else error
                notices.append(f"The model {name} is not served: {reason}")
            elif isinstance(error, HubError):
                found[repo] = None
                notices.append(f"The bundled model is served instead of {repo}: {error}")
            else:
                raise
        else:
            found[repo] = source
            if source.reason:
                notices.append(f"The model is a cached copy of {source.repo_id}, because {source.reason}.")
    return name_models(found), notices


def is_hub_id(repo: str) -> bool:
    """Return whether a repository is on the Hub. A folder takes precedence."""
    return repo.count("/") == 1 and not Path(repo).is_dir()


def name_models(sources: "dict[str, ResolvedRepo | None]") -> list[ServedModel]:
    """Name models for visitors: by Hub id, or by the shortest unique end of a folder's path.

    Args:
        sources: Where each repository was found, by the name that the owner gave; None is the bundled repository.

    Returns:
        The models in the same order. A folder that is listed twice is served once.
    """
    folders = {repo: source.folder.resolve() for repo, source in sources.items() if source and source.repo_id is None}
    distinct = len(sources) - len(folders) + len(set(folders.values()))
    models: dict[str, ServedModel] = {}
    for depth in count(1):
        names = {repo: repo if source else BUNDLED_NAME for repo, source in sources.items()}
        names |= {repo: "/".join(folder.parts[-depth:]) for repo, folder in folders.items()}
        models = {names[repo]: ServedModel(names[repo], source) for repo, source in sources.items()}
        if len(models) == distinct:
            break
    return list(models.values())
